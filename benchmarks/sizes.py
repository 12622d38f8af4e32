"""How much of everything is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Sizes:
    """The amounts of work of one run."""

    accounts: tuple[int, int]
    """Few and many."""
    batches: tuple[tuple[int, int], ...]
    """(items a call, entries measured)."""
    alone: int
    """Entries of one thread."""
    rounds: int
    """Times that threads or processes start together, one side after the other."""
    round: int
    """Entries of a round, over all threads."""
    first: int
    """Entries of the growing ledger when it is measured first."""
    entries: int
    """Entries of the growing ledger when it is measured again."""

    def grown(self, entries: int) -> Self:
        """Return the sizes with another growth."""
        return replace(self, first=min(self.first, max(entries // 10, 1)), entries=entries)


FULL: Final = Sizes(
    accounts=(1_000, 10_000),
    batches=((1, 1_000), (100, 10_000), (500, 25_000), (5_000, 50_000)),
    alone=1_000,
    rounds=5,
    round=1_600,
    first=10_000,
    entries=1_000_000,
)

QUICK: Final = Sizes(
    accounts=(1_000, 10_000),
    batches=((1, 200), (100, 2_000), (500, 5_000), (5_000, 10_000)),
    alone=200,
    rounds=2,
    round=640,
    first=1_000,
    entries=10_000,
)
