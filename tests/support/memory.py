"""A folder in memory, where the system has one: what is written there waits for no disk.

Tests kill processes, never the machine, so nothing that they write has to reach a disk. That every
commit waits for it is asked of the databases themselves, and benchmarks measure it on a real one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_LINUX = Path("/dev/shm")  # noqa: S108 (who uses it makes a folder of its own there)
_ROOM = 4 * 2**30
"""Bytes that must be free: several times what the suite ever has there at once."""


def memory() -> Path | None:
    """Return the folder; None where there is none, too little room, or no program may run."""
    if not os.access(_LINUX, os.W_OK) or os.statvfs(_LINUX).f_flag & os.ST_NOEXEC:
        return None
    return _LINUX if shutil.disk_usage(_LINUX).free >= _ROOM else None
