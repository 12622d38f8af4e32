"""The audit of accounts: their addresses, the proofs of those, their events and statuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger import account_store, check_store, event_store
from ledger.account_rules import new_account
from ledger.addresses import account_blind
from ledger.audit_events import PAGE, check_count, check_cut_off
from ledger.checks import (
    Finding,
    FoundError,
    check_account,
    check_closed,
    readable,
    recomputed,
    same,
)
from ledger.event_checks import AccountEventCheck
from ledger.locked import ACCOUNTS
from ledger.model import ISSUER, ZERO_ADDRESS, ZERO_HASH, Address, Hash32, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from ledger.checks import JournalCheck
    from ledger.results import Entry


def check_row(row: Any, ledger_id: bytes, pepper: bytes | None) -> None:  # noqa: ANN401 (SQLAlchemy's row)
    """Recompute the address in an account's row, or check how it was proved. Raises FoundError."""
    with readable("token_accounts", row.account_id):
        account = account_store.account_of(row, pepper)
        check_account(account, ledger_id)
        chain_id = None if account.link is None else str(account.link.chain_id)
        same("token_accounts", row.account_id, "link_chain_id", chain_id, row.link_chain_id)
        if account.link is None:
            same("token_accounts", row.account_id, "link_signature", None, row.link_signature)
        elif pepper is not None:
            blind = account_blind(pepper, row.account_id)
            same("token_accounts", row.account_id, "blind", blind, account.blind)


def missing_account(
    check: JournalCheck, entry: Entry, ledger_id: bytes, pepper: bytes | None, registrar: Address
) -> FoundError | None:
    """Return the account whose row is gone, if with its address the entry would be right."""
    sides = ((entry.from_account, entry.from_address), (entry.to_account, entry.to_address))
    gone = [name for name, at in sides if at == ZERO_ADDRESS and name != ISSUER]
    if not gone or pepper is None or not all(isinstance(name, str) for name in gone):
        return None
    from_, to = (
        new_account(name, Hash32(ledger_id), Hash32(pepper), registrar, 0).address
        if name in gone
        else at
        for name, at in sides
    )
    whole = replace(entry, from_address=from_, to_address=to)
    if recomputed(check.domain, check.asset.id, check.head, whole)[0] != entry.id:
        return None
    return FoundError(Finding("token_accounts", gone[0], "row", "there", "missing"))


class AccountEventAudit:
    """The audit of the accounts' own events."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.check = AccountEventCheck()

    def take(self, connection: Connection) -> bool:
        """Check the next page; return whether there may be more. Raises FoundError."""
        events = event_store.read_events(connection, 0, ACCOUNTS, self.check.number, PAGE)
        for event in events:
            self.check.check(event)
        return len(events) == PAGE

    def finish(self, connection: Connection, journals: Iterable[JournalCheck]) -> None:
        """Check in a snapshot what is left, and the accounts as they are. Raises FoundError."""
        while self.take(connection):
            pass
        with readable("token_journals", "0"):
            end = check_store.read_end(connection, 0)
        if end is None:
            raise FoundError(Finding("token_journals", "0", "row", "there", "missing"))
        try:
            self._check_accounts(connection)
        except FoundError:
            check_cut_off("0", self.check.number, end.events)
            raise
        check_count("0", self.check.number, end.events)
        statuses = self.check.statuses.items()
        closed = [account_id for account_id, status in statuses if status == Status.CLOSED]
        for journal in journals:
            check_closed(journal, closed)
        same("token_journals", "0", "seq", 0, end.seq)
        same("token_journals", "0", "head", bytes(ZERO_HASH), bytes(end.head))
        same("token_journals", "0", "last_time", self.check.last_time, end.last_time)
        same("token_journals", "0", "next_expiry", None, end.next_expiry)

    def _check_accounts(self, connection: Connection) -> None:
        """Check that every account was created once, and has the status of its last event."""
        unknown = check_store.unknown_account(connection)
        if unknown is not None:
            number, account_id = unknown
            if check_store.count_accounts(connection) < self.check.created:
                same("token_accounts", str(account_id), "row", "there", "missing")
            exists = "an account that exists"
            same("token_events", f"0/{number}", "account_id", exists, repr(account_id))
        once = check_store.not_created_once(connection)
        if once is not None:
            same("token_accounts", once[0], "account_created events", 1, once[1])
        stored = check_store.not_open(connection)
        for account_id in sorted(stored.keys() | self.check.statuses.keys()):
            expected = self.check.statuses.get(account_id, Status.OPEN)
            found = stored.get(account_id, Status.OPEN)
            same("token_accounts", account_id, "status", str(expected), str(found))
