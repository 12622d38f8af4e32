"""Restoring what goes with an asset's entries: pending holds, limits, balances, events, volume."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ledger import account_store, check_store, event_store, hold_store, store
from ledger.addresses import hold_blind
from ledger.amounts import check_amount
from ledger.balances import NOTHING
from ledger.checks import readable, same
from ledger.details import IMPORTED, details_of, limit_details
from ledger.event_checks import KeptHolds, check_hold, check_hold_form
from ledger.locked import Event, Journal
from ledger.model import ISSUER, ZERO_ADDRESS, Kind
from ledger.repeats import keyed_hold
from ledger.reversal_checks import ReversalCheck

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from ledger.checks import JournalCheck
    from ledger.repeats import Keyed
    from ledger.results import Asset, Carried, Entry, Hold, Identity


class Standing:
    """What goes with the entries of one asset, checked against them and written."""

    def __init__(
        self, connection: Connection, identity: Identity, asset: Asset, carried: Carried
    ) -> None:
        """Take what an export carries."""
        self.reversals = ReversalCheck(identity.domain, asset)
        self._connection, self._identity, self._asset = connection, identity, asset
        self._carried = carried
        self._kept = KeptHolds(asset.symbol, {c.hold.id: c.hold for c in carried.holds})

    def check_holds(self) -> None:
        """Check each hold by itself. Raises FoundError."""
        domain, pepper, asset = self._identity.domain, self._identity.pepper, self._asset
        number = after_seq = 0
        for carried in self._carried.holds:
            hold = carried.hold
            row = f"{asset.symbol}/{hold.number}"
            check_hold_form(asset, carried)
            if not number < hold.number <= self._carried.last_hold:
                form = f"over {number}, at most {self._carried.last_hold}"
                same("token_holds", row, "number", form, hold.number)
            if carried.after_seq < after_seq:
                same("token_holds", row, "after_seq", f"at least {after_seq}", carried.after_seq)
            number, after_seq = hold.number, carried.after_seq
            check_hold(domain, asset, hold)
            if pepper is not None:
                blind = hold_blind(pepper, asset.id, hold.number)
                same("token_holds", row, "blind", bytes(blind), bytes(hold.blind))
            self._check_addresses(hold, row)

    def _check_addresses(self, hold: Hold, row: str) -> None:
        """Check that the addresses which were hashed are those of the accounts named."""
        named = {hold.account_id, hold.to_account} - {""}
        known = account_store.read_addresses(self._connection, sorted(named))
        sides = (("account_id", hold.from_address), ("to_account", hold.to_address))
        for what, address in sides:
            account_id = getattr(hold, what)
            expected = known.get(account_id, b"") if account_id else ZERO_ADDRESS
            same("token_holds", row, what, bytes(expected), bytes(address))

    def take(self, entries: Sequence[Entry]) -> None:
        """Take the next entries, which have been written. Raises FoundError."""
        reversals = [entry for entry in entries if entry.kind == Kind.REVERSAL]
        if reversals:
            wanted = [entry.cause for entry in reversals]
            originals = check_store.read_originals(self._connection, self._asset, wanted)
            self.reversals.check(reversals, originals)
        for entry in entries:
            if entry.kind == Kind.HOLD:
                self._kept.take(entry)

    def keys(self) -> Iterator[Keyed]:
        """Yield the keys that made the holds."""
        for carried in self._carried.holds:
            if carried.hold.idempotency_key:
                yield keyed_hold(carried.hold)

    def write(self, journal: JournalCheck) -> None:
        """Write what the entries lead to. Raises FoundError."""
        self.reversals.end()
        connection, number = self._connection, self._asset.number
        numbers = {self._asset.symbol: number}
        holds = [self._left(carried.hold) for carried in self._carried.holds]
        self._write_balances(journal, holds)
        hold_store.write_holds(connection, holds, numbers, with_blind=self._identity.pepper is None)
        events = list(self._events(journal))
        event_store.write_events(connection, events, numbers)
        volume = {(number, hour): sums for hour, sums in journal.volume.items()}
        hold_store.add_volume(connection, volume)
        end = Journal(
            self._asset,
            journal.seq,
            journal.head,
            journal.seq,
            journal.last_time,
            events[-1].number,
            min((h.expires_at for h in holds if h.expires_at is not None), default=None),
        )
        store.write_heads(connection, [end])

    def _left(self, hold: Hold) -> Hold:
        """Return a hold with what the entries left of it, which it must say itself."""
        remaining, updated_at = self._kept.left(hold)
        row = f"{self._asset.symbol}/{hold.number}"
        same("token_holds", row, "remaining", remaining, hold.remaining)
        return replace(hold, updated_at=updated_at)

    def _write_balances(self, journal: JournalCheck, holds: Sequence[Hold]) -> None:
        """Write balances with what is held of them, and limits."""
        number, limits = self._asset.number, self._carried.limits
        known = account_store.read_addresses(self._connection, sorted(limits))
        states = dict(journal.states)
        for account_id, each in limits.items():
            row = f"{self._asset.symbol}/{account_id}"
            exists = account_id in known and account_id != ISSUER
            same("token_balances", row, "account_id", expected=True, found=exists)
            with readable("token_balances", row):
                for limit in (each.max_debit, each.max_balance):
                    check_amount(0 if limit is None else limit)
            states.setdefault(account_id, NOTHING)
        for hold in holds:
            state = states.get(hold.account_id, NOTHING)
            states[hold.account_id] = state._replace(staked=state.staked + hold.remaining)
        for hold in holds:
            state, row = states[hold.account_id], f"{self._asset.symbol}/{hold.number}"
            if state.staked > state.balance:
                most = f"with all others at most {state.balance}"
                same("token_holds", row, "remaining", most, hold.remaining)
        placed = {(number, account_id): state for account_id, state in states.items()}
        store.write_balances(self._connection, placed, journal.last_time)
        hold_store.write_limits(
            self._connection, {(number, account_id): each for account_id, each in limits.items()}
        )

    def _events(self, journal: JournalCheck) -> Iterator[Event]:
        """Yield the events that the import makes: of holds, of its own end, of limits."""
        symbol = self._asset.symbol
        for carried in self._carried.holds:
            hold = carried.hold
            if carried.after_seq > journal.seq:
                row, most = f"{symbol}/{hold.number}", f"at most {journal.seq}"
                same("token_holds", row, "after_seq", most, carried.after_seq)
            yield Event(
                symbol,
                hold.number,
                carried.after_seq,
                hold.created_at,
                "hold_created",
                hold.account_id,
                hold.number,
                details_of(id=str(hold.id), amount=str(hold.amount)),
            )
        place = (journal.seq, journal.last_time)
        number = self._carried.last_hold + 1
        yield Event(symbol, number, *place, IMPORTED, ISSUER, None, details_of())
        for account_id, limits in sorted(self._carried.limits.items()):
            number += 1
            details = limit_details(limits)
            yield Event(symbol, number, *place, "limits_changed", account_id, None, details)
