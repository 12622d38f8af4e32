"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from benchmarks.databases import Postgresql

FLUSHES: Final = 100


def facts(postgresql: Postgresql | None) -> dict[str, str]:
    """Return what a reader needs to compare the numbers with their own."""
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{_gigabytes():.0f} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": f"{sqlite3.sqlite_version}, WAL, synchronous=FULL",
        "psycopg": version("psycopg"),
        "SQLAlchemy": version("sqlalchemy"),
        "one flush to the disk": f"{flush_milliseconds():.2f} ms",
    }
    if postgresql is not None:
        found["PostgreSQL"] = f"{postgresql.version()}, fsync=on, synchronous_commit=on"
    return found


def flush_milliseconds() -> float:
    """Return the median time of writing and flushing one page: what a durable commit costs."""
    laps = []
    with TemporaryFile() as file:
        for _ in range(FLUSHES):
            start = time.perf_counter()
            file.write(bytes(8_192))
            file.flush()
            os.fsync(file.fileno())
            laps.append(time.perf_counter() - start)
    return 1_000 * median(laps)


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    described = Path("/proc/cpuinfo")
    found = None
    if described.exists():
        text = described.read_text(encoding="utf-8")
        found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def _gigabytes() -> float:
    """Return the memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
