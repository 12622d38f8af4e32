"""Deciding before the lock, on what is remembered, in the hope that nobody else has posted.

A guess is written only together with the proof that the journal stands where it was remembered;
else nothing of it is written and the run is decided again under the lock. So a guess may only
say yes: a refusal could rest on what has changed meanwhile. Values only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger.errors import RefusedError
from ledger.model import Kind
from ledger.plain import decided
from ledger.requests import Group, Movement
from ledger.rules import Decisions, check_clock

if TYPE_CHECKING:
    from ledger.memory import Known, Memory
    from ledger.results import Receipt
    from ledger.runs import Run

MAX_GUESS = 300
"""Items in a guess: larger runs are faster by COPY, which needs round trips of its own."""

MAX_CLOCK_AGE = 10_000_000_000
"""Nanoseconds for which this host's steady clock carries the database's."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What a run comes to if the journal still stands where it was remembered."""

    symbol: str
    decisions: Decisions
    known: Known
    """What was remembered, to be given back with what it became; untouched until then."""
    results: list[Receipt | RefusedError]
    relies_on_one_asset: bool
    """Whether an item names no asset: then the ledger must still have only one."""


def guess(run: Run, memory: Memory, steady: int) -> Guess | None:
    """Return the guess for `run`, or None where it takes the lock to decide.

    `steady` is this host's steady clock in nanoseconds. What is taken from `memory` is given back
    if there is no guess.
    """
    if not _is_plain(run) or memory.clock is None:
        return None
    [symbol] = run.symbols
    known = memory.take_unlocked(symbol)
    if known is None:
        return None
    made = _made(run, symbol, known, _now(memory.clock, steady))
    if made is None:
        memory.give(symbol, known)
    return made


def _is_plain(run: Run) -> bool:
    """Tell whether a run is small, of plain entries, in one journal."""
    if len(run.symbols) != 1 or run.times or len(run.items) > MAX_GUESS:
        return False
    return all(
        item.kind == Kind.PLAIN
        if isinstance(item, Movement)
        else isinstance(item, Group)
        and len(item.movements) + len(run.items) <= MAX_GUESS
        and all(movement.kind == Kind.PLAIN for movement in item.movements)
        for item in run.items
    )


def _now(clock: tuple[int, int], steady: int) -> int | None:
    """Return the database's clock, carried on by the steady one; None if that is too long ago."""
    database_now, then = clock
    age = steady - then
    return database_now + age // 1_000 if 0 <= age <= MAX_CLOCK_AGE else None


def _made(run: Run, symbol: str, known: Known, database_now: int | None) -> Guess | None:
    """Decide on what is known; None if that is not enough, or any item is refused."""
    needed = run.needs.accounts()
    if database_now is None or not known.has(needed):
        return None
    journal = replace(known.journal)
    now = check_clock(run.clock(), database_now) if run.clock else database_now
    if journal.next_expiry is not None and journal.next_expiry <= max(now, journal.last_time + 1):
        return None
    decisions = Decisions(
        ledger_id=run.identity.ledger_id,
        registrar=run.identity.registrar,
        pepper=run.pepper,
        now=now,
        last_time=journal.last_time,
        journals={symbol: journal},
        default_asset=symbol,
        addresses={name: known.addresses[name] for name in needed},
        statuses={name: known.statuses[name] for name in needed & known.statuses.keys()},
        taken=set(),
        balances={(symbol, name): known.balances[name] for name in needed},
        limits={(symbol, name): known.limits[name] for name in needed & known.limits.keys()},
    )
    results = [result for some in decided(decisions, run.items) for result in some]
    if any(isinstance(result, RefusedError) for result in results) or not decisions.decided:
        return None
    return Guess(symbol, decisions, known, results, None in run.needs.places)
