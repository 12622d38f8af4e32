"""What a request needs to be read and locked before it can be decided. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledger.locked import ACCOUNTS
from ledger.requests import (
    Group,
    Item,
    Movement,
    OpenAccount,
    PlaceHold,
    PostHold,
    Reverse,
    SetLimits,
    SetStatus,
    VoidHold,
)
from ledger.results import Hold
from ledger.rules import MAX_GROUP, Target, movements_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ledger.model import Hash32


class Needed(NamedTuple):
    """One balance that an item asks about: an asset (None for the only one) and an account."""

    asset: str | None
    account_id: str


def target_of(item: Item) -> Hash32 | None:
    """Return the id of what `item` names by id, if it does."""
    if isinstance(item, PostHold | VoidHold):
        return item.hold
    return item.entry if isinstance(item, Reverse) else None


def weight_of(item: Item) -> int:
    """Return how many entries `item` makes at most; at least 1, for what else it writes."""
    if isinstance(item, Movement):
        return 1
    if isinstance(item, Group):
        return max(1, len(item.movements))
    if isinstance(item, Reverse) and item.whole_group:
        return MAX_GROUP
    return 1


def needs_of(item: Item, targets: Mapping[Hash32, Target]) -> Iterator[Needed]:
    """Yield every balance that the decision on `item` asks about."""
    if isinstance(item, Movement | Group | OpenAccount):
        for movement in movements_of(item):
            yield Needed(movement.asset, movement.from_account)
            yield Needed(movement.asset, movement.to_account)
    elif isinstance(item, PlaceHold):
        yield Needed(item.asset, item.account_id)
        if item.to_account:
            yield Needed(item.asset, item.to_account)
    elif isinstance(item, SetLimits):
        yield Needed(item.asset, item.account_id)
    elif isinstance(item, PostHold | VoidHold | Reverse):
        yield from _of_target(item, targets)


def _of_target(
    item: PostHold | VoidHold | Reverse, targets: Mapping[Hash32, Target]
) -> Iterator[Needed]:
    """Yield the balances of what `item` names by id."""
    named = target_of(item)
    target = targets.get(named, ()) if named is not None else ()
    if isinstance(target, Hold):
        yield Needed(target.asset, target.account_id)
        named_to = item.to_account if isinstance(item, PostHold) else ""
        for account_id in {target.to_account, named_to} - {""}:
            yield Needed(target.asset, account_id)
        return
    for entry in target:
        yield Needed(entry.asset, entry.from_account)
        yield Needed(entry.asset, entry.to_account)


def symbols_of(
    items: Iterable[Item], targets: Mapping[Hash32, Target], known: Iterable[str]
) -> tuple[str, ...]:
    """Return the journals that `items` need, of those `known`; sorted, as they are locked.

    Creating an account needs the stream of account changes; a change of status needs all.
    """
    everything = set(known)
    only = next(iter(everything)) if len(everything) == 1 else None
    wanted: set[str] = set()
    for item in items:
        if isinstance(item, SetStatus):
            return tuple(sorted(everything | {ACCOUNTS}))
        if isinstance(item, OpenAccount):
            wanted.add(ACCOUNTS)
        for need in needs_of(item, targets):
            symbol = only if need.asset is None else need.asset
            if symbol in everything:
                wanted.add(str(symbol))
    return tuple(sorted(wanted))


def assets_of(items: Iterable[Item], targets: Mapping[Hash32, Target]) -> set[str]:
    """Return every asset that the items name."""
    return {
        need.asset for item in items for need in needs_of(item, targets) if need.asset is not None
    }


def accounts_of(items: Iterable[Item], targets: Mapping[Hash32, Target]) -> set[str]:
    """Return every account that the items name, without the issuer's."""
    named: set[str] = set()
    for item in items:
        if isinstance(item, OpenAccount | SetStatus):
            named.add(item.account_id)
        named.update(need.account_id for need in needs_of(item, targets))
    return named


def names_no_asset(items: Iterable[Item], targets: Mapping[Hash32, Target]) -> bool:
    """Tell whether an item relies on the ledger's having one asset."""
    return any(need.asset is None for item in items for need in needs_of(item, targets))
