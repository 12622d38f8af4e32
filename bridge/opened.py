"""An export as a ledger that can be read, for whoever has no database."""

from __future__ import annotations

from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bridge.imports import import_ledger
from bridge.progress import ReportProgress, ignore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger import Ledger


@contextmanager
def open_export(folder: Path, *, progress: ReportProgress = ignore) -> Iterator[Ledger]:
    """Give the ledger that the export in `folder` holds, rebuilt in a temporary SQLite file.

    Everything is checked on the way, as `import` does, and nothing is left behind. It is for
    reading: without the pepper nothing can be posted.

    Raises:
        ExportFileError: as `import_ledger`.
    """
    with TemporaryDirectory(prefix="evm-ledger-") as temporary:
        ledger = import_ledger(folder, f"sqlite:///{temporary}/ledger.db", progress=progress)
        with ledger:
            yield ledger
