"""Upgrading: the schema of a ledger that is there, moved to the newest revision; its rows stay."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from ledger.engine import sqlite_path
from ledger.errors import DatabaseFileError
from ledger.founding import transactions_at
from ledger.schema import (
    NEWEST_REVISION,
    check_not_newer,
    found_revision,
    lock_schema,
    migrate,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.transactions import Transactions


@dataclass(frozen=True, slots=True)
class SchemaUpgrade:
    """What an upgrade did."""

    before: str
    """The revision that it found."""
    after: str
    """The revision that it made; the same where there was nothing to do."""
    backup: Path | None
    """The copy of a SQLite file as it was before; None where none was made."""

    @property
    def is_changed(self) -> bool:
        """Whether there was anything to do."""
        return self.before != self.after


def schema_revision(url: str, *, lock_timeout: float | None = None) -> str:
    """Return the schema revision of the ledger at `url`, whether this package knows it or not.

    Raises:
        DatabaseFileError: there is no database, or no ledger in it.
        FieldError: `url` names no supported database.
    """
    transactions = transactions_at(url, lock_timeout)
    try:
        with transactions.reading() as connection:
            return found_revision(connection)
    finally:
        transactions.engine.dispose()


def upgrade_schema(
    url: str, *, backup: bool = True, lock_timeout: float | None = None
) -> SchemaUpgrade:
    """Move the schema of the ledger at `url` to the newest revision, in one transaction.

    Stop every program that has the ledger open first: one of an older version would go on
    writing as if nothing had changed. A SQLite file is copied to `NAME.before-REVISION.db` beside
    it, unless `backup` is false; a server's database is backed up with the server's own tools.

    Args:
        url: as for `Ledger.open`.
        backup: whether a SQLite file is copied first.
        lock_timeout: seconds to wait for another writer (10; 60 on SQLite).

    Raises:
        DatabaseFileError: there is no ledger, its schema is newer than this package, or the copy
            cannot be written; nothing was changed.
        BusyError, ConflictError: another program was in the way; nothing was changed.
    """
    transactions = transactions_at(url, lock_timeout)
    try:
        with transactions.reading() as connection:  # one that is current may be read-only
            found = check_not_newer(connection)
        if found == NEWEST_REVISION:
            return SchemaUpgrade(found, found, None)
        return _upgraded(transactions, sqlite_path(url) if backup else None)
    finally:
        transactions.engine.dispose()


def _upgraded(transactions: Transactions, path: Path | None) -> SchemaUpgrade:
    """Upgrade while nobody else writes; `path` is the file to copy first."""
    with transactions.writing("upgrade the schema") as connection:
        lock_schema(connection)
        found = check_not_newer(connection)
        if found == NEWEST_REVISION:  # another process was faster
            return SchemaUpgrade(found, found, None)
        copy = None if path is None else _copied(transactions, path)
        migrate(connection)
        return SchemaUpgrade(found, NEWEST_REVISION, copy)


def _copied(transactions: Transactions, path: Path) -> Path:
    """Copy what is committed in the SQLite file `path`, and return where to.

    The caller holds the write lock, so that this is what it is about to change. The copy gets its
    name when it is whole. Raises DatabaseFileError.
    """
    target = _free_name(path)
    part = target.with_name(target.name + ".part")
    source: Any = transactions.engine.raw_connection()
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)  # the pepper is in it
        with closing(sqlite3.connect(part)) as copy:
            source.driver_connection.backup(copy)
        shutil.copymode(path, part)
        part.rename(target)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            part.unlink()
        raise DatabaseFileError(
            f"no copy of {path} could be made as {target} ({error}); nothing was changed: make "
            "room, or back it up yourself and upgrade with --no-backup"
        ) from error
    finally:
        source.close()
    return target


def _free_name(path: Path) -> Path:
    """Return `NAME.before-REVISION.db` beside `path`; numbered where that is there already."""
    for number in count(1):
        again = "" if number == 1 else f"-{number}"
        target = path.with_name(f"{path.stem}.before-{NEWEST_REVISION}{again}{path.suffix}")
        if not target.exists():
            return target
    raise AssertionError("numbers do not end")
