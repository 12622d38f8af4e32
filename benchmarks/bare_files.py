"""The files of an export, written and read by nothing but the operating system."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from benchmarks.measure import Watch

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK: Final = 1 << 20


def writing(source: Path, target: Path) -> float:
    """Write every file of `source` again below `target`; return the seconds of that alone.

    As durably as an export: each file is flushed to the disk. Reading is not counted.
    """
    watch = Watch()
    for path in _files(source):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as opened, copy.open("xb", buffering=0) as out:
            while chunk := opened.read(_CHUNK):
                with watch.running():
                    assert out.write(chunk) == len(chunk)
            with watch.running():
                os.fsync(out.fileno())
    return watch.seconds


def reading(folder: Path) -> float:
    """Read every file of `folder` once; return the seconds."""
    watch = Watch()
    for path in _files(folder):
        with watch.running(), path.open("rb", buffering=0) as opened:
            while opened.read(_CHUNK):
                pass
    return watch.seconds


def size(folder: Path) -> int:
    """Return the bytes of all files together."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
