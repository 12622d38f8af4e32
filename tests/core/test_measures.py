"""Ratios and coefficients against the definitions, by fractions."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import FieldError, format_ratio
from ledger.measures import Spread, hours_of

if TYPE_CHECKING:
    from tests.ledger.support import Anything

AMOUNTS = st.one_of(st.integers(1, 20), st.integers(1, 2**256 - 1))


@given(st.lists(AMOUNTS, min_size=1, max_size=12))
@example([1])
@example([5, 5, 5])
@example([2**256 - 1, 1])
def test_the_gini_coefficient_is_half_the_relative_mean_difference(balances: list[int]) -> None:
    spread = Spread()
    spread.add(sorted(balances, reverse=True))
    differences = sum(abs(one - other) for one, other in product(balances, repeat=2))
    assert spread.gini == Fraction(differences, 2 * len(balances) * sum(balances))
    assert spread.gini is not None
    assert 0 <= spread.gini < 1


def test_nobody_is_not_spread() -> None:
    assert Spread().gini is None


@given(st.fractions(), st.integers(0, 30))
def test_a_ratio_is_rounded_half_to_even(ratio: Fraction, places: int) -> None:
    with localcontext() as context:
        context.prec = 200
        exact = round(ratio * 10**places)
        text = format_ratio(ratio, places)
        assert Decimal(text) == Decimal(exact).scaleb(-places)
        assert len(text.partition(".")[2]) == places


@pytest.mark.parametrize(
    ("ratio", "places", "text"),
    [
        (Fraction(1, 3), 6, "0.333333"),
        (Fraction(2, 3), 6, "0.666667"),
        (Fraction(1, 8), 2, "0.12"),
        (Fraction(3, 8), 2, "0.38"),
        (Fraction(-1, 3), 3, "-0.333"),
        (Fraction(0), 2, "0.00"),
        (Fraction(5, 2), 0, "2"),
        (Fraction(2**300), 1, f"{2**300}.0"),
    ],
)
def test_ratios_as_text(ratio: Fraction, places: int, text: str) -> None:
    assert format_ratio(ratio, places) == text
    if ratio:
        rounded = Decimal(ratio.numerator) / Decimal(ratio.denominator)
        with localcontext() as context:
            context.prec = 120
            rounded = Decimal(ratio.numerator) / Decimal(ratio.denominator)
            step = Decimal(1).scaleb(-places)
            assert rounded.quantize(step, ROUND_HALF_EVEN) == Decimal(text)


@pytest.mark.parametrize("places", [-1, 101, 1.0, True])
def test_wrong_places_are_refused(places: Anything) -> None:
    with pytest.raises(FieldError, match="places"):
        format_ratio(Fraction(1), places)


@pytest.mark.parametrize(
    "window",
    [
        timedelta(0),
        timedelta(hours=-1),
        timedelta(minutes=90),
        timedelta(hours=1, microseconds=1),
        timedelta(hours=1_000_001),
        3_600,
        None,
    ],
)
def test_a_window_is_of_whole_hours(window: Anything) -> None:
    with pytest.raises(FieldError, match="window"):
        hours_of(window)


def test_hours_of_a_window() -> None:
    assert hours_of(timedelta(days=30)) == 720
    assert hours_of(timedelta(hours=1_000_000)) == 1_000_000
