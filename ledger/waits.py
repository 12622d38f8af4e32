"""Which journals a thread holds in an application's transaction, so that it never waits for itself.

A lock that `Ledger.on` takes is held until the application commits. Whoever waits for it in the
same thread waits for ever: that is refused at once. Nothing is released here: a transaction that
has ended holds nothing, however it ended.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import psycopg
from sqlalchemy import text

from ledger.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection, RootTransaction

Home = tuple[object, ...]
"""What tells one database from another; equal through every connection to it."""


@dataclass(frozen=True, slots=True)
class _Holding:
    """What a transaction holds: the journals of these numbers, in this database."""

    thread: int
    """The one that posted last: a transaction may be handed from thread to thread."""
    home: Home
    numbers: frozenset[int]


_holdings: WeakKeyDictionary[RootTransaction, _Holding] = WeakKeyDictionary()
_guard = threading.Lock()


def _forget() -> None:
    """Begin anew after a fork: what the parent holds, this process does not."""
    global _guard, _holdings
    _guard, _holdings = threading.Lock(), WeakKeyDictionary()


os.register_at_fork(after_in_child=_forget)


def home_of(connection: Connection) -> Home:
    """Return which database `connection` is to. On SQLite no transaction begins by asking."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("PRAGMA database_list").fetchall()
        return file_home(next(row[2] for row in rows if row[1] == "main"))
    sql = (
        "SELECT 'token_settings'::regclass::oid::text, oid::text FROM pg_database "
        "WHERE datname = current_database()"
    )
    return tuple(connection.execute(text(sql)).one())


def file_home(path: str) -> Home:
    """Return which SQLite file `path` is: links to one file are one."""
    if not path:  # in memory: nobody else's
        return (object(),)
    stat = Path(path).stat()
    return (stat.st_dev, stat.st_ino)


def hold(transaction: RootTransaction, home: Home, numbers: Collection[int]) -> None:
    """Remember that this thread holds the journals `numbers` until `transaction` ends."""
    with _guard:
        known = _holdings.get(transaction)
        more = frozenset(numbers) | (known.numbers if known else frozenset())
        _holdings[transaction] = _Holding(threading.get_ident(), home, more)


def release(transaction: RootTransaction) -> None:
    """Forget what `transaction` held: the savepoint in which it was locked was taken back."""
    with _guard:
        _holdings.pop(transaction, None)


def held_in(transaction: RootTransaction) -> frozenset[int] | None:
    """Return the journals that `transaction` has locked, or None if it has locked nothing."""
    with _guard:
        known = _holdings.get(transaction)
    return known.numbers if known else None


def check_not_own(
    home: Callable[[], Home],
    numbers: Collection[int] | None,
    own: RootTransaction | None = None,
) -> None:
    """Refuse to wait for one of `numbers` (None for any) if this thread holds it.

    `own` is the transaction that would wait: it never waits for itself. `home` is asked only
    where there is something to compare.

    Raises:
        BusyError: the thread would wait for a transaction that it must itself commit.
    """
    if not _holdings:
        return
    with _guard:
        mine = [
            (transaction, holding)
            for transaction, holding in _holdings.items()
            if holding.thread == threading.get_ident() and transaction is not own
        ]
    held = [
        holding
        for transaction, holding in mine
        if (numbers is None or not holding.numbers.isdisjoint(numbers)) and _is_open(transaction)
    ]
    if not held:
        return
    here = home()
    if any(holding.home == here for holding in held):
        raise BusyError(
            "this thread holds the journal in its own transaction (`Ledger.on`) and would wait "
            "for itself; post through that, or commit it first"
        )


def _is_open(transaction: RootTransaction) -> bool:
    """Tell whether a transaction is under way, for SQLAlchemy and for the driver."""
    connection = transaction.connection
    if not transaction.is_active or connection.closed or connection.invalidated:
        return False
    driver: Any = connection.connection.driver_connection
    if isinstance(driver, psycopg.Connection):
        return driver.info.transaction_status not in {
            psycopg.pq.TransactionStatus.IDLE,
            psycopg.pq.TransactionStatus.UNKNOWN,
        }
    return bool(driver.in_transaction)
