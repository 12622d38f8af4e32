"""Rows that only the checks of an audit or an import ask for. Decides nothing."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ledger import hold_store
from ledger.amounts import check_uint
from ledger.checks import FoundError, readable
from ledger.details import IMPORTED
from ledger.dialects import Row, dialect_of
from ledger.locked import Event
from ledger.model import ZERO_HASH
from ledger.reversal_checks import Original
from ledger.row_checks import ROW_COLUMNS, usable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

    from ledger.results import Asset, Hold

_AMOUNTS = {"amount", "balance_after_from", "balance_after_to"}

_MARKS = 500
"""Values in one list of a query."""


class JournalEnd(NamedTuple):
    """What a journal's row says of what is no entry."""

    events: int
    next_expiry: int | None
    last_time: int
    seq: int
    head: bytes


def read_end(connection: Connection, number: int) -> JournalEnd | None:
    """Return what the row of an asset's journal says (number 0: of the accounts' stream).

    Raises:
        FieldError: naming what is no number.
    """
    sql = "SELECT events, next_expiry, last_time, seq, head FROM token_journals WHERE asset = ?"
    rows = dialect_of(connection).rows(connection, sql, number)
    if not rows:
        return None
    end = JournalEnd(*rows[0])
    check_uint(end.events, 63, "events")
    check_uint(end.next_expiry or 0, 63, "next_expiry")
    return end


# --- events and holds -------------------------------------------------------------------------


def read_imported(connection: Connection, asset: Asset) -> Event | None:
    """Return the event that ends what an import brought of `asset`, if there is one."""
    sql = (
        "SELECT number, after_seq, timestamp, type, account_id, hold, details FROM token_events "
        "WHERE asset = ? AND type = ? ORDER BY number LIMIT 1"
    )
    rows = dialect_of(connection).rows(connection, sql, asset.number, IMPORTED)
    return Event(asset.symbol, *rows[0]) if rows else None


def read_kept(
    connection: Connection, asset: Asset, pepper: bytes | None, before: int
) -> dict[int, Hold]:
    """Return the holds with numbers below `before`, by number. Raises FoundError."""
    sql = "SELECT number FROM token_holds WHERE asset = ? AND number < ?"
    rows = dialect_of(connection).rows(connection, sql, asset.number, before)
    return read_holds(connection, asset, pepper, [row[0] for row in rows])


def read_holds(
    connection: Connection, asset: Asset, pepper: bytes | None, numbers: Iterable[int]
) -> dict[int, Hold]:
    """Return those of the holds `numbers` that exist, by number.

    Raises:
        FoundError: naming the row that cannot even be read.
    """
    wanted = sorted(numbers)
    if not wanted:
        return {}
    condition = dialect_of(connection).any_of("h.number")
    values = dialect_of(connection).values(wanted)
    rest = f"WHERE h.asset = ? AND {condition}"
    try:
        with readable("token_holds"):
            found = hold_store.select_holds(connection, [asset], pepper, rest, asset.number, values)
    except FoundError:
        return _one_by_one(connection, asset, pepper, wanted)
    return {hold.number: hold for hold in found}


def _one_by_one(
    connection: Connection, asset: Asset, pepper: bytes | None, numbers: Iterable[int]
) -> dict[int, Hold]:
    """Return holds read alone, so that the one that cannot be read is named."""
    found: dict[int, Hold] = {}
    for number in numbers:
        with readable("token_holds", f"{asset.symbol}/{number}"):
            rest = "WHERE h.asset = ? AND h.number = ?"
            holds = hold_store.select_holds(connection, [asset], pepper, rest, asset.number, number)
            found |= {hold.number: hold for hold in holds}
    return found


def pending_numbers(connection: Connection, asset: Asset) -> list[int]:
    """Return the numbers of the holds that are stored as pending."""
    sql = "SELECT number FROM token_holds WHERE asset = ? AND state = 'pending' ORDER BY number"
    return [row[0] for row in dialect_of(connection).rows(connection, sql, asset.number)]


def stray_hold(connection: Connection, asset: Asset) -> int | None:
    """Return the number of a hold that no event made."""
    sql = (
        "SELECT h.number FROM token_holds h LEFT JOIN token_events e ON e.asset = h.asset "
        "AND e.number = h.number AND e.type = 'hold_created' "
        "WHERE h.asset = ? AND e.number IS NULL ORDER BY h.number LIMIT 1"
    )
    rows = dialect_of(connection).rows(connection, sql, asset.number)
    return rows[0][0] if rows else None


def read_volume(connection: Connection, asset: Asset) -> dict[int, tuple[object, object]]:
    """Return by hour (entries, amount) as stored."""
    sql = "SELECT hour, entries, amount FROM token_volume WHERE asset = ? ORDER BY hour"
    rows = dialect_of(connection).rows(connection, sql, asset.number)
    return {hour: (entries, amount) for hour, entries, amount in rows}


# --- entries -----------------------------------------------------------------------------------


def read_rows(connection: Connection, asset: Asset, after: int, most: int) -> list[Row]:
    """Return at most `most` rows of entries after `after`, with the columns of `row_checks`."""
    dialect = dialect_of(connection)
    columns = ", ".join(dialect.amount_of(c) if c in _AMOUNTS else c for c in ROW_COLUMNS)
    sql = f"SELECT {columns} FROM token_ledger WHERE asset = ? AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 (our own names)
    return dialect.rows(connection, sql, asset.number, after, most)


def read_usable(connection: Connection, account_ids: Iterable[str]) -> dict[str, bytes]:
    """Return the addresses of those of `account_ids` that exist, as far as they are `usable`."""
    dialect = dialect_of(connection)
    sql = f"SELECT account_id, address FROM token_accounts WHERE {dialect.any_of('account_id')}"  # noqa: S608 (constant)
    rows = dialect.rows(connection, sql, dialect.values(account_ids))
    return {account_id: address for account_id, address in rows if usable(account_id, address)}


def read_originals(
    connection: Connection, asset: Asset, wanted: Iterable[bytes]
) -> dict[bytes, Original]:
    """Return by id what reversals name, as far as it is in the journal of `asset`."""
    dialect = dialect_of(connection)
    found: dict[bytes, Original] = {}
    for part in _parts(wanted):
        marks = ", ".join("?" * len(part))
        sql = (
            "SELECT id, seq, from_account, to_account, amount, group_id FROM token_ledger "  # noqa: S608 (constant)
            f"WHERE asset = ? AND id IN ({marks})"
        )
        for id_, seq, from_account, to_account, amount, group in dialect.rows(
            connection, sql, asset.number, *part
        ):
            found[bytes(id_)] = Original(
                seq,
                from_account,
                to_account,
                dialect.to_amount(amount),
                bytes(ZERO_HASH if group is None else group),
            )
    return found


def _parts(wanted: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Return ids in lists that one query takes."""
    left = iter(wanted)
    while part := [bytes(each) for each in islice(left, _MARKS)]:
        yield part


def same_cause(connection: Connection) -> tuple[int, int] | None:
    """Return (asset number, seq) of an entry with the cause of an earlier one, if one has.

    That is two reversals of one entry, or two entries read from one log.
    """
    for condition in ("kind = 'reversal'", "origin = 'chain'"):
        sql = (
            f"SELECT asset, seq FROM token_ledger WHERE {condition} AND cause IN "  # noqa: S608 (constants)
            f"(SELECT cause FROM token_ledger WHERE {condition} GROUP BY cause "
            "HAVING count(*) > 1) ORDER BY asset DESC, seq DESC LIMIT 1"
        )
        for asset, seq in dialect_of(connection).rows(connection, sql):
            return asset, seq
    return None


# --- accounts ----------------------------------------------------------------------------------


def unknown_account(connection: Connection) -> tuple[int, str] | None:
    """Return (number, account) of the first event about an account that does not exist."""
    sql = (
        "SELECT e.asset, e.number, e.account_id FROM token_events e LEFT JOIN token_accounts a "
        "ON a.account_id = e.account_id WHERE e.asset = 0 AND a.account_id IS NULL "
        "ORDER BY e.number LIMIT 1"
    )
    rows = dialect_of(connection).rows(connection, sql)
    return (rows[0][1], rows[0][2]) if rows else None


def count_accounts(connection: Connection) -> int:
    """Return how many accounts there are."""
    rows = dialect_of(connection).rows(connection, "SELECT count(*) FROM token_accounts")
    return int(rows[0][0])


def not_created_once(connection: Connection) -> tuple[str, int] | None:
    """Return (account, how often) of the first account that has not one event of its creation."""
    sql = (
        "SELECT a.account_id, COALESCE(e.made, 0) FROM token_accounts a LEFT JOIN "
        "(SELECT account_id, count(*) AS made FROM token_events WHERE asset = 0 "
        "AND type = 'account_created' GROUP BY account_id) e ON e.account_id = a.account_id "
        "WHERE COALESCE(e.made, 0) <> 1 ORDER BY a.account_id LIMIT 1"
    )
    rows = dialect_of(connection).rows(connection, sql)
    return (rows[0][0], rows[0][1]) if rows else None


def not_open(connection: Connection) -> dict[str, str]:
    """Return the status of every account that is not open."""
    sql = "SELECT account_id, status FROM token_accounts WHERE status <> 'open'"
    return dict(dialect_of(connection).rows(connection, sql))
