"""Requests as Hypothesis draws them: good and bad, of few accounts, small amounts and few keys.

What a request names by id, and when a hold expires, is known only when it is sent. So a drawn id
is a number in 32 bytes, which counts back from the newest entry or hold, and a drawn expiry is an
instant after 1970, which counts from the clock. `settle` makes the request meant of it.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from ledger import (
    ISSUER,
    MAX_AMOUNT,
    Address,
    Group,
    Hash32,
    Kind,
    Link,
    LinkScheme,
    Movement,
    OpenAccount,
)
from ledger.model import Status
from ledger.requests import PlaceHold, PostHold, Reverse, SetLimits, SetStatus, VoidHold
from tests.oracle.model import EPOCH, Model

if TYPE_CHECKING:
    from ledger.requests import Item

NAMED: Final = ("a", "b", "c")
UNKNOWN: Final = 40
"""A drawn id of at least this much is nobody's."""

OPERATOR: Final = Link(LinkScheme.OPERATOR)


def often(*weighted: tuple[int, Any]) -> st.SearchStrategy[Any]:
    """Draw values, each as often as its weight says."""
    values = [value for weight, value in weighted for _ in range(weight)]
    return st.integers(0, len(values) - 1).map(lambda place: values[place])


names = often((5, "a"), (4, "b"), (3, "c"), (2, "d"), (1, "e"))
new_names = often((1, "a"), (3, "d"), (4, "e"), (4, "f"))
sides = often((6, "a"), (5, "b"), (4, "c"), (2, ISSUER), (1, "d"), (1, "e"))
few = st.integers(1, 12)
amounts = st.one_of(
    few, few, few, st.integers(0, 2), st.integers(0, 130),
    st.sampled_from([MAX_AMOUNT, MAX_AMOUNT - 100, 2**255]),
)  # fmt: skip
parts = st.one_of(st.none(), st.none(), few, few, amounts)
limits = st.one_of(st.none(), st.integers(0, 8), st.integers(0, 8), st.integers(0, 200))
symbols = often((1, None), (12, "SCI"), (6, "EUR"), (1, "NO"))
of_groups = often((60, "SCI"), (50, "EUR"), (3, None), (1, "NO"))
words = often((3, ""), (1, "r"), (1, "s"))
keys = often((12, ""), (1, "k"), (1, "l"), (1, "m"), (1, "n"))
numbers = st.integers(0, 15).map(lambda n: Hash32((n % 15).to_bytes(32, "big")))
ids = st.one_of(numbers, numbers, numbers, st.just(Hash32(UNKNOWN.to_bytes(32, "big"))))
instants = st.one_of(
    st.none(), st.integers(1, 7).map(lambda n: EPOCH + timedelta(microseconds=n)),
    st.sampled_from([EPOCH + timedelta(seconds=n) for n in (1, 2, 3)]),
)  # fmt: skip
"""From the very microsecond of the clock to three seconds after it."""
causes = st.integers(1, 4).map(lambda n: Hash32(n.to_bytes(32, "big")))


def transfers(amount: Any, asset: Any, key: Any) -> st.SearchStrategy[Movement]:  # noqa: ANN401 (strategies)
    """Draw movements of every kind that callers may post."""
    plain = st.builds(
        Movement, sides, sides, amount, asset, words, words, memo=words, idempotency_key=key
    )
    kind, zero = st.just(Kind.CHAIN), st.one_of(amount, st.just(0))
    read = st.builds(
        Movement, sides, sides, zero, asset, kind=kind, cause=causes, idempotency_key=key
    )
    return st.one_of(plain, plain, plain, read)


movements = transfers(amounts, symbols, keys)
members = transfers(st.one_of(few, few, few, amounts), of_groups, st.just(""))
groups = st.one_of(
    st.builds(Group, st.tuples(members, members), keys),
    st.builds(Group, st.lists(members, max_size=4).map(tuple), keys),
)
given_addresses = st.integers(1, 3).map(lambda n: Address(bytes([n]) * 20))
accounts = st.one_of(
    st.builds(OpenAccount, new_names, st.one_of(st.none(), amounts, st.just(0)), symbols, keys),
    st.builds(
        OpenAccount, new_names, st.one_of(st.none(), st.just(0)), symbols, keys, given_addresses,
        st.just(OPERATOR),
    ),
)  # fmt: skip
holds = st.builds(
    PlaceHold, names, amounts, st.one_of(st.just(""), sides), symbols, instants, words, words,
    memo=words, idempotency_key=keys,
)  # fmt: skip
receivers = st.one_of(st.just(""), st.just(""), sides)
posted_holds = st.one_of(
    st.builds(
        PostHold, ids, st.none(), to_account=receivers, reason=words, memo=words,
        idempotency_key=keys,
    ),
    st.builds(
        PostHold, ids, st.one_of(few, amounts), st.booleans(), receivers, words,
        idempotency_key=keys,
    ),
)  # fmt: skip
voided_holds = st.builds(VoidHold, ids, keys)
reversals = st.one_of(
    st.builds(Reverse, ids, parts, memo=words, idempotency_key=keys),
    st.builds(Reverse, ids, whole_group=st.just(value=True), idempotency_key=keys),
)
statuses = st.builds(
    SetStatus, names, often((3, Status.OPEN), (1, Status.FROZEN), (2, Status.CLOSED))
)
limited = st.builds(SetLimits, names, symbols, limits, limits)
resolutions = st.one_of(posted_holds, posted_holds, voided_holds)

items = st.one_of(
    movements, movements, groups, accounts, holds, holds, resolutions, reversals, statuses, limited
)


def settle(item: Item, model: Model) -> Item:
    """Return the request that a drawn one means now."""
    if isinstance(item, PostHold | VoidHold):
        return replace(item, hold=_meant(item.hold, list(model.hold_ids)))
    if isinstance(item, Reverse):
        return replace(item, entry=_meant(item.entry, list(model.entry_ids)))
    if isinstance(item, PlaceHold) and item.expires_at is not None:
        since = item.expires_at - EPOCH - timedelta(microseconds=1)
        item = replace(item, expires_at=EPOCH + timedelta(microseconds=model.clock) + since)
    if isinstance(item, Group):
        return replace(item, movements=tuple(_existing(it, model) for it in item.movements))
    settled: Item = _existing(item, model)
    return settled


def _existing(item: Any, model: Model) -> Any:  # noqa: ANN401 (any request, whose kind it keeps)
    """Return a request for the second asset as one for the first, until there are two."""
    if getattr(item, "asset", None) == "EUR" and "EUR" not in model.assets:
        return replace(item, asset="SCI")
    return item


def _meant(drawn: Hash32, known: list[Hash32]) -> Hash32:
    """Return the id that a drawn number means: counted from the newest, or nobody's."""
    number = int.from_bytes(drawn, "big")
    if number >= UNKNOWN or not known:
        return Hash32(b"\xff" * 32)
    return known[-1 - number % len(known)]


def altered(item: Item) -> Item:
    """Return another request with the same key: one that differs in one word or amount."""
    if isinstance(item, Group):
        return replace(item, movements=(*item.movements, Movement("a", "b", 1, "SCI")))
    if isinstance(item, OpenAccount):
        return replace(item, account_id=item.account_id + "2")
    if isinstance(item, VoidHold):
        return replace(item, hold=Hash32(b"\xfe" * 32))
    changed: dict[str, Any] = {"memo": "other"}
    names_of_fields = {field.name for field in fields(item)}
    return replace(item, **changed) if changed.keys() <= names_of_fields else item
