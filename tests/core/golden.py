"""The golden vectors, as the tests read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VECTORS_FILE = Path(__file__).parents[1] / "data" / "vectors_v1.json"


def vectors() -> dict[str, Any]:
    """Return the vectors file, freshly read, so that a test may change its copy."""
    document: dict[str, Any] = json.loads(VECTORS_FILE.read_text(encoding="utf-8"))
    return document
