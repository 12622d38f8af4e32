"""Reversals: a new entry that undoes an old one and links to it. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import NotFoundError, RefusedError, Rule
from ledger.model import ZERO_HASH, Kind
from ledger.requests import Group, Movement, caused
from ledger.results import Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.locked import Locked
    from ledger.requests import Reverse
    from ledger.results import Entry


def reverse(locked: Locked, item: Reverse, old: Sequence[Entry]) -> Receipt:
    """Undo `old`, an entry or its whole group, in one posting.

    Raises as a transfer, and UNKNOWN_ENTRY, GROUP_WHOLE, ENTRY_REVERSED, ABOVE_ENTRY.
    """
    movements = reversal_of(item, old)
    for entry in old:
        if bytes(entry.id) in locked.reversed:
            raise RefusedError(
                Rule.ENTRY_REVERSED, f"entry {entry.asset}/{entry.seq} has been reversed"
            )
    if item.amount is not None and item.amount > old[0].amount:
        raise RefusedError(
            Rule.ABOVE_ENTRY, f"the entry is of {old[0].amount} base units, not {item.amount}"
        )
    symbols = [entry.asset for entry in reversed(old)]
    entries = locked.post(movements, symbols, item.idempotency_key)
    locked.reversed.update(bytes(entry.id) for entry in old)
    return Receipt(entries)


def reversal_of(item: Reverse, old: Sequence[Entry]) -> list[Movement]:
    """Return the movements that undo `old`, the last one first, so that balances allow it.

    Raises:
        NotFoundError: UNKNOWN_ENTRY.
        RefusedError: GROUP_WHOLE.
    """
    if not old:
        raise NotFoundError(Rule.UNKNOWN_ENTRY, f"no entry {item.entry}")
    if old[0].group != ZERO_HASH and not item.whole_group:
        raise RefusedError(
            Rule.GROUP_WHOLE,
            "the entry belongs to a group; reverse the whole group (whole_group) or nothing",
        )
    return [
        caused(
            Movement(
                entry.to_account,
                entry.from_account,
                entry.amount if item.amount is None else item.amount,
                entry.asset,
                item.reason,
                item.reference_type,
                item.reference_id,
                item.memo,
            ),
            Kind.REVERSAL,
            entry.id,
        )
        for entry in reversed(old)
    ]


def canonical_of(item: Reverse, old: Sequence[Entry]) -> Movement | Group:
    """Return what a reversal's key stands for: what its entries keep of it. Raises as above."""
    movements = reversal_of(item, old)
    return movements[0] if len(movements) == 1 else Group(tuple(movements))
