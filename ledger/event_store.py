"""Rows of events, in and out. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.dialects import dialect_of
from ledger.locked import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from ledger.dialects import Row

EVENT_COLUMNS = (
    "asset", "number", "after_seq", "timestamp", "type", "account_id", "hold", "details",
)  # fmt: skip


def event_row(event: Event, numbers: Mapping[str, int]) -> Row:
    """Return the row that an event is."""
    return (numbers[event.symbol], *event[1:])


def write_events(
    connection: Connection, events: Iterable[Event], numbers: Mapping[str, int]
) -> None:
    """Insert events."""
    rows = (event_row(event, numbers) for event in events)
    dialect_of(connection).insert(connection, "token_events", EVENT_COLUMNS, rows)


def read_events(
    connection: Connection, number: int, symbol: str, after: int, most: int
) -> list[Event]:
    """Return at most `most` events of an asset (number 0: of the accounts) after `after`."""
    sql = (
        "SELECT number, after_seq, timestamp, type, account_id, hold, details FROM token_events "
        "WHERE asset = ? AND number > ? ORDER BY number LIMIT ?"
    )
    rows = dialect_of(connection).rows(connection, sql, number, after, most)
    return [Event(symbol, *row) for row in rows]


def read_event(connection: Connection, number: int, place: int) -> Row | None:
    """Return the row of event `place` of an asset, or None."""
    sql = f"SELECT {', '.join(EVENT_COLUMNS)} FROM token_events WHERE asset = ? AND number = ?"  # noqa: S608 (constant)
    return next(iter(dialect_of(connection).rows(connection, sql, number, place)), None)


def write_created(connection: Connection) -> None:
    """Make the events of accounts that were written without: those of a new ledger or an import.

    One for the creation of each, then one for each that is not open, at the time of the last.
    """
    dialect = dialect_of(connection)
    dialect.run(
        connection,
        "INSERT INTO token_events "
        "(asset, number, after_seq, timestamp, type, account_id, details) "
        "SELECT 0, row_number() OVER (ORDER BY created_at, account_id), 0, created_at, "
        "'account_created', account_id, '{}' FROM token_accounts",
    )
    dialect.run(
        connection,
        "INSERT INTO token_events "
        "(asset, number, after_seq, timestamp, type, account_id, details) "
        "SELECT 0, (SELECT count(*) FROM token_accounts) "
        "+ row_number() OVER (ORDER BY account_id), "
        "0, (SELECT max(created_at) FROM token_accounts), 'account_' || status, account_id, '{}' "
        "FROM token_accounts WHERE status <> 'open'",
    )
    dialect.run(
        connection,
        "UPDATE token_journals SET events = (SELECT count(*) FROM token_events WHERE asset = 0), "
        "last_time = (SELECT max(timestamp) FROM token_events WHERE asset = 0) WHERE asset = 0",
    )
