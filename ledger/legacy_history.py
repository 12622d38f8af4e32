"""What the rows of an old ledger add up to, exactly, and where what it stored differs. Values only.

The old program added doubles, so what it stored is off by its roundings. A difference that those
can explain is a `Rounding`, for information; a greater one is a defect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from ledger.legacy_model import ACCOUNTS, ENTRIES, Defect, DefectKind, Rounding
from ledger.legacy_rows import shown
from ledger.model import ISSUER

if TYPE_CHECKING:
    from ledger.legacy_model import OldMovement, StoredAccount

_ZERO = Decimal(0)

_ROUNDOFF: Final = {53: Decimal("1.2E-16"), 24: Decimal("6.1E-8")}
"""By bits of the mantissa: half a unit in the last place, relative, rounded up."""

_STANDS: Final = "what the entries say stands"


class Agreement(Enum):
    """How a stored number compares with the exact one."""

    SAME = auto()
    """Equal, or the double nearest to it: it cannot say more."""
    ROUNDED = auto()
    """Off by no more than the roundings of the additions that led to it."""
    DIFFERS = auto()


@dataclass(slots=True)
class Tally:
    """An exact sum, and how far the same sum in floating point can be from it."""

    bits: int
    value: Decimal = _ZERO
    slack: Decimal = _ZERO

    def add(self, amount: Decimal) -> None:
        """Add `amount`: a double rounds the amount, and then the sum."""
        self.value += amount
        self.slack += (abs(self.value) + abs(amount)) * _ROUNDOFF[self.bits]

    def agrees(self, stored: Decimal) -> Agreement:
        """Compare the sum with what was stored for it."""
        if stored == self.value or float(stored) == float(self.value):
            return Agreement.SAME
        slack = self.slack + abs(stored) * _ROUNDOFF[self.bits]
        return Agreement.ROUNDED if abs(stored - self.value) <= slack else Agreement.DIFFERS


@dataclass(slots=True)
class History:
    """What one account had, earned and spent."""

    has: Tally
    earned: Tally
    spent: Tally
    first_time: int
    offset: Decimal = _ZERO
    """By how much the last balance_after differed: the same difference again is the same defect."""


@dataclass(slots=True)
class Histories:
    """Every account's history; takes the movements in order of time."""

    bits: int
    defects: list[Defect]
    roundings: list[Rounding] = field(default_factory=list)
    rounded_after: int = 0
    """Stored balance_after_* that are off by roundings."""
    accounts: dict[str, History] = field(default_factory=dict)

    def take(self, movement: OldMovement) -> None:
        """Add a movement and compare the balances that its row stored after it."""
        if movement.from_account != ISSUER:
            history = self._of(movement.from_account, movement.time)
            history.has.add(-movement.amount)
            history.spent.add(movement.amount)
            self._check_after(history, movement, "balance_after_from", movement.after_from)
        if movement.to_account != ISSUER:
            history = self._of(movement.to_account, movement.time)
            history.has.add(movement.amount)
            history.earned.add(movement.amount)
            self._check_after(history, movement, "balance_after_to", movement.after_to)

    def _of(self, account_id: str, time: int) -> History:
        """Return the history of an account, from its first movement on."""
        if account_id not in self.accounts:
            has, earned, spent = (Tally(self.bits) for _ in range(3))
            self.accounts[account_id] = History(has, earned, spent, time)
        return self.accounts[account_id]

    def _check_after(
        self, history: History, movement: OldMovement, column: str, stored: Decimal | None
    ) -> None:
        """Compare a balance_after; report where a difference begins or changes, not its echoes."""
        if stored is None:
            return
        agreement = history.has.agrees(stored)
        if agreement is not Agreement.DIFFERS:
            history.offset = _ZERO
            self.rounded_after += agreement is Agreement.ROUNDED
            return
        if history.has.agrees(stored - history.offset) is not Agreement.DIFFERS:
            return
        expected = history.has.value + history.offset
        history.offset = stored - history.has.value
        message = f"stored {shown(stored)}, the rows up to it make {shown(expected)}"
        self.defects.append(
            Defect(
                DefectKind.BALANCE_AFTER_DIFFERS,
                ENTRIES,
                movement.row,
                movement.name,
                column,
                message,
                _STANDS,
            )
        )

    def balance_of(self, account: StoredAccount, kept: str) -> Decimal | None:
        """Compare an account's stored numbers with its history; return the balance to end with.

        None where the history's balance stands. `kept` says what accepting a difference does.
        """
        history = self.accounts.get(account.account_id)
        if history is None:
            self._report(account, DefectKind.NO_HISTORY, "account_id", "no entry", "creates it")
            nothing = Tally(self.bits)
            history = History(nothing, nothing, nothing, 0)
        if account.staked:
            message = f"{shown(account.staked)} is staked; the table of entries knows no stakes"
            self._report(account, DefectKind.STAKED, "total_staked", message, "nothing is staked")
        for kind, column, stored, tally in (
            (DefectKind.EARNED_DIFFERS, "total_earned", account.earned, history.earned),
            (DefectKind.SPENT_DIFFERS, "total_spent", account.spent, history.spent),
        ):
            if message := self._difference(account, column, stored, tally):
                self._report(account, kind, column, message, _STANDS)
        message = self._difference(account, "balance", account.balance, history.has)
        if not message:
            return None
        self._report(account, DefectKind.BALANCE_DIFFERS, "balance", message, kept)
        return account.balance

    def _difference(
        self, account: StoredAccount, column: str, stored: Decimal | None, tally: Tally
    ) -> str:
        """Compare a stored number with the history's; say how they differ, if they really do."""
        agreement = Agreement.SAME if stored is None else tally.agrees(stored)
        if stored is None or agreement is Agreement.SAME:
            return ""
        if agreement is Agreement.DIFFERS:
            return f"stored {shown(stored)}, the entries make {shown(tally.value)}"
        self.roundings.append(
            Rounding(account.row, account.account_id, column, stored, tally.value)
        )
        return ""

    def _report(
        self, account: StoredAccount, kind: DefectKind, column: str, message: str, accepted: str
    ) -> None:
        """Report a defect of an account."""
        self.defects.append(
            Defect(kind, ACCOUNTS, account.row, account.account_id, column, message, accepted)
        )
