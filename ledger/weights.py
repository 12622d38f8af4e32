"""What entries weigh when they are replayed, so that a batch fits in one transaction.

The figures are measured (see docs/contracts.md); each is rounded up, so that a sum is a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.results import Entry

MAX_ENTRIES = 4_000
"""Entries a batch: providers refuse queries of over 10,000 logs, and a block cannot be split."""

MAX_BYTES = 120_000
"""Payload bytes a batch: nodes refuse transactions of over 128 KB."""

MAX_GAS = 15_000_000
"""Gas a batch by these figures; the protocol's cap is 16,777,216 a transaction (EIP-7825)."""

BASE_GAS = 150_000
RECORD_GAS = 2_250
BYTE_GAS = 16
TOUCHED_GAS = 5_400
NEW_GAS = 22_700
_RECORD_BYTES = 5
_ADDRESS_BYTES = 20
_HEADER_BYTES = 8


@dataclass(slots=True)
class Weight:
    """What a run of entries of one asset weighs so far."""

    entries: int = 0
    size: int = _HEADER_BYTES + _ADDRESS_BYTES
    """Payload bytes at most."""
    gas: int = BASE_GAS
    _seen: set[str] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        """Count `entry` in."""
        size = _RECORD_BYTES + max(1, (entry.amount.bit_length() + 7) // 8)
        self.entries += 1
        self.size += size
        self.gas += RECORD_GAS + BYTE_GAS * size
        before_from = entry.balance_after_from + entry.amount
        before_to = entry.balance_after_to - entry.amount
        self._touch(entry.from_account, before_from)
        self._touch(entry.to_account, before_to)

    def _touch(self, account_id: str, before: int) -> None:
        """Count an account the first time; one that had nothing needs a new storage slot."""
        if account_id in self._seen:
            return
        self._seen.add(account_id)
        self.size += _ADDRESS_BYTES
        self.gas += _ADDRESS_BYTES * BYTE_GAS + (TOUCHED_GAS if before > 0 else NEW_GAS)

    def copy(self) -> Weight:
        """Return the same weight, to try what one more group would make of it."""
        return Weight(self.entries, self.size, self.gas, set(self._seen))

    @property
    def fits(self) -> bool:
        """Whether one transaction can carry it."""
        return self.entries <= MAX_ENTRIES and self.size <= MAX_BYTES and self.gas <= MAX_GAS
