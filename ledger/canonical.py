"""What an idempotency key stands for: the canonical request, hashed. Values only."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from ledger.hashing import keccak
from ledger.requests import (
    Group,
    Movement,
    OpenAccount,
    PlaceHold,
    PostHold,
    VoidHold,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.model import Hash32
    from ledger.requests import Reverse

Keyed = Movement | Group | OpenAccount | PlaceHold | PostHold | VoidHold
"""What a key can stand for; a reversal stands as the movements that it makes."""


def request_hash(item: Keyed, assets: Sequence[str]) -> bytes:
    """Return keccak of the canonical request, without its key; `assets` are the resolved symbols.

    Words joined by NUL, which no word can hold, and as many for every movement, have one reading:
    two different requests cannot collide. The movements of a group count in the order of their
    assets' symbols, and within an asset in theirs: that is all that the entries keep, so an
    import can rebuild the hash from them.
    """
    if isinstance(item, Movement):
        words = ["entry", *_movement_words(item, assets[0])]
    elif isinstance(item, OpenAccount):
        words = _account_words(item, assets)
    elif isinstance(item, Group):
        pairs = sorted(zip(assets, item.movements, strict=True), key=itemgetter(0))
        words = ["group"]
        for symbol, movement in pairs:
            words += _movement_words(movement, symbol)
    elif isinstance(item, PlaceHold):
        held = [item.account_id, item.to_account, str(item.amount), str(item.expiry)]
        words = ["hold", assets[0], *held, *_texts(item)]
    elif isinstance(item, PostHold):
        part = "-" if item.amount is None else str(item.amount)
        rest = "keep" if item.keep_rest else "release"
        words = ["post hold", item.hold.hex(), part, rest, item.to_account, *_texts(item)]
    else:
        words = ["void hold", item.hold.hex()]
    return _hashed(words)


def imported_hash(entry_id: Hash32) -> bytes:
    """Return what stands for a request that no entry keeps whole, so that nothing repeats it."""
    return _hashed(["imported", entry_id.hex()])


def once_hash(request: str) -> bytes:
    """Return what stands for a request that is no item: what the caller says of it."""
    return _hashed(["once", request])


def spent_hash(key: str) -> bytes:
    """Return what stands for the request of a hold that is resolved and was not imported."""
    return _hashed(["spent", key])


def _hashed(words: Sequence[str]) -> bytes:
    """Return keccak of the words."""
    return keccak("\x00".join(words).encode())


def _account_words(item: OpenAccount, assets: Sequence[str]) -> list[str]:
    """Return the creation of an account, as text in a fixed order."""
    initial = "-" if item.initial_balance is None else str(item.initial_balance)
    words = ["account", item.account_id, initial, *assets]
    if item.address is None or item.link is None:
        return words
    return ["given address", item.address.hex(), item.link.scheme, *words]


def _movement_words(movement: Movement, symbol: str) -> list[str]:
    """Return every field of `movement` but its key, as text in a fixed order."""
    return [
        symbol,
        movement.from_account,
        movement.to_account,
        str(movement.amount),
        *_texts(movement),
        movement.kind,
        movement.cause.hex(),
    ]


def _texts(item: Movement | PlaceHold | PostHold | Reverse) -> list[str]:
    """Return the words that an entry carries."""
    return [item.reason, item.reference_type, item.reference_id, item.memo]
