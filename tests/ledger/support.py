"""What the tests of the ledger share: fixed identities, a clock, the database behind its back."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
import pytest
from sqlalchemy import make_url

from ledger import Hash32, Ledger, RefusedError
from ledger.ids import chain_cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger import Receipt, Rule

LEDGER_ID = Hash32(bytes(range(32)))
PEPPER = Hash32(bytes(range(100, 132)))
START = 1_700_000_000_000_000
"""Microseconds at which a fixed clock starts."""

TABLES = (
    "token_settings", "token_assets", "token_accounts", "token_balances", "token_journals",
    "token_ledger", "token_keys", "token_holds", "token_events", "token_volume", "token_seals",
    "token_batches", "token_submissions",
    "token_api_keys",
)  # fmt: skip

Anything: TypeAlias = Any
"""What a caller should never pass."""

Dump = dict[str, list[str]]


class Clock:
    """A clock that moves one millisecond each time somebody looks."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        self.now += 1_000
        return self.now


def create(url: str, **options: Any) -> Ledger:  # noqa: ANN401 (whatever Ledger.create takes)
    """Make the ledger of which every id is known beforehand."""
    given: dict[str, Any] = {"ledger_id": LEDGER_ID, "pepper": PEPPER, "clock": Clock(), **options}
    return Ledger.create(url, **given)


def economy(url: str, *accounts: str, balance: int = 1_000, **options: Any) -> Ledger:  # noqa: ANN401 (as above)
    """Make a ledger with the asset `SCI` and accounts of `balance` each."""
    ledger = create(url, **options)
    ledger.create_asset("SCI", "Science", 18)
    for account in accounts:
        ledger.create_account(account, balance)
    return ledger


_LOGS = count()


def place() -> Hash32:
    """Return the place of one more log on a chain: no two entries are read from one."""
    return chain_cause(1, bytes(32), next(_LOGS))


def accepted(result: Receipt | RefusedError) -> Receipt:
    """Return the receipt of an item that must not have been refused."""
    assert not isinstance(result, RefusedError), result
    return result


def refused_by(call: Callable[[], object]) -> Rule:
    """Return the rule that refuses a call."""
    with pytest.raises(RefusedError) as refused:
        call()
    return refused.value.rule


class Raw:
    """A connection of another program, which knows nothing of the ledger's rules."""

    def __init__(self, connection: Any, *, postgresql: bool) -> None:  # noqa: ANN401 (either driver's)
        self.connection = connection
        self.postgresql = postgresql

    def run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement, `?` for values, and return its rows."""
        cursor = self.connection.execute(sql.replace("?", "%s") if self.postgresql else sql, values)
        return [] if cursor.description is None else [tuple(row) for row in cursor.fetchall()]

    def amount(self, amount: int) -> object:
        """Return what an amount column takes."""
        return amount if self.postgresql else amount.to_bytes(32, "big")


@contextmanager
def raw(url: str) -> Iterator[Raw]:
    """Open the database without the ledger; every statement commits."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database), isolation_level=None)) as connection:
            yield Raw(connection, postgresql=False)
        return
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        yield Raw(connection, postgresql=True)


def libpq(url: str) -> str:
    """Return the URL that psycopg itself takes."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def attacker(url: str) -> Iterator[Raw]:
    """Open the database as somebody who owns it: no trigger and, on SQLite, no check stops them."""
    with raw(url) as database:
        if database.postgresql:
            database.run("SET session_replication_role = replica")
            yield database
            return
        database.run("PRAGMA ignore_check_constraints = ON")
        triggers = database.run("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        for name, _ in triggers:
            database.run(f"DROP TRIGGER {name}")
        yield database
        for _, sql in triggers:
            database.run(sql)


def dump(url: str) -> Dump:
    """Return every row of every table of the ledger, and the sequence of none."""
    with raw(url) as database:
        return {table: _rows(database, table) for table in TABLES}


def _rows(database: Raw, table: str) -> list[str]:
    return sorted(repr(row) for row in database.run(f"SELECT * FROM {table}"))  # noqa: S608 (our own names)


@contextmanager
def unchanged(url: str) -> Iterator[None]:
    """Fail if the block changes one byte of one row (I8)."""
    before = dump(url)
    yield
    assert dump(url) == before


def rewrite_schema(database: Raw, table: str, change: Callable[[str], str]) -> None:
    """Change the SQL of a SQLite table in place, as only its owner can."""
    [(sql,)] = database.run("SELECT sql FROM sqlite_schema WHERE name = ?", table)
    changed = change(sql)
    assert changed != sql
    database.run("PRAGMA writable_schema = ON")
    database.run("UPDATE sqlite_schema SET sql = ? WHERE name = ?", changed, table)
    [(version,)] = database.run("PRAGMA schema_version")
    database.run(f"PRAGMA schema_version = {version + 1}")  # every connection reads it anew
    database.run("PRAGMA writable_schema = OFF")
