"""What requests need to be read and locked before they can be decided. Values only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.locked import ACCOUNTS
from ledger.model import ISSUER
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
    from collections.abc import Iterable, Mapping

    from ledger.model import Hash32


@dataclass(slots=True)
class Needs:
    """What a run of items asks about, gathered in one pass."""

    places: dict[str | None, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By asset (None for the ledger's only one), the accounts whose balances they touch."""
    named: set[str] = field(default_factory=set)
    """Accounts that they create or whose status they change."""
    creates: bool = False
    """Whether an account is created, which is a change in the accounts' stream."""
    changes_status: bool = False
    """Whether an account's status changes, which concerns every asset."""

    def journals(self, known: Iterable[str]) -> tuple[str, ...]:
        """Return the journals to lock, of the assets `known`; sorted, as they are locked."""
        everything = set(known)
        if self.changes_status:
            return (ACCOUNTS, *sorted(everything))
        wanted = {symbol for symbol in self.places if symbol is not None and symbol in everything}
        if None in self.places and len(everything) == 1:
            wanted |= everything
        if self.creates:
            wanted.add(ACCOUNTS)
        return tuple(sorted(wanted))

    def accounts(self) -> set[str]:
        """Return every account that the items name, and the issuer."""
        return self.named.union({ISSUER}, *self.places.values())

    def of(self, symbol: str) -> set[str]:
        """Return the accounts whose balances of an asset are read."""
        everywhere = self.named if self.changes_status else set()
        return self.places.get(symbol, set()) | self.places.get(None, set()) | everywhere

    def _touch(self, asset: str | None, *account_ids: str) -> None:
        """Remember balances of an asset."""
        self.places[asset].update(account_ids)

    def add(self, item: Item, targets: Mapping[Hash32, Target]) -> None:
        """Remember what the decision on `item` asks about."""
        if isinstance(item, Movement | Group | OpenAccount):
            for movement in movements_of(item):
                self._touch(movement.asset, movement.from_account, movement.to_account)
            if isinstance(item, OpenAccount):
                self.named.add(item.account_id)
                self.creates = True
        elif isinstance(item, PlaceHold):
            self._touch(item.asset, *filter(None, (item.account_id, item.to_account)))
        elif isinstance(item, SetLimits):
            self._touch(item.asset, item.account_id)
        elif isinstance(item, SetStatus):
            self.named.add(item.account_id)
            self.changes_status = True
        else:
            self._add_target(item, targets)

    def _add_target(
        self, item: PostHold | VoidHold | Reverse, targets: Mapping[Hash32, Target]
    ) -> None:
        """Remember the balances of what `item` names by id."""
        target = targets.get(item.entry if isinstance(item, Reverse) else item.hold, ())
        if isinstance(target, Hold):
            named = item.to_account if isinstance(item, PostHold) else ""
            accounts = (target.account_id, target.to_account, named)
            self._touch(target.asset, *filter(None, accounts))
            return
        for entry in target:
            self._touch(entry.asset, entry.from_account, entry.to_account)


def needs_of(items: Iterable[Item], targets: Mapping[Hash32, Target]) -> Needs:
    """Return what `items` ask about."""
    needs = Needs()
    places = needs.places
    for item in items:
        if type(item) is Movement:  # the hot path
            accounts = places[item.asset]
            accounts.add(item.from_account)
            accounts.add(item.to_account)
        else:
            needs.add(item, targets)
    return needs


def target_of(item: Item) -> Hash32 | None:
    """Return the id of what `item` names by id, if it does."""
    if isinstance(item, PostHold | VoidHold):
        return item.hold
    return item.entry if isinstance(item, Reverse) else None


def weight_of(item: Item) -> int:
    """Return how many entries `item` makes at most; at least 1, for what else it writes."""
    if isinstance(item, Group):
        return max(1, len(item.movements))
    if isinstance(item, Reverse) and item.whole_group:
        return MAX_GROUP
    return 1
