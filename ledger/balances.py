"""What one account has of one asset, as posting and audit compute it."""

from __future__ import annotations

from typing import NamedTuple

from ledger.amounts import MAX_AMOUNT
from ledger.errors import RefusedError, Rule
from ledger.model import ISSUER


class BalanceState(NamedTuple):
    """Base units. Of the issuer: balance is the supply, earned is minted, spent is burned."""

    balance: int
    earned: int
    spent: int
    staked: int

    @property
    def available(self) -> int:
        """What can be debited: the balance less what is held."""
        return self.balance - self.staked


NOTHING = BalanceState(0, 0, 0, 0)


def debited(state: BalanceState, amount: int, account_id: str) -> BalanceState:
    """Return `state` after a debit.

    Raises:
        RefusedError: INSUFFICIENT_AVAILABLE, or TOTAL_OVERFLOW.
    """
    if amount > state.balance - state.staked:
        raise RefusedError(
            Rule.INSUFFICIENT_AVAILABLE,
            f"{account_id!r} has {state.available} base units available, {amount} are asked",
        )
    if state.spent + amount > MAX_AMOUNT:
        raise RefusedError(Rule.TOTAL_OVERFLOW, f"{account_id!r} would have spent over 2**256 - 1")
    return BalanceState(state.balance - amount, state.earned, state.spent + amount, state.staked)


def credited(state: BalanceState, amount: int, account_id: str) -> BalanceState:
    """Return `state` after a credit; its balance fits, because the supply does.

    Raises:
        RefusedError: TOTAL_OVERFLOW.
    """
    if state.earned + amount > MAX_AMOUNT:
        raise RefusedError(Rule.TOTAL_OVERFLOW, f"{account_id!r} would have earned over 2**256 - 1")
    return BalanceState(state.balance + amount, state.earned + amount, state.spent, state.staked)


def issued(issuer: BalanceState, amount: int) -> BalanceState:
    """Return the issuer's numbers after a mint.

    Raises:
        RefusedError: SUPPLY_OVERFLOW, or TOTAL_OVERFLOW.
    """
    if issuer.balance + amount > MAX_AMOUNT:
        raise RefusedError(
            Rule.SUPPLY_OVERFLOW, f"the supply is {issuer.balance}; {amount} more passes 2**256 - 1"
        )
    return credited(issuer, amount, "system")


def returned(issuer: BalanceState, amount: int) -> BalanceState:
    """Return the issuer's numbers after a burn.

    Raises:
        RefusedError: TOTAL_OVERFLOW.
    """
    return debited(issuer, amount, "system")


def after_debit(state: BalanceState, amount: int, account_id: str) -> BalanceState:
    """Take `amount` from an account, or issue it. Raises as `debited` and `issued`."""
    return issued(state, amount) if account_id == ISSUER else debited(state, amount, account_id)


def after_credit(state: BalanceState, amount: int, account_id: str) -> BalanceState:
    """Give `amount` to an account, or return it. Raises as `credited` and `returned`."""
    return returned(state, amount) if account_id == ISSUER else credited(state, amount, account_id)
