"""One process at a time, for work that must not run twice: a lock that ends with its process.

On PostgreSQL an advisory lock of the session. On SQLite a locked file beside the database, because
SQLite's own lock would keep everybody from posting; what a killed process leaves of it is no lock.
"""

from __future__ import annotations

import fcntl
import os
import platform
import time
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from ledger.errors import BusyError, DatabaseFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

_GRACE: Final = 1.0
"""Seconds in which a server notices that a process was killed, and frees what it held."""


@contextmanager
def alone(engine: Engine, name: str, what: str) -> Iterator[None]:
    """Keep every other process that works on the same database out of `name`.

    `what` says in the error what the other one does.

    Raises:
        BusyError: another process is at it; names it.
        DatabaseFileError: no file can be made beside the database.
    """
    if engine.dialect.name == "sqlite":
        with _locked_file(Path(str(engine.url.database)), name, what):
            yield
        return
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        key = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
        deadline = time.monotonic() + _GRACE
        while not _is_taken(connection, key):
            if time.monotonic() > deadline:
                raise _busy(what, _session(connection, key))
            time.sleep(_GRACE / 20)
        try:
            yield
        finally:
            with suppress(Exception):  # the connection is gone, and the lock with it
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})


def _is_taken(connection: Connection, key: int) -> bool:
    """Take the advisory lock `key`, unless another session has it."""
    query = text("SELECT pg_try_advisory_lock(:key)")
    return bool(connection.execute(query, {"key": key}).scalar())


def _session(connection: Connection, key: int) -> str:
    """Return who holds the advisory lock `key`."""
    query = text(
        "SELECT a.application_name, a.pid, a.client_hostname, a.client_addr::text "
        "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
        "AND ((l.classid::bigint << 32) | l.objid::bigint) = :key"
    )
    row = connection.execute(query, {"key": key}).first()
    if row is None:
        return "it ended just now"
    where = row.client_hostname or row.client_addr or "the server's own host"
    return f"{row.application_name or 'a program'} on {where}, session {row.pid} of PostgreSQL"


@contextmanager
def _locked_file(database: Path, name: str, what: str) -> Iterator[None]:
    """Hold a locked file beside `database`, and remove it."""
    path = database.with_name(f".{database.name}.{sha256(name.encode()).hexdigest()[:16]}.lock")
    held = _taken(path, what)
    try:
        os.truncate(held, 0)
        os.write(held, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(held)


def _taken(path: Path, what: str) -> int:
    """Return the descriptor of the file at `path`, locked."""
    while True:
        try:
            held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DatabaseFileError(f"{path} cannot be made ({error.strerror})") from None
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(held, 200, 0).decode(errors="replace")
            os.close(held)
            raise _busy(what, holder or "it has just begun") from None
        # Whoever had it may have removed it meanwhile: then this is no lock for anybody else.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(held), path.stat()):
                return held
        os.close(held)


def _busy(what: str, who: str) -> BusyError:
    """Return the error that names who is at it."""
    return BusyError(f"another process {what} ({who}): wait until it is done, or stop it")
