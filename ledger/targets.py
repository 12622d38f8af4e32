"""What requests name by id, found before the lock: entries with their groups, and holds.

An entry never changes, and neither do a hold's asset and accounts: what is read here decides only
which journals are locked. What may change is read again under the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger import hold_store, store
from ledger.errors import NotFoundError
from ledger.model import ZERO_HASH
from ledger.reads import find_entry, first_seq_since
from ledger.requests import PostHold, Reverse, VoidHold
from ledger.rules import MAX_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from ledger.model import Hash32
    from ledger.requests import Item
    from ledger.results import Asset, Entry
    from ledger.rules import Target


def find_targets(
    connection: Connection, assets: Mapping[str, Asset], pepper: bytes | None, items: Iterable[Item]
) -> dict[Hash32, Target]:
    """Return by id what `items` name and what exists."""
    entries = [item.entry for item in items if isinstance(item, Reverse)]
    named = {item.hold for item in items if isinstance(item, PostHold | VoidHold)}
    holds = hold_store.find_holds(connection, assets.values(), pepper, sorted(named))
    found: dict[Hash32, Target] = {hold.id: hold for hold in holds}
    for id_ in entries:
        target = with_group(connection, assets, pepper, id_)
        if target:
            found[id_] = target
    return found


def with_group(
    connection: Connection, assets: Mapping[str, Asset], pepper: bytes | None, id_: Hash32
) -> tuple[Entry, ...]:
    """Return the entry with that id and the rest of its group, in order; none if there is none."""
    try:
        entry = find_entry(connection, assets.values(), pepper, id_)
    except NotFoundError:
        return ()
    if entry.group == ZERO_HASH:
        return (entry,)
    return tuple(
        each for asset in assets.values() for each in _of_group(connection, asset, pepper, entry)
    )


def _of_group(
    connection: Connection, asset: Asset, pepper: bytes | None, entry: Entry
) -> list[Entry]:
    """Return the entries of one asset in the group of `entry`: a run that shares its time."""
    last = store.read_head(connection, asset.number).seq
    first = first_seq_since(connection, asset, last, entry.timestamp)
    rest = "AND e.seq BETWEEN ? AND ? AND e.timestamp = ? ORDER BY e.seq"
    found = store.select_entries(
        connection, asset, pepper, rest, first, first + MAX_GROUP - 1, entry.timestamp
    )
    return [each for each in found if each.group == entry.group]
