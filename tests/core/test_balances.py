"""Balances after a movement, and the three rules that refuse one; each at its edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from ledger.amounts import MAX_AMOUNT
from ledger.balances import NOTHING, BalanceState, credited, debited, issued, returned
from ledger.errors import RefusedError, Rule
from tests.core.strategies import amounts

if TYPE_CHECKING:
    from collections.abc import Callable


def test_available_is_what_is_not_held() -> None:
    assert BalanceState(10, 12, 2, 7).available == 3


@pytest.mark.parametrize(
    ("before", "amount", "after"),
    [
        (BalanceState(10, 12, 2, 7), 3, BalanceState(7, 12, 5, 7)),
        (BalanceState(10, 12, 2, 0), 10, BalanceState(0, 12, 12, 0)),
        (NOTHING, 0, NOTHING),
        (BalanceState(1, 5, MAX_AMOUNT - 1, 0), 1, BalanceState(0, 5, MAX_AMOUNT, 0)),
    ],
)
def test_a_debit(before: BalanceState, amount: int, after: BalanceState) -> None:
    assert debited(before, amount, "alice") == returned(before, amount) == after


@pytest.mark.parametrize(
    ("before", "amount", "after"),
    [
        (BalanceState(10, 12, 2, 7), 3, BalanceState(13, 15, 2, 7)),
        (NOTHING, MAX_AMOUNT, BalanceState(MAX_AMOUNT, MAX_AMOUNT, 0, 0)),
        (NOTHING, 0, NOTHING),
    ],
)
def test_a_credit(before: BalanceState, amount: int, after: BalanceState) -> None:
    assert credited(before, amount, "alice") == issued(before, amount) == after


@pytest.mark.parametrize(
    ("move", "before", "amount", "rule"),
    [
        (debited, NOTHING, 1, Rule.INSUFFICIENT_AVAILABLE),
        (debited, BalanceState(10, 12, 2, 7), 4, Rule.INSUFFICIENT_AVAILABLE),
        (debited, BalanceState(10, 12, 2, 10), 1, Rule.INSUFFICIENT_AVAILABLE),
        (debited, BalanceState(2, MAX_AMOUNT, MAX_AMOUNT - 1, 0), 2, Rule.TOTAL_OVERFLOW),
        (debited, BalanceState(2, 0, MAX_AMOUNT, 0), 3, Rule.INSUFFICIENT_AVAILABLE),
        (credited, BalanceState(0, MAX_AMOUNT, MAX_AMOUNT, 0), 1, Rule.TOTAL_OVERFLOW),
        (credited, BalanceState(0, 1, 1, 0), MAX_AMOUNT, Rule.TOTAL_OVERFLOW),
    ],
)
def test_a_refused_movement_names_its_rule_and_the_account(
    move: Callable[[BalanceState, int, str], BalanceState],
    before: BalanceState,
    amount: int,
    rule: Rule,
) -> None:
    with pytest.raises(RefusedError, match="'alice'") as refusal:
        move(before, amount, "alice")
    assert refusal.value.rule == rule


@pytest.mark.parametrize(
    ("issuer", "amount", "rule"),
    [
        (BalanceState(1, 1, 0, 0), MAX_AMOUNT, Rule.SUPPLY_OVERFLOW),
        (BalanceState(MAX_AMOUNT, MAX_AMOUNT, 0, 0), 1, Rule.SUPPLY_OVERFLOW),
        (BalanceState(0, MAX_AMOUNT, MAX_AMOUNT, 0), 1, Rule.TOTAL_OVERFLOW),
    ],
)
def test_the_issuer_mints_no_more_than_a_uint256(
    issuer: BalanceState, amount: int, rule: Rule
) -> None:
    with pytest.raises(RefusedError) as refusal:
        issued(issuer, amount)
    assert refusal.value.rule == rule


def test_the_issuer_takes_back_no_more_than_the_supply() -> None:
    with pytest.raises(RefusedError) as refusal:
        returned(BalanceState(5, 5, 0, 0), 6)
    assert refusal.value.rule == Rule.INSUFFICIENT_AVAILABLE


@given(amounts, amounts)
def test_balance_is_earned_less_spent(one: int, other: int) -> None:
    more, less = max(one, other), min(one, other)
    after = debited(credited(NOTHING, more, "alice"), less, "alice")
    assert after.balance == after.earned - after.spent == more - less
