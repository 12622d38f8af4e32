"""What is offered for gas: never above the cap, and an eighth more each time it is not enough."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import FeeCapError
from bridge.fees import GWEI, FeePolicy, Fees, Market, in_gwei

WEI = st.integers(0, 10**14)
MARKETS = st.builds(Market, st.none() | WEI, WEI)
POLICIES = st.builds(FeePolicy, st.none() | st.integers(1, 10**14), st.none() | WEI)


@given(POLICIES, MARKETS)
def test_a_first_offer_is_enough_for_the_next_block(policy: FeePolicy, market: Market) -> None:
    offered = policy.first(market)
    if offered is None:
        asked = market.tip if market.base_fee is None else market.base_fee
        assert policy.max_fee is not None
        assert asked > policy.max_fee
        return
    assert policy.max_fee is None or offered.max_fee <= policy.max_fee
    if market.base_fee is None:
        assert offered == Fees(market.tip, None)
        return
    assert offered.priority_fee is not None
    assert offered.max_fee >= market.base_fee
    assert offered.max_fee >= offered.priority_fee


@given(POLICIES, MARKETS, MARKETS)
def test_what_replaces_offers_an_eighth_more_of_both(
    policy: FeePolicy, before: Market, now: Market
) -> None:
    if (before.base_fee is None) != (now.base_fee is None):
        return
    old = FeePolicy(None, policy.priority_fee).first(before)
    assert old is not None
    offered = policy.more(old, now)
    if offered is None:
        assert policy.max_fee is not None
        return
    pairs = [(old.max_fee, offered.max_fee)]
    if old.priority_fee is not None and offered.priority_fee is not None:
        pairs.append((old.priority_fee, offered.priority_fee))
        assert offered.max_fee >= offered.priority_fee
    for less, more in pairs:
        assert more > less
        assert Fraction(more) >= Fraction(less) * Fraction(9, 8)
    assert policy.max_fee is None or offered.max_fee <= policy.max_fee
    assert offered.max_fee >= (now.tip if now.base_fee is None else now.base_fee)


@pytest.mark.parametrize(
    ("old", "market", "cap", "expected"),
    [
        (Fees(100, 8), Market(40, 8), None, Fees(113, 9)),
        (Fees(100, 8), Market(400, 8), None, Fees(808, 9)),
        (Fees(100, 8), Market(400, 80), 500, Fees(500, 80)),
        (Fees(100, 8), Market(400, 8), 399, None),  # more would not help
        (Fees(100, 8), Market(40, 8), 112, None),  # less than an eighth more would be refused
        (Fees(100, 8), Market(40, 8), 113, Fees(113, 9)),
        (Fees(100, 100), Market(10, 1), 120, Fees(113, 113)),
        (Fees(0, 0), Market(0, 0), None, Fees(1, 1)),
        (Fees(100, None), Market(None, 50), None, Fees(113, None)),
        (Fees(100, None), Market(None, 200), None, Fees(200, None)),
        (Fees(100, None), Market(None, 200), 150, None),
    ],
)
def test_replacements(old: Fees, market: Market, cap: int | None, expected: Fees | None) -> None:
    assert FeePolicy(cap).more(old, market) == expected


def test_without_a_cap_ten_times_what_is_asked_at_first_is_the_cap() -> None:
    assert FeePolicy().settled(Market(7 * GWEI, GWEI)) == FeePolicy(80 * GWEI)
    assert FeePolicy(priority_fee=0).settled(Market(0, 5)) == FeePolicy(1, 0)
    assert FeePolicy(5).settled(Market(7, 1)) == FeePolicy(5)


@pytest.mark.parametrize("policy", [(0, None), (-1, None), (None, -1)])
def test_a_policy_that_nothing_can_be_sent_under(policy: tuple[int | None, int | None]) -> None:
    with pytest.raises(FeeCapError):
        FeePolicy(*policy)


def test_gwei_are_exact() -> None:
    assert [in_gwei(fee) for fee in (0, 1, GWEI, 12_500_000_000)] == [
        "0 gwei", "0.000000001 gwei", "1 gwei", "12.5 gwei",
    ]  # fmt: skip
