"""What must follow from what in events and holds, as audit and import share it. Values only.

Events are in no id. What proves them are the rows that they are about: a hold's id, the entries
that post it, and the balances.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.account_rules import TRANSITIONS
from ledger.amounts import check_amount, check_uint
from ledger.checks import readable, same
from ledger.details import IMPORTED, details_of, limit_details, read_limits
from ledger.hold_rules import id_of_hold
from ledger.model import ISSUER, ZERO_ADDRESS, HoldState, Kind, Status
from ledger.texts import check_memo, check_text
from ledger.times import MAX_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.locked import Event
    from ledger.results import Asset, CarriedHold, Entry, Hold, Limits

_STATUS_AFTER = {(before, event): after for (before, after), event in TRANSITIONS.items()}

_RELEASES = {"hold_voided": HoldState.VOIDED, "hold_expired": HoldState.EXPIRED}


def check_hold(domain: bytes, asset: Asset, hold: Hold) -> None:
    """Recompute a hold's id from its row, and check what the id cannot say. Raises FoundError."""
    row = f"{asset.symbol}/{hold.number}"
    expiry = hold.expires_at or 0
    same("token_holds", row, "id", id_of_hold(domain, asset.id, hold), hold.id)
    if hold.from_address == ZERO_ADDRESS:
        same("token_holds", row, "account_id", "an account that exists", repr(hold.account_id))
    if (hold.to_address == ZERO_ADDRESS) != (hold.to_account in ("", ISSUER)):
        same("token_holds", row, "to_account", "an account that exists", repr(hold.to_account))
    if hold.amount == 0:
        same("token_holds", row, "amount", "over 0", 0)
    if hold.expires_at is not None and expiry <= hold.created_at:
        same("token_holds", row, "expires_at", f"over {hold.created_at}", expiry)


def _check_sides(symbol: str, hold: Hold, entry: Entry) -> None:
    """Check that an entry which posts a hold moves what was held, to whom it was held for."""
    row = f"{symbol}/{entry.seq}"
    same("token_ledger", row, "from_account", hold.account_id, entry.from_account)
    if hold.to_account:
        same("token_ledger", row, "to_account", hold.to_account, entry.to_account)


@dataclass(slots=True)
class KeptHolds:
    """The holds of an import, and what the entries that came with them took."""

    symbol: str
    holds: dict[bytes, Hold] = field(default_factory=dict)
    """By id."""
    _taken: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """By id, what was taken, and when last."""

    def take(self, entry: Entry) -> None:
        """Take an entry of kind hold. Raises FoundError."""
        hold = self.holds.get(entry.cause)
        if hold is not None:
            _check_sides(self.symbol, hold, entry)
            taken, _ = self._taken.get(entry.cause, (0, 0))
            self._taken[entry.cause] = taken + entry.amount, entry.timestamp

    def left(self, hold: Hold) -> tuple[int, int]:
        """Return what the entries left of a hold, and when it changed last. Raises FoundError."""
        taken, last = self._taken.get(hold.id, (0, hold.created_at))
        if taken >= hold.amount:
            row = f"{self.symbol}/{hold.number}"
            same("token_holds", row, "amount", f"over {taken}, which entries took", hold.amount)
        return hold.amount - taken, last


def check_hold_form(asset: Asset, carried: CarriedHold) -> None:
    """Let only a pending hold pass that could have been made."""
    hold = carried.hold
    row = f"{asset.symbol}/{hold.number}"
    same("token_holds", row, "asset", asset.symbol, hold.asset)
    same("token_holds", row, "state", HoldState.PENDING, hold.state)
    with readable("token_holds", row):
        for what in ("reason", "reference_type", "reference_id", "idempotency_key"):
            check_text(getattr(hold, what), what)
        check_memo(hold.memo)
        check_amount(hold.amount)
        moments = (hold.created_at, hold.updated_at, hold.expires_at or 0)
        for number in (hold.number, carried.after_seq, *moments):
            check_uint(number, 63, "number")
        if (hold.expires_at or 0) > MAX_MICROSECONDS:
            same("token_holds", row, "expires_at", f"at most {MAX_MICROSECONDS}", hold.expires_at)


@dataclass(slots=True)
class Pending:
    """A hold that the events so far have not resolved."""

    hold: Hold
    remaining: int
    updated_at: int


@dataclass(slots=True)
class EventCheck:
    """The running state of an asset's events: what each next one must continue."""

    domain: bytes
    asset: Asset
    imported: Event | None
    """The end of what an import brought, if there was one."""
    kept: KeptHolds
    """The holds before that."""
    number: int = 0
    after_seq: int = 0
    pending: dict[int, Pending] = field(default_factory=dict)
    """By number."""
    limits: dict[str, Limits] = field(default_factory=dict)
    """Of every account that ever had any."""
    entries: deque[Entry] = field(default_factory=deque)
    """Of kind hold, whose events are not checked yet."""

    def take(self, entries: Iterable[Entry]) -> None:
        """Take the next entries of the journal, which were proved. Raises FoundError."""
        until = 0 if self.imported is None else self.imported.after_seq
        for entry in entries:
            if entry.kind != Kind.HOLD:
                continue
            if entry.seq <= until:
                self.kept.take(entry)
            else:
                self.entries.append(entry)

    def check(self, event: Event, hold: Hold | None) -> None:
        """Check one event and move on; `hold` is the stored row that it names. Raises FoundError.

        Every entry up to its `after_seq` must have been taken.
        """
        row = f"{self.asset.symbol}/{event.number}"
        with readable("token_events", row):
            self._check_place(event, row)
            self._check_entry(event, row)
            if event.type == IMPORTED:
                self._import(event, row)
            elif event.type == "hold_created":
                self._create(event, row, hold)
            elif event.type == "limits_changed":
                self._limit(event, row)
            elif event.type == "hold_posted":
                self._post(event, row, hold)
            elif event.type in _RELEASES:
                self._release(event, row, hold)
            else:
                same("token_events", row, "type", "a known one", event.type)
        self.number, self.after_seq = event.number, event.after_seq

    def _check_place(self, event: Event, row: str) -> None:
        """Check that numbers follow each other, and the entries that they follow."""
        expected = self.number + 1
        if self.imported is not None and event.number < self.imported.number:
            same("token_events", row, "type", "hold_created", event.type)
            expected = max(expected, event.number)
        elif self.imported is not None and self.number < self.imported.number:
            expected = self.imported.number
        check_place(f"{self.asset.symbol}/{expected}", expected, event)
        if event.after_seq < self.after_seq:
            same("token_events", row, "after_seq", f"at least {self.after_seq}", event.after_seq)

    def _check_entry(self, event: Event, row: str) -> None:
        """Check that the next entry which posts a hold has its event right after it."""
        if self.entries and self.entries[0].seq <= event.after_seq:
            first = self.entries[0].seq
            same("token_events", row, "type", "hold_posted", event.type)
            same("token_events", row, "after_seq", first, event.after_seq)

    def _import(self, event: Event, row: str) -> None:
        """End what an import brought: from here on everything has its event."""
        check_plain(event, row, ISSUER)
        if self.imported is not None:  # the first one
            same("token_events", row, "number", self.imported.number, event.number)
        for pending in self.pending.values():
            pending.remaining, pending.updated_at = self.kept.left(pending.hold)

    def _create(self, event: Event, row: str, hold: Hold | None) -> None:
        """Check a new hold: everything in its event is in its row, and most of that in its id."""
        same("token_events", row, "hold", event.number, event.hold)
        if hold is None:
            same("token_holds", row, "row", "there", "missing")
            return
        with readable("token_holds", row):
            check_hold(self.domain, self.asset, hold)
        same("token_events", row, "account_id", hold.account_id, event.account_id)
        same("token_events", row, "timestamp", hold.created_at, event.timestamp)
        details = details_of(id=str(hold.id), amount=str(hold.amount))
        same("token_events", row, "details", details, event.details)
        self.pending[event.number] = Pending(hold, hold.amount, hold.created_at)

    def _pending(self, event: Event, row: str) -> Pending:
        """Return the hold that an event changes."""
        pending = self.pending.get(event.hold) if event.hold is not None else None
        if pending is None:
            same("token_events", row, "hold", "of a pending one", event.hold)
            raise LookupError(row)
        same("token_events", row, "account_id", pending.hold.account_id, event.account_id)
        return pending

    def _post(self, event: Event, row: str, stored: Hold | None) -> None:
        """Check a hold that an entry took a part of, or all."""
        pending = self._pending(event, row)
        if not self.entries or self.entries[0].seq != event.after_seq:
            same("token_events", row, "after_seq", "that of an entry of kind hold", event.after_seq)
        entry = self.entries.popleft()
        hold, rest = pending.hold, pending.remaining - entry.amount
        same("token_ledger", f"{self.asset.symbol}/{entry.seq}", "cause", hold.id, entry.cause)
        _check_sides(self.asset.symbol, hold, entry)
        same("token_events", row, "timestamp", entry.timestamp, event.timestamp)
        if rest < 0:
            same("token_events", row, "details", f"{pending.remaining} at most", entry.amount)
        self._check_expiry(event, row, hold, expired=False)
        ends = {
            details_of(amount=str(entry.amount), remaining=str(kept), seq=entry.seq): kept
            for kept in (rest, 0)
        }
        if event.details not in ends:
            same("token_events", row, "details", " or ".join(ends), event.details)
        pending.remaining, pending.updated_at = ends[event.details], entry.timestamp
        if pending.remaining == 0:
            self._resolve(event, row, stored, HoldState.POSTED)

    def _release(self, event: Event, row: str, stored: Hold | None) -> None:
        """Check a hold that was voided, or that expired."""
        pending, state = self._pending(event, row), _RELEASES[event.type]
        same(
            "token_events",
            row,
            "details",
            details_of(amount=str(pending.remaining)),
            event.details,
        )
        self._check_expiry(event, row, pending.hold, expired=state == HoldState.EXPIRED)
        if event.timestamp < pending.updated_at:
            since = f"at least {pending.updated_at}"
            same("token_events", row, "timestamp", since, event.timestamp)
        self._resolve(event, row, stored, state)

    def _check_expiry(self, event: Event, row: str, hold: Hold, *, expired: bool) -> None:
        """Check that a hold expires when its time is over, and that nothing else happens then."""
        over = hold.expires_at is not None and hold.expires_at <= event.timestamp
        if over != expired:
            found = "over" if over else "not over"
            same("token_events", row, "type", f"of a hold whose time is {found}", event.type)

    def _resolve(self, event: Event, row: str, stored: Hold | None, state: HoldState) -> None:
        """Check the end of a hold against its row."""
        number = self._pending(event, row).hold.number
        at = f"{self.asset.symbol}/{number}"
        if stored is None:
            same("token_holds", at, "row", "there", "missing")
            return
        check_state(at, stored, state, 0, event.timestamp)
        del self.pending[number]

    def _limit(self, event: Event, row: str) -> None:
        """Check a change of limits, and keep them."""
        limits = read_limits(event.details)
        same("token_events", row, "hold", None, event.hold)
        same("token_events", row, "details", limit_details(limits), event.details)
        self.limits[event.account_id] = limits

    def staked(self) -> dict[str, int]:
        """Return what is held of each account."""
        sums: dict[str, int] = {}
        for pending in self.pending.values():
            account_id = pending.hold.account_id
            sums[account_id] = sums.get(account_id, 0) + pending.remaining
        return sums

    def next_expiry(self) -> int | None:
        """Return when the first pending hold expires; None if none does."""
        times = [p.hold.expires_at for p in self.pending.values() if p.hold.expires_at is not None]
        return min(times, default=None)


def check_state(row: str, stored: Hold, state: str, remaining: int, updated_at: int) -> None:
    """Compare what may change of a hold with what its events say. Raises FoundError."""
    same("token_holds", row, "state", str(state), str(stored.state))
    same("token_holds", row, "remaining", remaining, stored.remaining)
    same("token_holds", row, "updated_at", updated_at, stored.updated_at)


def check_place(row: str, expected: int, event: Event) -> None:
    """Check an event's number, which leaves none out, and its numbers' form. Raises FoundError."""
    if event.number != expected:
        same("token_events", row, "row", "there", "missing")
    check_uint(event.after_seq, 63, "after_seq")
    check_uint(event.timestamp, 63, "timestamp")


def check_plain(event: Event, row: str, account_id: str) -> None:
    """Check an event that says nothing but its type, about an account. Raises FoundError."""
    same("token_events", row, "account_id", account_id, event.account_id)
    same("token_events", row, "hold", None, event.hold)
    same("token_events", row, "details", details_of(), event.details)


@dataclass(slots=True)
class AccountEventCheck:
    """The running state of the accounts' own events."""

    number: int = 0
    last_time: int = 0
    statuses: dict[str, Status] = field(default_factory=dict)
    """Of the accounts that are not open."""
    created: int = 0

    def check(self, event: Event) -> None:
        """Check one event and move on. Raises FoundError."""
        row = f"0/{event.number}"
        with readable("token_events", row):
            check_place(f"0/{self.number + 1}", self.number + 1, event)
            same("token_events", row, "after_seq", 0, event.after_seq)
            if event.timestamp < self.last_time:
                since = f"at least {self.last_time}"
                same("token_events", row, "timestamp", since, event.timestamp)
            check_plain(event, row, event.account_id)
            if event.type == "account_created":
                self.created += 1
            else:
                self._move(event, row)
        self.number, self.last_time = event.number, event.timestamp

    def _move(self, event: Event, row: str) -> None:
        """Check a change of status."""
        before = self.statuses.pop(event.account_id, Status.OPEN)
        after = _STATUS_AFTER.get((before, event.type))
        if after is None:
            same("token_events", row, "type", f"one of an account that is {before}", event.type)
        elif after != Status.OPEN:
            self.statuses[event.account_id] = after
