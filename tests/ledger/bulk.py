"""A large ledger, written straight into the tables: as many rows, in less time than posting takes.

Its ids and heads are any bytes, so that no audit would pass. One account, `hot`, has half of the
entries, the older half: whoever read the journal backwards to find one would read for long. Every
entry has the same reference and nearly the same reason, so that no filter is selective. The first
two are a group.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from ledger.dialects import dialect_of
from ledger.event_store import EVENT_COLUMNS
from ledger.hold_store import HOLD_COLUMNS
from ledger.store import ENTRY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ledger import Ledger
    from ledger.dialects import Dialect, Row

SYMBOL = "SCI"
HOT = "hot"
START = 1_767_225_600_000_000
EVERY = 3_600_000
"""Microseconds from one entry to the next: a thousand an hour."""
SUPPLY = 10**60
PART = 20_000

_ACCOUNT = ("account_id", "address", "registrar", "derived", "created_at", "updated_at")
_BALANCE = (
    "asset", "account_id", "balance", "total_earned", "total_spent", "total_staked", "created_at",
    "updated_at",
)  # fmt: skip


def account(number: int) -> str:
    """Return the id of one of the accounts besides `hot`."""
    return f"account-{number:05}"


def id_of(seq: int) -> bytes:
    """Return the id of an entry; that of a hold is of its number's negative."""
    return sha256(b"%d" % seq).digest()


def found(ledger: Ledger, accounts: int) -> None:
    """Write the asset and `accounts` accounts, and no entry, to a new ledger."""
    ledger.create_asset(SYMBOL, "Science", 18)
    for start in range(0, accounts, PART):
        numbers = range(start, min(accounts, start + PART))
        with ledger._transactions.writing("fill") as connection:
            _write_accounts(connection, numbers)


def fill(ledger: Ledger, entries: int, accounts: int) -> None:
    """Write `entries` entries and a tenth as many holds to a ledger that `found` made."""
    for start in range(1, entries + 1, PART):
        seqs = range(start, min(entries, start + PART - 1) + 1)
        with ledger._transactions.writing("fill") as connection:
            dialect = dialect_of(connection)
            rows = (_entry(dialect, seq, entries, accounts) for seq in seqs)
            dialect.insert(connection, "token_ledger", ENTRY_COLUMNS, rows)
            _write_holds(connection, [seq for seq in seqs if seq % 10 == 0], accounts)
    with ledger._transactions.writing("fill") as connection:
        _write_ends(connection, entries)


def _write_accounts(connection: Connection, numbers: range) -> None:
    dialect = dialect_of(connection)
    names = [account(number) for number in numbers] + ([HOT] if numbers.start == 0 else [])
    registrar = bytes([1] * 20)
    known = [(n, sha256(n.encode()).digest()[:20], registrar, True, START, START) for n in names]
    dialect.insert(connection, "token_accounts", _ACCOUNT, known)
    each, none = dialect.from_amount(SUPPLY // 10_000), dialect.from_amount(0)
    rows = [(1, n, each, each, none, none, START, START) for n in names]
    dialect.insert(connection, "token_balances", _BALANCE, rows)


def _entry(dialect: Dialect, seq: int, entries: int, accounts: int) -> Row:
    one, other = account(seq % accounts), account((seq * 7 + 1) % accounts)
    if seq <= entries // 2:
        one, other = (HOT, other) if seq % 2 else (other, HOT)
    elif one == other:
        other = account((seq * 7 + 2) % accounts)
    after = dialect.from_amount(SUPPLY)
    return (
        1, seq, id_of(seq), START + max(seq, 2) * EVERY, one, other, dialect.from_amount(1),
        f"earn:{seq % 3}", "job", "1", None, after, after, "local", None, None, None,
        id_of(0) if seq <= 2 else None,
        id_of(seq), None,
    )  # fmt: skip


def _write_holds(connection: Connection, seqs: list[int], accounts: int) -> None:
    """Write a posted hold of one unit, and the event that made it, for every seq given."""
    dialect = dialect_of(connection)
    one, none = dialect.from_amount(1), dialect.from_amount(0)
    holds: Iterator[Row] = (
        (
            1, seq // 10, id_of(-seq // 10), HOT if seq % 20 else account(seq % accounts), None,
            one, none, "posted", None, None, None, None, None, None, None, START, START,
        )
        for seq in seqs
    )  # fmt: skip
    dialect.insert(connection, "token_holds", HOLD_COLUMNS, holds)
    events: Iterator[Row] = (
        (1, seq // 10, seq, START + seq * EVERY, "hold_created", HOT, seq // 10, '{"amount":"1"}')
        for seq in seqs
    )
    dialect.insert(connection, "token_events", EVENT_COLUMNS, events)


def _write_ends(connection: Connection, entries: int) -> None:
    dialect = dialect_of(connection)
    supply = dialect.from_amount(SUPPLY)
    issuer = (1, "system", supply, supply, dialect.from_amount(0), dialect.from_amount(0), 0, 0)
    dialect.insert(connection, "token_balances", _BALANCE, [issuer])
    hours = range(START // 3_600_000_000, (START + entries * EVERY) // 3_600_000_000 + 1)
    rows = [(1, hour, 1_000, "1000") for hour in hours]
    dialect.insert(connection, "token_volume", ("asset", "hour", "entries", "amount"), rows)
    dialect.run(
        connection,
        "UPDATE token_journals SET seq = ?, events = ?, head = ?, last_time = ? WHERE asset = 1",
        entries,
        entries // 10,
        id_of(entries),
        START + entries * EVERY,
    )
