"""The ledger over HTTP: the endpoints that applications call, and the pages that people look at.

It needs the extra `evm-ledger[api]` (FastAPI and uvicorn).
"""

from __future__ import annotations

from bridge.api.app import create_app
from bridge.api.settings import Settings

__all__ = ["Settings", "create_app"]
