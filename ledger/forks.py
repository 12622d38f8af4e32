"""What a fork must not share: SQLite's connections.

SQLite keeps its locks once for a process. A child that inherits an open connection takes its
parent's locks for its own; the parent may then remove the log that the child writes to, and with
it all that the child has acknowledged. So every idle connection is closed before a fork, and a
child of a process in which one was busy is told to be started otherwise.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import event

from ledger.errors import DatabaseFileError

if TYPE_CHECKING:
    from sqlalchemy import Engine

_File = tuple[int, int]
"""Device and inode."""


class SqliteConnection(sqlite3.Connection):
    """One that a weak reference can point to."""


_engines: WeakSet[Engine] = WeakSet()
_open: WeakKeyDictionary[SqliteConnection, _File | None] = WeakKeyDictionary()
"""What this process has open, idle or not."""

_shared: set[_File | None] = set()
"""Files of which this process has inherited a connection."""


def watch(engine: Engine) -> None:
    """Close what `engine` has open before this process forks, and know where that was too late.

    Its connections must be `SqliteConnection`.
    """
    _engines.add(engine)

    @event.listens_for(engine, "do_connect")
    def check(*_: object) -> None:
        if _shared and _file_of(engine) in _shared:
            raise DatabaseFileError(
                f"{engine.url.database} was in use when this process was forked, and what it wrote "
                "could be lost; start the process afresh (`spawn`), or fork while nobody posts"
            )

    @event.listens_for(engine, "connect")
    def opened(connection: SqliteConnection, _: object) -> None:
        _open[connection] = _file_of(engine)

    @event.listens_for(engine, "close")
    def closed(connection: SqliteConnection, _: object) -> None:
        _open.pop(connection, None)


def _file_of(engine: Engine) -> _File | None:
    """Return which file an engine is for; links to one file are one."""
    try:
        stat = Path(str(engine.url.database)).stat()
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino)


def _close() -> None:
    """Close every connection that nobody uses."""
    for engine in list(_engines):
        engine.dispose()


def _remember() -> None:
    """Know in the child which files are in use all the same."""
    _shared.update(_open.values())


os.register_at_fork(before=_close, after_in_child=_remember)
