"""One run of postings inside a transaction: lock the heads, read, decide, write.

The order is the guarantee. The heads are locked by a statement of their own, everything else is
read after it, and nothing else ever writes balances, keys, holds or entries.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ledger import account_store, event_store, hold_store, key_store, store
from ledger.dialects import dialect_of
from ledger.errors import CorruptError
from ledger.hold_rules import sweep
from ledger.locked import ACCOUNTS, ACCOUNTS_STREAM, Journal
from ledger.memory import Known, Memory
from ledger.pauses import LARGE, no_collection
from ledger.plain import decided
from ledger.reading import (
    read_balances,
    read_causes,
    read_holds,
    read_keys,
    read_reversed,
    read_standing,
    read_status_accounts,
    read_taken,
)
from ledger.results import Receipt
from ledger.rules import Decisions, check_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy import Connection

    from ledger.dialects import Row
    from ledger.errors import RefusedError
    from ledger.results import Asset, Entry, Hold
    from ledger.runs import Run

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

MAX_SWEEP = 1_000
"""Holds of one asset that expire in one commit, unless those of the accounts that it names lie
behind more of them; the next commits go on."""

MAX_STEP = 2**24
"""Below this is what a commit adds to the version of a journal at random, beside one a change.

After an older copy of the database was put back, as many events as before, but others, would else
make a journal look as a process that is still open remembers it: entries have heads, events none.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: one result an item, in order."""

    results: list[Receipt | RefusedError]
    wrote: bool
    first_entry: tuple[int, int, bytes] | None = None
    """(asset number, seq, id) of the first new entry: proof of a COMMIT whose answer was lost."""
    first_event: Row | None = None
    """The first new event as a row, where there is no entry to ask about."""
    learn: Callable[[], None] = field(default=lambda: None)
    """To be called once it is committed (or, if it wrote nothing, rolled back)."""


def steady() -> int:
    """Return nanoseconds on a clock that nobody sets, and that runs on while the host sleeps."""
    return time.clock_gettime_ns(_STEADY)


def post(connection: Connection, run: Run, memory: Memory | None = None) -> Outcome:
    """Post `run` in the transaction of `connection`, which must be its first work.

    With a `memory`, what it remembers of the journals is not read again; the caller commits at
    once, then calls the outcome's `learn`.

    Raises:
        RefusedError: CLOCK_AHEAD; every other refusal is the result of its item, but the first
            one ends a run that has times.
    """
    decisions, numbers, known = _read(connection, run, memory)
    with no_collection(len(run.items)):
        results = _decided(connection, run, decisions, numbers)
        if run.times:
            _check_whole(results)
        if decisions.decided:
            _write(connection, decisions, numbers)
    outcome = outcome_of(results, decisions, numbers)
    return outcome if memory is None else replace(outcome, learn=lesson(memory, known, decisions))


def _decided(
    connection: Connection, run: Run, decisions: Decisions, numbers: Mapping[str, int]
) -> list[Receipt | RefusedError]:
    """Decide on all items, and store the entries that they make.

    Of a large run, PostgreSQL stores the first entries while the last are decided.
    """
    results: list[Receipt | RefusedError] = []

    def entries() -> Iterator[Entry]:
        written = 0
        for some in decided(decisions, run.items, run.times):
            results.extend(some)
            yield from decisions.new_entries[written:]
            written = len(decisions.new_entries)

    if len(run.items) >= LARGE:
        store.write_entries(connection, entries(), numbers)
    elif made := list(entries()):
        store.write_entries(connection, made, numbers)
    return results


def lesson(memory: Memory, known: dict[str, Known], decisions: Decisions) -> Callable[[], None]:
    """Return what gives back what was taken from `memory`, with what was posted since."""

    def learn() -> None:
        for symbol, each in known.items():
            if decisions.decided:
                each.learn(decisions, symbol)
            memory.give(symbol, each)

    return learn


def _check_whole(results: Iterable[Receipt | RefusedError]) -> None:
    """Raise the first refusal, if there is one."""
    for result in results:
        if not isinstance(result, Receipt):
            raise result


def outcome_of(
    results: list[Receipt | RefusedError], decisions: Decisions, numbers: Mapping[str, int]
) -> Outcome:
    """Return the results, with what identifies the first thing written."""
    entry = next(iter(decisions.new_entries), None)
    event = next(iter(decisions.new_events), None)
    return Outcome(
        results=results,
        wrote=decisions.decided,
        first_entry=None if entry is None else (numbers[entry.asset], entry.seq, bytes(entry.id)),
        first_event=None if event is None else event_store.event_row(event, numbers),
    )


# --- reading ---------------------------------------------------------------------------------


def _read(
    connection: Connection, run: Run, memory: Memory | None
) -> tuple[Decisions, dict[str, int], dict[str, Known]]:
    """Lock, then read all that the rules ask about.

    Return it with the number of each symbol, and what is now known of each journal.
    """
    assets, journals = _lock(connection, run)
    known = {
        symbol: (memory or Memory()).take(symbol, journal)
        for symbol, journal in journals.items()
        if symbol != ACCOUNTS
    }
    database_now = dialect_of(connection).now(connection)
    if memory is not None:
        memory.clock = database_now, steady()
    now = check_clock(run.clock(), database_now) if run.clock else database_now
    if run.times:
        check_clock(max(run.times), database_now)
    last_time = max((j.last_time for s, j in journals.items() if s != ACCOUNTS), default=0)
    due = _due(connection, run, journals, max(now, last_time + 1))
    addresses, statuses = read_standing(connection, run, known)
    balances, limits = read_balances(connection, run, assets, known, due)
    decisions = Decisions(
        ledger_id=run.identity.ledger_id,
        registrar=run.identity.registrar,
        pepper=run.pepper,
        now=now,
        last_time=last_time,
        journals=journals,
        default_asset=_default_asset(connection, run),
        addresses=addresses,
        statuses=statuses,
        taken=read_taken(connection, run),
        balances=balances,
        limits=limits,
        holds=read_holds(connection, run, assets),
        reversed=read_reversed(connection, run),
        causes=read_causes(connection, run),
        accounts=read_status_accounts(connection, run),
        keys=read_keys(connection, run),
        targets=run.targets,
    )
    sweep(decisions, due)
    numbers = {symbol: asset.number for symbol, asset in assets.items()}
    return decisions, {ACCOUNTS: 0, **numbers}, known


def _lock(connection: Connection, run: Run) -> tuple[Mapping[str, Asset], dict[str, Journal]]:
    """Lock the journals of the run, sorted; return the assets, and where each journal stands.

    A change of status needs every asset: once the accounts' stream is locked, none can be added.
    """
    assets, symbols = run.assets, run.symbols
    locked: dict[int, Row] = {}
    if run.needs.changes_status:
        locked = store.lock_heads(connection, [0])
        assets = store.read_assets(connection)
        symbols = (ACCOUNTS, *assets)
    all_assets = {ACCOUNTS: ACCOUNTS_STREAM, **assets}
    numbers = {all_assets[symbol].number: symbol for symbol in symbols}
    locked |= store.lock_heads(connection, [n for n in numbers if n not in locked])
    if len(locked) != len(numbers):
        raise CorruptError("an asset has no journal; run `evm-ledger audit`")
    return assets, {
        symbol: _journal(all_assets[symbol], locked[number])
        for number, symbol in sorted(numbers.items())
    }


def _journal(asset: Asset, row: Row) -> Journal:
    """Return where the journal of `asset` stands, from its locked row."""
    seq, head, *rest = row
    return Journal(asset, seq, bytes(head), *rest)


def _due(connection: Connection, run: Run, journals: Mapping[str, Journal], now: int) -> list[Hold]:
    """Return the holds that have expired, each asset's by (expiry, creation)."""
    due: list[Hold] = []
    for journal in journals.values():
        if journal.next_expiry is None or journal.next_expiry > now:
            continue
        most, asset = MAX_SWEEP, journal.asset
        found = hold_store.read_due(connection, asset, run.pepper, now, most + 1)
        if len(found) > most:  # what the items' own accounts have held must not refuse them
            own = run.needs.of(asset.symbol)
            most = max(most, hold_store.due_before_last_of(connection, asset, now, own))
            found = hold_store.read_due(connection, asset, run.pepper, now, most + 1)
        if len(found) > most:
            journal.next_expiry = found.pop().expires_at
        else:
            journal.next_expiry = hold_store.read_next_expiry(connection, asset, now)
        due += found
    return due


def _default_asset(connection: Connection, run: Run) -> str | None:
    """Return the ledger's only asset if an item relies on it; read now, as one may be new."""
    if None not in run.needs.places:
        return None
    known = store.read_assets(connection)
    return next(iter(known)) if len(known) == 1 else None


# --- writing ---------------------------------------------------------------------------------


def _write(connection: Connection, decisions: Decisions, numbers: Mapping[str, int]) -> None:
    """Store what was decided beside entries: each table once, each touched balance once."""
    if decisions.new_accounts:
        account_store.write_accounts(connection, decisions.new_accounts, with_blind=False)
    for account in decisions.changed_accounts.values():
        account_store.write_status(connection, account, decisions.time())
    if decisions.new_keys:
        key_store.write_keys(connection, decisions.new_keys, numbers, decisions.now)
    _write_balances(connection, decisions, numbers)
    _write_holds(connection, decisions, numbers)
    if decisions.new_events:
        event_store.write_events(connection, decisions.new_events, numbers)
    moved = [decisions.journals[symbol] for symbol in sorted(decisions.moved)]
    for journal in moved:
        journal.version += secrets.randbelow(MAX_STEP)
    store.write_heads(connection, moved)


def _write_balances(
    connection: Connection, decisions: Decisions, numbers: Mapping[str, int]
) -> None:
    """Store each touched balance once, the limits beside them, and the volume of the hour."""
    states = {
        (numbers[symbol], account_id): decisions.balances[symbol, account_id]
        for symbol, account_id in decisions.touched
    }
    store.write_balances(connection, states, max(decisions.last_time, decisions.now))
    limits = {
        (numbers[s], account_id): x for (s, account_id), x in decisions.changed_limits.items()
    }
    hold_store.write_limits(connection, limits)
    volume = {(numbers[s], hour): sums for (s, hour), sums in decisions.volume.items()}
    hold_store.add_volume(connection, volume)


def _write_holds(connection: Connection, decisions: Decisions, numbers: Mapping[str, int]) -> None:
    """Store new holds, and the state of those that changed."""
    changed = decisions.changed_holds.values()
    if decisions.new_holds:
        new = [hold for hold in changed if hold.id in decisions.new_holds]
        hold_store.write_holds(connection, new, numbers)
    hold_store.update_holds(
        connection, [hold for hold in changed if hold.id not in decisions.new_holds], numbers
    )
