"""What entries weigh when they are replayed, so that a batch fits in one transaction.

The figures bound what the contract uses: no batch takes more gas than it weighs. They follow from
those that were measured (`bridge.plan_gas`; see docs/contracts.md), and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.results import Entry

MAX_ENTRIES = 4_000
"""Entries a batch: providers refuse queries of over 10,000 logs, and a block cannot be split."""

MAX_BYTES = 120_000
"""Payload bytes a batch: nodes refuse transactions of over 128 KB."""

MAX_GAS = 15_000_000
"""Gas a batch by these figures; the protocol's cap is 16,777,216 a transaction (EIP-7825)."""

BASE_GAS = 100_000
RECORD_GAS = 2_250
ZERO_GAS = 1_200
"""More for each record before the first amount: without any, the scale is checked one by one."""
BYTE_GAS = 17
"""16 as calldata, 1 for the memory in which the payload is hashed."""
TOUCHED_GAS = 5_450
NEW_GAS = 22_600
_RECORD_BYTES = 5
_ADDRESS_BYTES = 20
_HEADER_BYTES = 8


@dataclass(slots=True)
class Weight:
    """What a run of entries of one asset weighs so far, at most; with each entry it grows."""

    entries: int = 0
    size: int = _HEADER_BYTES + _ADDRESS_BYTES
    """Payload bytes."""
    touched: int = 0
    """Accounts whose balance changes, of those that had one."""
    new: int = 0
    """Accounts that had nothing: each needs a new storage slot."""
    zeros: int = 0
    """Records before the first whose amount is above zero."""
    _seen: set[str] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        """Count `entry` in."""
        self._count(entry, self._seen, self._seen)

    def fits_with(self, entries: Iterable[Entry]) -> bool:
        """Tell whether one transaction could carry `entries` besides; they are not counted in."""
        trial = Weight(self.entries, self.size, self.touched, self.new, self.zeros)
        more: set[str] = set()
        for entry in entries:
            trial._count(entry, self._seen, more)
        return trial.fits

    def _count(self, entry: Entry, seen: set[str], more: set[str]) -> None:
        """Count `entry` in; accounts in neither set are new to the run and go into `more`."""
        amount = entry.amount
        if amount == 0 and self.zeros == self.entries:
            self.zeros += 1
        self.entries += 1
        self.size += _RECORD_BYTES + max(1, (amount.bit_length() + 7) // 8)
        from_, to = entry.from_account, entry.to_account
        if from_ not in seen and from_ not in more:
            more.add(from_)
            self._touch(entry.balance_after_from + amount)
        if to not in seen and to not in more:
            more.add(to)
            self._touch(entry.balance_after_to - amount)

    def _touch(self, before: int) -> None:
        """Count an account that had `before`."""
        self.size += _ADDRESS_BYTES
        if before > 0:
            self.touched += 1
        else:
            self.new += 1

    @property
    def gas(self) -> int:
        """Gas by today's rules, before refunds."""
        return (
            BASE_GAS
            + RECORD_GAS * self.entries
            + ZERO_GAS * self.zeros
            + BYTE_GAS * self.size
            + TOUCHED_GAS * self.touched
            + NEW_GAS * self.new
        )

    @property
    def fits(self) -> bool:
        """Whether one transaction can carry it."""
        return self.entries <= MAX_ENTRIES and self.size <= MAX_BYTES and self.gas <= MAX_GAS
