"""The decision: given what is stored and one request, what is posted or which rule refuses it.

Values only. What each kind of request may do is in `account_rules`, `hold_rules`,
`reversal_rules` and `locked`; here is what all of them share: the key first, the refusal last.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.account_rules import endowments, open_account, set_limits, set_status
from ledger.amounts import check_uint
from ledger.canonical import request_hash
from ledger.errors import RefusedError, Rule
from ledger.hold_rules import place_hold, post_hold, void_hold
from ledger.locked import Locked
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
from ledger.results import Entry, Hold, Receipt
from ledger.reversal_rules import canonical_of, reverse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ledger.canonical import Keyed
    from ledger.model import Hash32

MAX_GROUP = 1_000
"""Entries in a group."""

_RULES: Final[dict[type, Callable[[Locked, Any], Receipt]]] = {
    PlaceHold: place_hold,
    PostHold: post_hold,
    VoidHold: void_hold,
    SetStatus: set_status,
    SetLimits: set_limits,
}
"""What decides the items that need nothing but what was read."""

MAX_CLOCK_AHEAD = 60_000_000
"""Microseconds that a caller's clock may be ahead of the database's."""

Target = Hold | tuple[Entry, ...]
"""What a request names by id: a hold, or an entry with the rest of its group, in order."""


class KeyState(NamedTuple):
    """What an idempotency key made, and for which request."""

    request: bytes
    receipt: Receipt


@dataclass(slots=True)
class Decisions(Locked):
    """Decides item after item on what was read under the lock."""

    keys: dict[str, KeyState] = field(default_factory=dict)
    new_keys: dict[str, KeyState] = field(default_factory=dict)
    targets: Mapping[Hash32, Target] = field(default_factory=dict)
    """What the requests name by id, by that id."""
    decided: bool = False
    """Whether any item made something: if none did, nothing is written."""

    def decide(self, item: Item, at: int | None = None) -> Receipt | RefusedError:
        """Return what `item` makes, or the refusal; only what it makes changes this state.

        `at` is when it happened, for an import; by default it happens now.
        """
        try:
            return self._decided(item, at)
        except RefusedError as refusal:
            return refusal

    def _decided(self, item: Item, at: int | None) -> Receipt:
        """Check the rules in their order; the first that applies refuses."""
        key = item.idempotency_key
        if key in self.keys:
            return self._repeated(item)
        receipt = self._made(item, at)
        self.decided = True
        if key:
            request = request_hash(*self._canonical(item, receipt))
            self.keys[key] = self.new_keys[key] = KeyState(request, receipt)
        return receipt

    def _made(self, item: Item, at: int | None) -> Receipt:
        """Do what `item` asks, by the rules of its kind."""
        if isinstance(item, Movement):
            return Receipt(self.post([item], [self.symbol(item.asset)], item.idempotency_key, at))
        if isinstance(item, Group):
            symbols = [self.symbol(movement.asset) for movement in item.movements]
            _check_group(item)
            return Receipt(self.post(item.movements, symbols, item.idempotency_key, at))
        if isinstance(item, OpenAccount):
            return open_account(self, item, at)
        if isinstance(item, Reverse):
            return reverse(self, item, self._entries(item))
        return _RULES[type(item)](self, item)

    def _repeated(self, item: Item) -> Receipt:
        """Return the first result of the key, marked, if the request is the same."""
        key = item.idempotency_key
        known = self.keys[key]
        try:
            request = request_hash(*self._canonical(item, known.receipt))
        except RefusedError:  # it reverses what cannot be reversed: it never made anything
            request = b""
        if known.request != request:
            raise RefusedError(
                Rule.KEY_REUSED, f"key {key!r} was used for another request; choose a new key"
            )
        entries = tuple(replace(entry, repeated=True) for entry in known.receipt.entries)
        return replace(known.receipt, entries=entries, repeated=True)

    def _canonical(self, item: Item, receipt: Receipt) -> tuple[Keyed, Sequence[str]]:
        """Return what is hashed for a key: the request, and the asset of each of its movements.

        A request without an asset means that of its first time, whatever assets there are now.
        """
        if isinstance(item, Reverse):
            item = canonical_of(item, self._entries(item))
        if isinstance(item, SetStatus | SetLimits):
            raise TypeError("a change of status or limits has no key")
        if isinstance(item, PostHold | VoidHold):
            return item, ()
        then = receipt.entries[0].asset if receipt.entries else ""
        if isinstance(item, PlaceHold):
            then = receipt.hold.asset if receipt.hold else ""
            return item, (then if item.asset is None else item.asset,)
        return item, [then if m.asset is None else m.asset for m in movements_of(item)]

    def _entries(self, item: Reverse) -> tuple[Entry, ...]:
        """Return the entries that a reversal names."""
        target = self.targets.get(item.entry, ())
        return target if isinstance(target, tuple) else ()


def movements_of(item: Movement | Group | OpenAccount) -> Sequence[Movement]:
    """Return the movements that `item` asks for (an account's endowment counts, unless zero)."""
    if isinstance(item, Movement):
        return (item,)
    if isinstance(item, Group):
        return item.movements
    return endowments(item)


def check_clock(now: int, database_now: int) -> int:
    """Return `now` if it is not too far ahead of the database's clock.

    Raises:
        FieldError: the clock gave something else than microseconds.
        RefusedError: CLOCK_AHEAD; one bad host would otherwise move time for all.
    """
    if check_uint(now, 63, "clock") > database_now + MAX_CLOCK_AHEAD:
        ahead = (now - database_now) / 1e6
        raise RefusedError(
            Rule.CLOCK_AHEAD, f"this clock is {ahead:.0f} s ahead of the database's; set it right"
        )
    return now


def _check_group(group: Group) -> None:
    """Refuse a group of no entries or too many."""
    if not group.movements:
        raise RefusedError(Rule.GROUP_EMPTY, "a group needs at least one movement")
    if len(group.movements) > MAX_GROUP:
        raise RefusedError(
            Rule.GROUP_TOO_LARGE, f"a group has at most {MAX_GROUP} movements; cut it"
        )
