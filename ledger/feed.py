"""Reading changes: every entry and event once, whatever writes meanwhile. Changes nothing.

Entries and events are numbered under the lock of their stream's head and committed with it. So
what a head counts is there and stays there, and nothing can appear before it later: the heads are
read first, by one statement, then the rows up to them. An account's creation is told before the
entries that name it, because the accounts' stream is read to its head before any other.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from ledger import store
from ledger.changes import START, Change, ChangeType, Place, Position
from ledger.dialects import dialect_of
from ledger.errors import CorruptError, FieldError
from ledger.event_store import read_events
from ledger.locked import ACCOUNTS_STREAM, Event
from ledger.model import Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from ledger.results import Asset, Entry

MAX_CHANGES = 1_000
"""Changes in a page."""

_AMOUNTS = {"amount", "remaining", "max_debit", "max_balance"}
"""Details that are amounts: stored as decimal text."""


def read_ends(connection: Connection, position: Position) -> dict[int, Place]:
    """Return how far every stream goes now, by one statement.

    Raises:
        FieldError: the position is of another history: it was told of what is not here.
    """
    sql = "SELECT asset, seq, events, head FROM token_journals ORDER BY asset"
    rows = dialect_of(connection).rows(connection, sql)
    ends = {
        int(number): Place(int(seq), int(events), _mark(head) if seq else START.mark)
        for number, seq, events, head in rows
    }
    for number in position.places:
        if not _is_told(connection, number, position.at(number), ends.get(number, START)):
            raise FieldError(
                "after",
                "tells of what this database does not have: was an older copy restored? "
                "start without a cursor",
            )
    return ends


def _is_told(connection: Connection, number: int, told: Place, end: Place) -> bool:
    """Tell whether a place is one that this journal, which goes to `end`, has been at."""
    if told.seq > end.seq or told.number > end.number:
        return False
    if told.seq in {0, end.seq}:
        return told.mark == (end.mark if told.seq else START.mark)
    sql = "SELECT head FROM token_ledger WHERE asset = ? AND seq = ?"
    rows = dialect_of(connection).rows(connection, sql, number, told.seq)
    return [_mark(head) for (head,) in rows] == [told.mark]


def _mark(head: bytes) -> bytes:
    """Return what a place keeps of a head."""
    return bytes(head[: len(START.mark)])


def read_changes(
    connection: Connection,
    pepper: bytes | None,
    position: Position,
    ends: Mapping[int, Place],
    *,
    limit: int,
) -> tuple[list[Change], Position]:
    """Return at most `limit` changes after `position` up to `ends`, and the position after them.

    The accounts come first; then the assets, each in its turn, so that none waits for another
    that never ends.
    """
    assets = {asset.number: asset for asset in store.read_assets(connection).values()}
    changes: list[Change] = []
    for number in _turns(ends, position.stream):
        if position.at(number) == ends[number]:
            continue
        if len(changes) == limit:
            return changes, replace(position, stream=number)
        asset = assets[number] if number else ACCOUNTS_STREAM
        room = limit - len(changes)
        found = _stream(connection, pepper, asset, position, end=ends[number], limit=room)
        changes += found
        position = found[-1].position.settled()
    return changes, position


def _turns(ends: Mapping[int, Place], first: int) -> Sequence[int]:
    """Return the streams in the order in which they are read: the accounts, then from `first`."""
    others = sorted(number for number in ends if number)
    later = [number for number in others if number >= first]
    return [0, *later, *others[: len(others) - len(later)]]


def _stream(
    connection: Connection,
    pepper: bytes | None,
    asset: Asset,
    position: Position,
    *,
    end: Place,
    limit: int,
) -> list[Change]:
    """Return the next changes of one stream: its entries, and its events after the entry named."""
    place = position.at(asset.number)
    rest = "AND e.seq > ? AND e.seq <= ? ORDER BY e.seq LIMIT ?"
    entries = store.select_entries(connection, asset, pepper, rest, place.seq, end.seq, limit)
    events = [
        event
        for event in read_events(connection, asset.number, asset.symbol, place.number, limit)
        if event.number <= end.number
    ]
    told: list[Entry | Event] = [*entries, *events]
    if not told:
        raise CorruptError(f"the stream of {asset.symbol!r} lacks rows; run `evm-ledger audit`")
    holds = _hold_ids(connection, asset, events)
    changes = []
    for it in sorted(told, key=_order)[:limit]:
        if isinstance(it, Event):
            place = place._replace(number=it.number)
            changes.append(_event(it, holds, position.told(asset.number, place)))
        else:
            place = Place(it.seq, place.number, _mark(it.head))
            changes.append(_entry(it, position.told(asset.number, place)))
    return changes


def _order(it: Entry | Event) -> tuple[int, int]:
    """Return where an entry or event comes in its stream: an event after the entry it follows."""
    return (it.after_seq, it.number) if isinstance(it, Event) else (it.seq, 0)


def _entry(entry: Entry, position: Position) -> Change:
    """Return an entry as a change."""
    return Change(entry.asset, ChangeType.ENTRY, entry.timestamp, entry=entry, position=position)


def _event(event: Event, holds: Mapping[int, Hash32], position: Position) -> Change:
    """Return an event as a change."""
    details = json.loads(event.details)
    details.pop("id", None)  # of the hold, which has a field
    return Change(
        event.symbol,
        ChangeType(event.type),
        event.timestamp,
        event.account_id,
        hold=None if event.hold is None else holds[event.hold],
        details={
            name: int(value) if name in _AMOUNTS and value is not None else value
            for name, value in details.items()
        },
        position=position,
    )


def _hold_ids(connection: Connection, asset: Asset, events: Sequence[Event]) -> dict[int, Hash32]:
    """Return the ids of the holds that `events` name by number."""
    numbers = sorted({event.hold for event in events if event.hold is not None})
    if not numbers:
        return {}
    dialect = dialect_of(connection)
    sql = f"SELECT number, id FROM token_holds WHERE asset = ? AND {dialect.any_of('number')}"  # noqa: S608 (constant)
    rows = dialect.rows(connection, sql, asset.number, dialect.values(numbers))
    return {int(number): Hash32(bytes(id_)) for number, id_ in rows}
