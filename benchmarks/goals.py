"""The numbers to reach, by the name of the result that shows whether they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a result's ratio or on its value."""

    on: Literal["ratio", "value"]
    bound: Literal[">=", "<="]
    number: float

    def __str__(self) -> str:
        """Return the goal as tables show it."""
        return f"{self.on} {self.bound} {self.number:,g}"

    def reached(self, value: float, ratio: float) -> bool:
        """Tell whether a result keeps within the bound."""
        measured = ratio if self.on == "ratio" else value
        return measured >= self.number if self.bound == ">=" else measured <= self.number


def _ratio(at_least: float) -> Goal:
    return Goal("ratio", ">=", at_least)


_MEGABYTES: Final = Goal("value", "<=", 300)

GOALS: Final = {
    "PostgreSQL: post_many, 5,000 a call, 1,000 accounts / COPY": _ratio(0.5),
    "PostgreSQL: post_many, 5,000 a call, 10,000 accounts / COPY": _ratio(0.35),
    "SQLite: post_many, 5,000 a call, 1,000 accounts / executemany": _ratio(0.4),
    "SQLite: post_many, 5,000 a call, 10,000 accounts / executemany": _ratio(0.3),
    "PostgreSQL: post_many, 500 a call, 1,000 accounts / pgledger's batch call": _ratio(5),
    "PostgreSQL: singles, 16 threads, spread / pgledger": _ratio(2),
    "PostgreSQL: singles, 16 threads, one hot account / pgledger": _ratio(5),
    "PostgreSQL: singles, 64 threads, spread / pgledger": _ratio(4),
    "PostgreSQL: singles, 64 threads, one hot account / pgledger": _ratio(8),
    "PostgreSQL: singles, one thread / the same row inserted alone": _ratio(0.5),
    "SQLite: singles, one thread / the same row inserted alone": _ratio(0.5),
    "replay: gas per entry, 2,000 entries, 400 accounts / LOG3": Goal("value", "<=", 3_500),
    "replay: gas of one more entry / LOG3": Goal("value", "<=", 2_350),
    "verify: balances in one call / one balanceOf": Goal("value", ">=", 3_000),
    **{
        f"{database}: HTTP, 64 connections, {kind} / one commit a request": _ratio(1.5)
        for database in ("SQLite", "PostgreSQL")
        for kind in ("post, spread", "post, one hot account")
    },
    **{
        f"{database}: HTTP, 64 connections, read a balance / bare endpoint": _ratio(0.4)
        for database in ("SQLite", "PostgreSQL")
    },
    **{
        f"{database}: audit / the driver reading the same rows": Goal("value", ">=", 50_000)
        for database in ("SQLite", "PostgreSQL")
    },
    **{
        f"{database}: memory, {work} / before growth": _MEGABYTES
        for database in ("SQLite", "PostgreSQL")
        for work in ("audit", "export", "import", "statement")
    },
}
