"""The audit of what is no entry: events, holds, reversals, limits, hourly volumes.

Events are read in short transactions behind the entries that they follow, and what changes in
place is compared in the snapshot at the end.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ledger import check_store, event_store, hold_store, key_store
from ledger.checks import Finding, FoundError, readable, same
from ledger.event_checks import EventCheck, KeptHolds, check_state
from ledger.model import HoldState, Kind
from ledger.results import Limits
from ledger.reversal_checks import ReversalCheck

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from ledger.checks import JournalCheck
    from ledger.locked import Event
    from ledger.results import Asset, Entry

PAGE = 5_000
"""Events read at once."""


class EventAudit:
    """The audit of one asset's events, with what they are about."""

    def __init__(
        self, connection: Connection, domain: bytes, pepper: bytes | None, asset: Asset
    ) -> None:
        """Start before the first event."""
        self.asset = asset
        self.reversals = ReversalCheck(domain, asset)
        self._pepper = pepper
        with readable("token_events"):
            imported = check_store.read_imported(connection, asset)
        kept = KeptHolds(asset.symbol)
        if imported is not None:
            found = check_store.read_kept(connection, asset, pepper, imported.number)
            kept.holds = {hold.id: hold for hold in found.values()}
        self.check = EventCheck(domain, asset, imported, kept)
        self._waiting: deque[Event] = deque()
        """Read, but after entries that were not."""
        self._read = 0

    def take(self, connection: Connection, entries: Iterable[Entry], seq: int) -> None:
        """Check what goes with the next entries, the last of which has `seq`. Raises FoundError."""
        special = [entry for entry in entries if entry.kind]
        self._check_reversals(connection, special)
        self.check.take(special)
        while events := self._next(connection, seq):
            self._check_events(connection, events)

    def _check_reversals(self, connection: Connection, special: Iterable[Entry]) -> None:
        """Check the reversals among entries against what they reverse."""
        reversals = [entry for entry in special if entry.kind == Kind.REVERSAL]
        if reversals:
            with readable("token_ledger"):
                wanted = [entry.cause for entry in reversals]
                originals = check_store.read_originals(connection, self.asset, wanted)
            self.reversals.check(reversals, originals)

    def _next(self, connection: Connection, seq: int) -> list[Event]:
        """Return the next events that follow entries up to `seq`; none if there are no more."""
        if not self._waiting:
            self._waiting.extend(
                event_store.read_events(
                    connection, self.asset.number, self.asset.symbol, self._read, PAGE
                )
            )
            self._read = self._waiting[-1].number if self._waiting else self._read
        events = []
        with readable("token_events"):
            while self._waiting and self._waiting[0].after_seq <= seq:
                events.append(self._waiting.popleft())
        return events

    def _check_events(self, connection: Connection, events: Iterable[Event]) -> None:
        """Check events against the holds that they name, and those against their keys."""
        numbers = {event.hold for event in events if isinstance(event.hold, int)}
        holds = check_store.read_holds(connection, self.asset, self._pepper, numbers)
        keyed: dict[str, int] = {}
        for event in events:
            hold = holds.get(event.hold) if isinstance(event.hold, int) else None
            self.check.check(event, hold)
            if hold is not None and event.type == "hold_created" and hold.idempotency_key:
                keyed[hold.idempotency_key] = hold.number
        _check_keys(connection, self.asset, keyed)

    def finish(self, connection: Connection, journal: JournalCheck) -> None:
        """Check in a snapshot what is left, and what changes in place. Raises FoundError."""
        symbol = self.asset.symbol
        self.take(connection, (), journal.seq)
        for event in self._waiting:
            at_most = f"at most {journal.seq}"
            same("token_events", f"{symbol}/{event.number}", "after_seq", at_most, event.after_seq)
        self.reversals.end()
        with readable("token_journals", symbol):
            end = check_store.read_end(connection, self.asset.number)
        if end is None:
            raise FoundError(Finding("token_journals", symbol, "row", "there", "missing"))
        try:
            self._check_holds(connection)
            self._check_limits(connection)
        except FoundError:
            check_cut_off(symbol, self.check.number, end.events)
            raise
        check_count(symbol, self.check.number, end.events)
        first = self.check.next_expiry()
        if first is not None and (end.next_expiry is None or end.next_expiry > first):
            same("token_journals", symbol, "next_expiry", f"at most {first}", end.next_expiry)
        _check_volume(connection, journal)

    def _check_holds(self, connection: Connection) -> None:
        """Check that every hold has its event, and that pending ones are as their events say."""
        symbol, number = self.asset.symbol, self.check.number
        if self.check.entries:
            same("token_events", f"{symbol}/{number + 1}", "row", "there", "missing")
        stray = check_store.stray_hold(connection, self.asset)
        if stray is not None:
            same("token_holds", f"{symbol}/{stray}", "row", "missing", "there")
        with readable("token_holds"):
            stored = set(check_store.pending_numbers(connection, self.asset))
        pending = self.check.pending
        holds = check_store.read_holds(connection, self.asset, self._pepper, pending.keys())
        for place, held in pending.items():
            row = f"{symbol}/{place}"
            if place not in holds:
                raise FoundError(Finding("token_holds", row, "row", "there", "missing"))
            check_state(row, holds[place], HoldState.PENDING, held.remaining, held.updated_at)
        for place in sorted(stored - pending.keys()):
            same("token_holds", f"{symbol}/{place}", "state", "resolved", HoldState.PENDING)

    def _check_limits(self, connection: Connection) -> None:
        """Check that limits are those that were set last."""
        with readable("token_balances"):
            stored = hold_store.read_limits(connection, self.asset.number)
        for account_id in sorted(self.check.limits.keys() | stored.keys()):
            row = f"{self.asset.symbol}/{account_id}"
            expected = self.check.limits.get(account_id, Limits())
            found = stored.get(account_id, Limits())
            same("token_balances", row, "max_debit", expected.max_debit, found.max_debit)
            same("token_balances", row, "max_balance", expected.max_balance, found.max_balance)


def check_cut_off(stream: str, number: int, events: int) -> None:
    """Name the event that is missing at the end, where something else contradicts it too."""
    if number < events:
        same("token_events", f"{stream}/{number + 1}", "row", "there", "missing")


def check_count(stream: str, number: int, events: int) -> None:
    """Check the number of the last event; tell an altered number from an event too many."""
    if number > events:
        same("token_events", f"{stream}/{events + 1}", "row", "missing", "there")
    same("token_journals", stream, "events", number, events)


def _check_keys(connection: Connection, asset: Asset, keyed: Mapping[str, int]) -> None:
    """Check that every key of a hold is kept as having made it: else it would be made twice."""
    if not keyed:
        return
    with readable("token_keys"):
        known = key_store.read_keys(connection, sorted(keyed))
        for key, number in keyed.items():
            made = known[key][1].get("hold") if key in known else None
            if not made or made[:2] != [asset.number, number]:
                found = Finding("token_keys", key, "made", "its hold", "another, or missing")
                raise FoundError(found)


def _check_volume(connection: Connection, journal: JournalCheck) -> None:
    """Compare the volume of every hour with the transfers in it."""
    with readable("token_volume"):
        stored = check_store.read_volume(connection, journal.asset)
        hours = sorted(stored.keys() | journal.volume.keys())
    for hour in hours:
        row = f"{journal.asset.symbol}/{hour}"
        if hour not in stored:
            same("token_volume", row, "row", "there", "missing")
        if hour not in journal.volume:
            same("token_volume", row, "row", "missing", "there")
        entries, amount = journal.volume[hour]
        same("token_volume", row, "entries", entries, stored[hour][0])
        same("token_volume", row, "amount", str(amount), stored[hour][1])
