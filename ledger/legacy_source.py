"""Reading the tables of an old ledger, out of SQLite or PostgreSQL, without changing a byte."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from ledger.errors import DatabaseFileError, FieldError
from ledger.legacy_model import ACCOUNTS, ENTRIES, OldAccount, OldEntry, OldTables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import URL

_COLUMNS: Final = {ENTRIES: OldEntry._fields[1:], ACCOUNTS: OldAccount._fields[1:]}
"""Of the first specification, without the number of the row."""

_OWN_COLUMN: Final = "address"
"""What token_accounts has in a ledger of this program, and never had in an old one."""

_OLD_WAIT: Final = 5.0
"""Seconds to wait for the old program to finish a write."""

_FLOAT4: Final = 700
"""PostgreSQL's type `real`; psycopg gives its shortest decimal too, because it reads text."""

_WAL_START: Final = b"SQLite format 3\x00"
_WAL_VERSION = slice(18, 20)


def read_tables(source: str) -> OldTables:
    """Return the rows of the old ledger in `source`: a SQLite file, or a URL.

    Both tables are read at one moment, ordered by rowid (PostgreSQL: by place in the table).

    Raises:
        DatabaseFileError: there is no such database, or no old ledger in it.
        FieldError: `source` is a URL of another kind of database.
    """
    if "://" not in source:
        return _read_sqlite(Path(source))
    url = _parsed(source)
    if url.get_backend_name() == "sqlite" and url.database:
        return _read_sqlite(Path(url.database))
    if url.get_backend_name() == "postgresql":
        return _read_postgresql(url)
    raise FieldError("source", f"{url.get_backend_name()!r} is neither sqlite nor postgresql")


def source_name(source: str) -> str:
    """Return `source` as it may be shown: without a password. Raises as `read_tables`."""
    return _parsed(source).render_as_string() if "://" in source else source


def _parsed(source: str) -> URL:
    """Return the parts of a URL; the error shows none of it, as it may hold a password."""
    try:
        return make_url(source)
    except (ArgumentError, ValueError):
        raise FieldError("source", "is neither a file nor a database URL") from None


# --- SQLite ----------------------------------------------------------------------------------


def _read_sqlite(path: Path) -> OldTables:
    """Return the tables of a SQLite file, opened read-only."""
    if not path.is_file():
        raise DatabaseFileError(f"{path}: there is no such file")
    try:
        with closing(_connected(path)) as connection:
            connection.execute("BEGIN")
            for table in _COLUMNS:
                _check_sqlite(connection, path, table)
            return OldTables(
                [OldEntry(*row) for row in connection.execute(_select(ENTRIES, "rowid"))],
                [OldAccount(*row) for row in connection.execute(_select(ACCOUNTS, "rowid"))],
            )
    except (sqlite3.Error, PermissionError) as error:
        raise DatabaseFileError(f"{path}: {error}") from None


def _connected(path: Path) -> sqlite3.Connection:
    """Open a file that may not be written; text that is no UTF-8 becomes a defect, not an error.

    A reader of a write-ahead log makes files beside it, so one that is empty is not looked for.
    """
    options = "mode=ro"
    if _is_checkpointed(path):
        options += "&immutable=1"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None, timeout=_OLD_WAIT
    )
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return connection


def _is_checkpointed(path: Path) -> bool:
    """Tell whether a file in WAL mode has everything in itself: nobody has it open."""
    with path.open("rb") as file:
        start = file.read(_WAL_VERSION.stop)
    in_wal_mode = start.startswith(_WAL_START) and start[_WAL_VERSION] == b"\x02\x02"
    return in_wal_mode and not path.with_name(path.name + "-wal").exists()


def _check_sqlite(connection: sqlite3.Connection, path: Path, table: str) -> None:
    """Refuse a file whose table is not the first specification's."""
    kinds = connection.execute("SELECT type FROM sqlite_schema WHERE lower(name) = ?", (table,))
    if kinds.fetchone() == ("view",):
        raise DatabaseFileError(f"{path}: {table} is a view; the order of its rows is unknown")
    columns = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    _check_columns(str(path), table, [name for (name,) in columns])


# --- PostgreSQL ------------------------------------------------------------------------------


def _read_postgresql(url: URL) -> OldTables:
    """Return the tables of a PostgreSQL database, in a read-only transaction."""
    libpq = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(libpq, client_encoding="utf8") as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            for table in _COLUMNS:
                _check_postgresql(connection, url, table)
            row = "row_number() OVER (ORDER BY ctid)"
            entries = connection.execute(_select(ENTRIES, row))
            accounts = connection.execute(_select(ACCOUNTS, row))
            return OldTables(
                [OldEntry(*it) for it in entries],
                [OldAccount(*it) for it in accounts],
                bits=24 if _has_real(entries) or _has_real(accounts) else 53,
            )
    except (psycopg.Error, UnicodeError) as error:
        text = str(error).strip().split("\n")[0]
        raise DatabaseFileError(f"{url.render_as_string()}: {text}") from None


def _has_real(cursor: psycopg.Cursor[tuple[object, ...]]) -> bool:
    """Tell whether a column holds numbers of four bytes."""
    return any(column.type_code == _FLOAT4 for column in cursor.description or ())


def _check_postgresql(
    connection: psycopg.Connection[tuple[object, ...]], url: URL, table: str
) -> None:
    """Refuse a database whose table is not the first specification's."""
    columns = connection.execute(
        "SELECT attname::text FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (table,),
    )
    _check_columns(url.render_as_string(), table, [str(name) for (name,) in columns])


# --- both ------------------------------------------------------------------------------------


def _select(table: str, row: str) -> str:
    """Return the query of all rows, with their numbers."""
    return f"SELECT {row}, {', '.join(_COLUMNS[table])} FROM {table} ORDER BY 1"  # noqa: S608 (our own names)


def _check_columns(where: str, table: str, found: Sequence[str]) -> None:
    """Refuse a table that lacks columns, or that is one of this program. DatabaseFileError."""
    names = {name.lower() for name in found}
    if not names:
        raise DatabaseFileError(f"{where}: has no table {table}, so no old ledger")
    if _OWN_COLUMN in names or "seq" in names:
        raise DatabaseFileError(
            f"{where}: is a ledger of this program; move it with `evm-ledger export` and `import`"
        )
    if missing := [name for name in _COLUMNS[table] if name not in names]:
        raise DatabaseFileError(f"{where}: {table} has no column {', '.join(missing)}")
