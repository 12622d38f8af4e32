"""The tight loop for plain movements makes exactly what the general path makes."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.amounts import MAX_AMOUNT
from ledger.balances import BalanceState
from ledger.errors import RefusedError, Rule
from ledger.locked import HOUR, Journal
from ledger.model import ISSUER, ZERO_ADDRESS, ZERO_HASH, Address, Hash32, Kind, Status
from ledger.plain import STRETCH, decided
from ledger.requests import Group, Movement, OpenAccount, PlaceHold, SetLimits
from ledger.results import Asset, Limits, Receipt
from ledger.rules import Decisions
from ledger.unfrozen import quick
from tests.core.strategies import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.requests import Item

HOURS = 472_222 * HOUR
RICH, POOR, HELD, FULL, SPENT = "rich", "poor", "held", "full", "spent"
BALANCES = {
    RICH: BalanceState(10**30, 10**30, 0, 0),
    POOR: BalanceState(5, 7, 2, 0),
    HELD: BalanceState(100, 100, 0, 95),
    FULL: BalanceState(50, MAX_AMOUNT - 3, MAX_AMOUNT - 53, 0),
    SPENT: BalanceState(50, MAX_AMOUNT - 3, MAX_AMOUNT - 3, 0),
    "frozen": BalanceState(50, 50, 0, 0),
    "closed": BalanceState(0, 0, 0, 0),
    "limited": BalanceState(50, 50, 0, 0),
    ISSUER: BalanceState(10**31, 10**31, 0, 0),
}
NAMES = [*BALANCES, "new", "unknown"]


def locked(now: int = HOURS - 4, *, only: str | None = None) -> Decisions:
    """Return what may have been read under the lock, with accounts near every rule."""
    assets = [
        Asset(n, Hash32(bytes([n] * 32)), symbol, symbol, 18, 5, None, "")
        for n, symbol in enumerate((("ONE", "TWO") if only is None else (only,)), 1)
    ]
    addresses = {name: Address(bytes([n] * 20)) for n, name in enumerate(BALANCES, 1)}
    return Decisions(
        ledger_id=Hash32(bytes(range(32))),
        registrar=ZERO_ADDRESS,
        pepper=Hash32(bytes(range(32, 64))),
        now=now,
        last_time=HOURS - 9,
        journals={
            "": Journal(Asset(0, ZERO_HASH, "", "", 0, 0, None, ""), 0, bytes(32), 0, 0),
            **{each.symbol: Journal(each, 7, bytes(32), 9, HOURS - 9) for each in assets},
        },
        default_asset=only,
        addresses={**addresses, ISSUER: ZERO_ADDRESS},
        taken=set(),
        balances={(a.symbol, name): state for a in assets for name, state in BALANCES.items()},
        statuses={"frozen": Status.FROZEN, "closed": Status.CLOSED},
        limits={(assets[0].symbol, "limited"): Limits(max_debit=5, max_balance=60)},
    )


def plainly(results: Sequence[Receipt | RefusedError]) -> list[object]:
    """Return results so that equal refusals are equal."""
    return [(type(it), it.rule, str(it)) if isinstance(it, RefusedError) else it for it in results]


def check_same(items: Sequence[Item], now: int = HOURS - 4, *, only: str | None = None) -> None:
    """Decide on `items` one by one, and by the loop: nothing may differ, nor be of another type."""
    general, plain = locked(now, only=only), locked(now, only=only)
    expected = [general.decide(item) for item in items]
    found = [result for some in decided(plain, items) for result in some]
    assert plainly(found) == plainly(expected)
    assert plain == general
    assert list(plain.new_keys) == list(general.new_keys)
    for made, wanted in zip(plain.new_entries, general.new_entries, strict=True):
        assert repr(made) == repr(wanted)
        assert type(made) is type(wanted)


amounts = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 50, 10**29, MAX_AMOUNT - 3, MAX_AMOUNT])
ids = st.sampled_from([RICH, RICH, *NAMES])
plain_movements = st.builds(
    Movement,
    ids,
    ids,
    amounts,
    st.sampled_from(["ONE", "ONE", "TWO", "THREE", None]),
    texts,
    texts,
    texts,
    texts,
    st.sampled_from(["", "", *"abcdefgh"]),
)
movements = st.one_of(
    plain_movements,
    st.builds(
        lambda n: Movement(
            RICH, RICH, 0, "ONE", kind=Kind.CHAIN, cause=Hash32(n.to_bytes(32, "big"))
        ),
        st.integers(1, 3),
    ),
)
keyless = plain_movements.filter(lambda it: not it.idempotency_key)
items = st.one_of(
    movements,
    movements,
    movements,
    st.builds(Group, st.lists(keyless, max_size=3).map(tuple), st.sampled_from(["", "a", "g"])),
    st.builds(SetLimits, st.sampled_from([RICH, POOR]), st.just("ONE"), amounts, st.none()),
    st.builds(OpenAccount, st.sampled_from(["new", "other"]), st.just(9), st.just("ONE")),
    st.builds(PlaceHold, st.sampled_from([RICH, POOR]), amounts, st.just(""), st.just("ONE")),
)


@given(st.lists(items, max_size=30), st.integers(HOURS - 20, HOURS + 5))
def test_both_paths_decide_the_same(items: list[Item], now: int) -> None:
    check_same(items, now)


@given(st.lists(plain_movements, max_size=30))
def test_both_paths_decide_the_same_in_a_ledger_of_one_asset(items: list[Item]) -> None:
    check_same(items, only="ONE")


@pytest.mark.parametrize("size", [0, 1, STRETCH - 1, STRETCH, STRETCH + 1, 3 * STRETCH + 5])
@pytest.mark.parametrize("bad", [None, 0, STRETCH - 1, STRETCH, STRETCH + 1])
def test_both_paths_decide_the_same_at_the_ends_of_a_stretch(size: int, bad: int | None) -> None:
    good = [Movement(RICH, POOR, n + 1, "ONE", idempotency_key=f"k{n}") for n in range(size)]
    if bad is not None and bad < size:
        good[bad] = Movement(POOR, "unknown", 1, "ONE")
    check_same(good)


def test_what_nothing_forbids_is_decided_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [Movement(RICH, name, 2, "ONE") for name in (POOR, HELD, SPENT)]
    monkeypatch.setattr(Decisions, "decide", lambda *_: pytest.fail("was left to the other path"))
    assert sum(len(some) for some in decided(locked(), items)) == len(items)


def test_an_import_gives_each_its_time() -> None:
    at = count(HOURS)
    items = [Movement(RICH, POOR, 1, "ONE") for _ in range(3)]
    [[first], _, [third]] = decided(locked(), items, [next(at) for _ in items])
    assert isinstance(first, Receipt)
    assert isinstance(third, Receipt)
    assert third.entries[0].timestamp == first.entries[0].timestamp + 2
    late = [*decided(locked(), items, [HOURS, HOURS, HOURS])]
    assert [isinstance(it, RefusedError) and it.rule for [it] in late] == [
        False,
        Rule.TIME_PASSED,
        Rule.TIME_PASSED,
    ]


def test_a_value_made_quickly_is_frozen_like_any_other() -> None:
    limits = quick(Limits)(1, max_balance=2)
    assert type(limits) is Limits
    assert (limits, hash(limits), repr(limits)) == (
        Limits(1, 2),
        hash(Limits(1, 2)),
        repr(Limits(1, 2)),
    )
    with pytest.raises(AttributeError):
        limits.max_debit = 3  # type: ignore[misc]  # it is frozen
    with pytest.raises(TypeError, match="missing"):
        quick(Asset)(1)  # type: ignore[call-arg]  # too few
