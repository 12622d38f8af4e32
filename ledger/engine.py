"""Engines with the settings that the guarantees need, and what a database's errors mean here."""

from __future__ import annotations

import math
import re
import selectors
import sqlite3
import stat
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.adapt import Loader
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ledger import forks
from ledger.errors import (
    BusyError,
    ConflictError,
    CorruptError,
    DatabaseFileError,
    FieldError,
    LedgerError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

SQLITE_TIMEOUT = 60.0
"""Seconds a SQLite writer waits for another process, unless told otherwise."""

POSTGRESQL_CONNECTIONS = 96
"""Connections to PostgreSQL that one engine has at most; a server allows 100 unless told so."""

_IDLE = 1.0
"""Seconds after which a pooled connection is asked whether it still lives."""

_SQLITE_PAGE = 512
"""Bytes in the smallest file that SQLite looks into before it writes."""

_SQLITE_START = b"SQLite format 3\x00"

_BUSY_STATES = {"55P03"}  # lock_not_available
_CONFLICT_STATES = {"40P01", "40001", "SQLITE_BUSY_SNAPSHOT"}
"""deadlock_detected, serialization_failure, and SQLite's of a reader that wants to write."""

_LOST_STATES = {"57P01", "57P02", "57P03", "08000", "08003", "08006"}

_MEANINGS: tuple[tuple[type[LedgerError], set[str], tuple[str, ...], str], ...] = (
    (
        ConflictError,
        _CONFLICT_STATES,
        (),
        "the database chose another transaction; roll back, and run yours again",
    ),
    (ConflictError, {"25P02"}, (), "the transaction has failed; roll back, and run it again"),
    (
        BusyError,
        _BUSY_STATES,
        ("database is locked",),
        "another writer held the journal for too long; try again",
    ),
    (BusyError, {"57014", "25P03", "25P04"}, (), "the database stopped it for time; try again"),
    (
        DatabaseFileError,
        set(),
        ("file is not a database", "malformed"),
        "the file is no SQLite database; name another",
    ),
    (
        DatabaseFileError,
        {"25006", "42501"},
        ("readonly database", "unable to open"),
        "the database cannot be written; check its permissions",
    ),
    (
        DatabaseFileError,
        {"42P01"},
        ("no such table: token_",),
        "no ledger here; make one with `evm-ledger init`",
    ),
    (
        DatabaseFileError,
        {"3D000"},
        ('FATAL:  database "',),
        "the server has no such database; create it first",
    ),
    (
        DatabaseFileError,
        {"42P07"},
        ("already exists",),
        "another program has tables of these names; use another database",
    ),
    (
        DatabaseFileError,
        {"53000", "53100", "53200", "53300", "53400"},
        ("disk is full", "disk I/O error"),
        "the server or its disk is full; make room",
    ),
    (CorruptError, set(), ("append-only",), "entries are never changed"),
    (DatabaseFileError, _LOST_STATES, (), "the database does not answer"),
)
"""What a driver's state or words mean: the error, and what to do. The first row that fits."""


def open_engine(url: str, *, lock_timeout: float, create: bool = False) -> Engine:
    """Return an engine for `url` that never autocommits and never waits for ever.

    Raises:
        FieldError: `url` is no SQLAlchemy URL, or names another kind of database.
        DatabaseFileError: a SQLite file does not exist (and `create` is false).
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, lock_timeout, create=create)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql_engine(parsed, lock_timeout)
    raise FieldError("database", f"{parsed.get_backend_name()!r} is neither sqlite nor postgresql")


def _parsed(url: str) -> URL:
    """Return the parts of a database URL. Raises FieldError, which never repeats a password."""
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        shown = "it" if "@" in url else repr(url)
        raise FieldError(
            "database", f"{shown} is no database URL; use sqlite:///ledger.db or postgresql://..."
        ) from None


def without_password(url: str) -> str:
    """Return `url` for people. Raises FieldError."""
    return _parsed(url).render_as_string(hide_password=True)


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite `url`, or None for another database. Raises FieldError."""
    parsed = _parsed(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(str(parsed.database)) if is_file else None


def _sqlite_engine(url: URL, lock_timeout: float, *, create: bool) -> Engine:
    """Return an engine in which every transaction says BEGIN itself (WAL, FULL)."""
    if not url.database or url.database == ":memory:" or "mode=memory" in str(url):
        raise FieldError("database", "a ledger in memory would be lost; name a file")
    if not create and not Path(url.database).exists():
        raise DatabaseFileError(f"{url.database} does not exist; make it with `evm-ledger init`")
    if create and not Path(url.database).absolute().parent.is_dir():
        raise DatabaseFileError(f"the folder of {url.database} does not exist; make it first")
    _check_file(Path(url.database))
    engine = create_engine(
        url.set(drivername="sqlite"),
        isolation_level=None,
        hide_parameters=True,  # the pepper is one
        connect_args={"timeout": lock_timeout, "factory": forks.SqliteConnection},
        pool_size=32,
        max_overflow=-1,  # one for each thread that asks: who reads need not wait for who writes
    )
    forks.watch(engine)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        for pragma in ("synchronous = FULL", "recursive_triggers = ON", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "invalidate")
    def give_up(connection: sqlite3.Connection, *_: object) -> None:
        connection.rollback()  # after Ctrl-C: closed with a statement alive, it would stay locked

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("ledger_writes")
        sql = "BEGIN IMMEDIATE" if writes else "BEGIN"
        with driven(connection, sql) as driver:
            driver.execute(sql)

    return engine


def _check_file(path: Path) -> None:
    """Refuse a file of another kind: SQLite itself would write over one that is very short."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # told here: file systems differ in how they tell it
            raise DatabaseFileError(f"{path} is no file, but a folder or a device; name a file")
        start = path.read_bytes()[:16] if found.st_size < _SQLITE_PAGE else _SQLITE_START
    except FileNotFoundError:
        return
    except OSError as error:
        raise DatabaseFileError(f"{path} cannot be read: {error.strerror}") from None
    if start not in (b"", _SQLITE_START):
        raise DatabaseFileError(f"{path}: the file is no SQLite database; name another")


_AVOIDED = ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin")
"""Ways of reading that a plan takes only where there is no other.

Each of them reads all before it gives the first row, which pays while a table is small, or while
the database believes so: a plan that was made then would stay.
"""


class _IntLoader(Loader):
    """NUMERIC(78, 0) straight to int: no Decimal, so no arithmetic on one by mistake."""

    def load(self, data: bytes | bytearray | memoryview) -> int:
        return int(bytes(data))


def _postgresql_engine(url: URL, lock_timeout: float) -> Engine:
    """Return an engine over psycopg 3, READ COMMITTED, whose waits end.

    Every statement is planned once for all values: it has one good plan (see `_AVOIDED`), and to
    look for a better one each time takes a posting of one entry longer than to run it.
    """
    url = url.set(drivername="postgresql+psycopg")  # whatever driver was named: this is the one
    options = (
        "-c default_transaction_isolation=read\\ committed -c synchronous_commit=on"
        " -c plan_cache_mode=force_generic_plan"
        f" -c TimeZone=UTC -c jit=off -c lock_timeout={int(lock_timeout * 1000)}"
        + "".join(f" -c enable_{way}=off" for way in _AVOIDED)
    )
    engine = create_engine(
        url,
        hide_parameters=True,  # the pepper is one
        connect_args={"options": options, "application_name": "evm-ledger"},
        pool_size=32,
        max_overflow=POSTGRESQL_CONNECTIONS - 32,
    )
    _ping_idle(engine)

    @event.listens_for(engine, "connect")
    def configure(connection: psycopg.Connection[Any], _: object) -> None:
        connection.adapters.register_loader("numeric", _IntLoader)

    return engine


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether the server has said or closed something that nobody has read yet."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        return bool(selector.select(0))


def _ping_idle(engine: Engine) -> None:
    """Ask a connection that lay idle whether it still lives; one in use was just asked.

    So is one whose server has said something since: most times, that it goes away.
    """

    @event.listens_for(engine, "checkin")
    def rested(_: object, record: ConnectionPoolEntry) -> None:
        record.info["rested"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def wake(connection: psycopg.Connection[Any], record: ConnectionPoolEntry, _: object) -> None:
        if _has_news(connection) or time.monotonic() - record.info.get("rested", math.inf) > _IDLE:
            try:
                engine.dialect.do_ping(cast("Any", connection))
            except psycopg.Error as error:
                raise DisconnectionError from error


@contextmanager
def driven(connection: Connection, sql: str) -> Iterator[Any]:
    """Give the driver's own connection for `sql`: SQLAlchemy's way costs 100 us a statement.

    Raises:
        DBAPIError: as if the statement had gone through SQLAlchemy.
    """
    driver: Any = connection.connection.driver_connection
    try:
        yield driver
    except (psycopg.Error, sqlite3.Error) as error:
        lost = isinstance(error, psycopg.Error) and driver.closed
        if lost:
            connection.invalidate(error)
        kind = psycopg.Error if isinstance(error, psycopg.Error) else sqlite3.Error
        raise DBAPIError.instance(
            sql, None, error, kind, connection_invalidated=lost, dialect=connection.dialect
        ) from error
    except BaseException as error:
        if not isinstance(error, Exception) and isinstance(driver, psycopg.Connection):
            connection.invalidate(error)  # Ctrl-C: nobody knows what the server is doing for us
        raise


@contextmanager
def translated_errors(what: str) -> Iterator[None]:
    """Turn what the driver raises inside into the errors of this package.

    Raises:
        BusyError, ConflictError, DatabaseFileError, CorruptError: see `ledger.errors`.
    """
    try:
        yield
    except DBAPIError as error:
        raise _translated(error, what) from error
    except PoolTimeoutError as error:
        raise BusyError(f"{what}: every connection to the database is in use; try again") from error


def _translated(error: DBAPIError, what: str) -> Exception:
    """Return the error of this package that `error` is."""
    state = _state(error)
    text = str(error.orig).strip().split("\n")[0]
    for kind, states, words, advice in _MEANINGS:
        if state in states or any(word in text for word in words):
            return kind(f"{what}: {advice} ({text})")
    if error.connection_invalidated or _unreachable(error):
        return DatabaseFileError(f"{what}: the database does not answer ({text})")
    return DatabaseFileError(f"{what}: the database refused it ({text})")


def _state(error: DBAPIError) -> str:
    """Return what the driver calls the error: PostgreSQL's SQLSTATE, or SQLite's own name."""
    name = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return str(name)


def _unreachable(error: DBAPIError) -> bool:
    """Tell whether the server could not be reached at all."""
    return isinstance(error.orig, psycopg.OperationalError) and error.orig.sqlstate is None


def is_conflict(error: DBAPIError) -> bool:
    """Tell whether running the transaction again can succeed: deadlock, serialization failure."""
    return _state(error) in _CONFLICT_STATES


def is_missing(error: DBAPIError) -> bool:
    """Tell whether a table is not there."""
    return _state(error) == "42P01" or "no such table" in str(error.orig)


def is_lost(error: DBAPIError) -> bool:
    """Tell whether the connection went away, so that the outcome of a COMMIT is unknown."""
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _LOST_STATES


_CONSTRAINT = re.compile(r"constraint failed: (\S+)")


def violated_constraint(error: DBAPIError) -> str | None:
    """Return the name of the constraint that `error` says was violated, if it says so.

    SQLite names columns for uniqueness ("token_accounts.address") and constraints for checks.
    """
    diagnostic = getattr(error.orig, "diag", None)
    if diagnostic is not None and diagnostic.constraint_name:
        return str(diagnostic.constraint_name)
    found = _CONSTRAINT.search(str(error.orig))
    return found.group(1).rstrip(",") if found else None
