"""Figures about an asset: supply, distribution, velocity. Exact: ints and fractions, no float."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from ledger.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.results import Balance

HOUR = timedelta(hours=1)

MAX_HOURS = 1_000_000
"""The longest window, more than a hundred years."""


@dataclass(frozen=True, slots=True)
class Supply:
    """How much of an asset there is, in base units."""

    asset: str
    total: int
    """Minted less burned; also the sum of all balances, and earned less spent."""
    minted: int
    burned: int
    earned: int
    """All that accounts ever got: what was minted, and every transfer."""
    spent: int
    """All that left accounts: what was burned, and every transfer."""
    staked: int
    """What pending holds set aside, of all accounts."""
    holders: int
    """Accounts with a balance."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How an asset is spread over its holders: the accounts with a balance."""

    asset: str
    total: int
    """The supply, in base units."""
    holders: int
    gini: Fraction | None
    """0 where all holders have the same, near 1 where one has nearly all; None with no holder."""
    top: tuple[Balance, ...]
    """The largest balances, the largest first; equal ones by account id."""

    def share(self, balance: Balance) -> Fraction:
        """Return the part of the supply that `balance` is."""
        return Fraction(balance.balance, self.total)


@dataclass(frozen=True, slots=True)
class Velocity:
    """How often an asset changed hands in a window of time."""

    asset: str
    window: timedelta
    entries: int
    """Transfers: neither mints nor burns."""
    amount: int
    """Their sum in base units; it may pass 2**256."""
    supply: int
    """The supply now."""

    @property
    def ratio(self) -> Fraction | None:
        """The amount as a multiple of the supply; None where there is no supply."""
        return Fraction(self.amount, self.supply) if self.supply else None


class Hour(NamedTuple):
    """What changed hands in an hour of UTC: transfers, neither mints nor burns."""

    start: int
    """Microseconds since 1970."""
    entries: int
    amount: int
    """Their sum in base units; it may pass 2**256."""


@dataclass(slots=True)
class Spread:
    """Adds up balances that come largest first, for the Gini coefficient."""

    count: int = 0
    total: int = 0
    ranked: int = 0
    """The sum of rank * balance; the largest has rank 1."""

    def add(self, balances: Iterable[int]) -> None:
        """Count further balances, none larger than the last."""
        for balance in balances:
            self.count += 1
            self.total += balance
            self.ranked += self.count * balance

    @property
    def gini(self) -> Fraction | None:
        """The coefficient: sum of (n + 1 - 2 rank) balance / (n total); None for no balances.

        That is half of the mean difference between two balances, over the mean balance.
        """
        if not self.total:
            return None
        count = self.count
        return Fraction((count + 1) * self.total - 2 * self.ranked, count * self.total)


def hours_of(window: object) -> int:
    """Return how many hours a window has. Raises FieldError."""
    if not isinstance(window, timedelta):
        raise FieldError("window", f"must be a timedelta, not {type(window).__name__}")
    hours, rest = divmod(window, HOUR)
    if rest or not 1 <= hours <= MAX_HOURS:
        raise FieldError("window", f"must be 1 .. {MAX_HOURS} whole hours, not {window}")
    return hours


def format_ratio(ratio: Fraction, places: int = 6) -> str:
    """Return `ratio` as decimal text of exactly `places` places, half to even."""
    if type(places) is not int or not 0 <= places <= 100:  # noqa: PLR2004 (no reader wants more)
        raise FieldError("places", "must be an int of 0 .. 100")
    scaled = round(ratio * 10**places)
    digits = str(abs(scaled)).rjust(places + 1, "0")
    whole, fraction = digits[: len(digits) - places], digits[len(digits) - places :]
    return f"{'-' if scaled < 0 else ''}{whole}{'.' if places else ''}{fraction}"
