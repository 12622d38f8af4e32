"""An outbox in a file of its own, for whoever sends without a ledger: who claims, or deploys.

It is the table that a ledger has for this, in a SQLite file: so a row is whole or not there, and on
the disk before anything is broadcast. One file serves all keys and chains of a person; a run that
was cut short goes on from it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import URL, event, text

from bridge.errors import OutboxFileError
from bridge.new_files import sync_folder
from ledger.alone import alone
from ledger.engine import open_engine, translated_errors
from ledger.tables import submissions

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine

_PATIENCE: Final = 60.0
"""Seconds that one process waits for another to write its row."""
_KIND: Final = int.from_bytes(b"evmL", "big")
"""What such a file says it is (`PRAGMA application_id`)."""
_VERSION: Final = 1


class OutboxFile:
    """A file with what was signed; wherever a ledger's database stores that, this does too.

    with OutboxFile.open(Path("outbox.db")) as store:
        send_claim(store, chain, payer, claim)
    """

    def __init__(self, engine: Engine) -> None:
        """Use the file of `engine`; `open` is what callers use."""
        self._engine = engine

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the outbox at `path`; make it, with its folder, if it is not there.

        Raises:
            OutboxFileError: something else is there, or nothing can be written there.
            DatabaseFileError: it is no SQLite file.
        """
        path = Path(path).absolute()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise OutboxFileError(f"{path} cannot be made ({error.strerror})") from None
        url = URL.create("sqlite", database=str(path)).render_as_string()
        engine = open_engine(url, lock_timeout=_PATIENCE, create=True)

        @event.listens_for(engine, "connect")
        def configure(connection: sqlite3.Connection, _: object) -> None:
            # FULL is not enough here: without a write-ahead log, what ends a transaction is that
            # a file is removed, and only EXTRA sees to it that this is on the disk too.
            connection.execute("PRAGMA synchronous = EXTRA")

        found = cls(engine)
        try:
            found._prepare(path)
            sync_folder(path.parent)
        except BaseException:
            found.close()
            raise
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection in a transaction that commits, to the disk, at the end of the block.

        Raises:
            BusyError, DatabaseFileError: it cannot be written.
        """
        with translated_errors("outbox"), self._engine.connect() as plain:
            connection = plain.execution_options(ledger_writes=True)
            with connection.begin():
                yield connection

    def alone(self, name: str, what: str) -> AbstractContextManager[None]:
        """Return a context in which no other process that uses this file is in `name`.

        Raises:
            BusyError: on entering: another one is in it, of whom is said that it does `what`.
        """
        return alone(self._engine, name, what)

    def _prepare(self, path: Path) -> None:
        """Make the table in a file that is new. Raises OutboxFileError."""
        with self.connection() as connection:
            kind, version, objects = (
                connection.execute(text(query)).scalar_one()
                for query in (
                    "PRAGMA application_id",
                    "PRAGMA user_version",
                    "SELECT count(*) FROM sqlite_master",
                )
            )
            if (kind, version, objects) == (0, 0, 0):
                submissions.create(connection)
                connection.execute(text(f"PRAGMA application_id = {_KIND}"))
                connection.execute(text(f"PRAGMA user_version = {_VERSION}"))
            elif (kind, version) != (_KIND, _VERSION):
                what = "of another version" if kind == _KIND else "and no outbox"
                raise OutboxFileError(f"{path} is a database {what}: name another file (--outbox)")
