"""What a process remembers of a journal between its own postings. Values only.

Under a journal's lock, what was read at its last posting still holds if the journal stands where
that posting left it: every change of an entry, hold, limit or status moves it. Whoever locks the
journal takes what is remembered, and gives it back only after its own COMMIT: nobody else sees it
meanwhile, and what ended otherwise is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ledger.balances import NOTHING, BalanceState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.locked import Journal, Locked
    from ledger.model import Address, Status
    from ledger.results import Limits

MAX_REMEMBERED = 200_000
"""Accounts remembered of one journal; beyond, all of them are forgotten."""


@dataclass(slots=True)
class Known:
    """What is known of a journal and of its accounts, as of where it stood."""

    journal: Journal
    balances: dict[str, BalanceState] = field(default_factory=dict)
    limits: dict[str, Limits] = field(default_factory=dict)
    addresses: dict[str, Address] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    """Of the accounts that are not open."""

    def learn(self, locked: Locked, symbol: str) -> None:
        """Take over what a committed posting made."""
        for place_symbol, account_id in locked.touched:
            if place_symbol == symbol:
                self.balances[account_id] = locked.balances[symbol, account_id]
        for (place_symbol, account_id), limits in locked.changed_limits.items():
            if place_symbol == symbol:
                self.limits[account_id] = limits
        for account in locked.new_accounts:
            self.addresses[account.account_id] = account.address
            self.balances.setdefault(account.account_id, NOTHING)
        for account in locked.changed_accounts.values():
            self.forget(account.account_id)
        self.journal = replace(locked.journals[symbol])

    def has(self, account_ids: Iterable[str]) -> bool:
        """Tell whether all of `account_ids` are known, at a price that depends on them alone."""
        return all(each in self.addresses and each in self.balances for each in account_ids)

    def forget(self, account_id: str) -> None:
        """Read an account again when it is next needed."""
        for known in (self.balances, self.limits, self.addresses, self.statuses):
            known.pop(account_id, None)


class Memory:
    """What a process remembers of each journal, for whoever holds its lock."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._known: dict[str, Known] = {}
        self.clock: tuple[int, int] | None = None
        """What the database's clock and this host's steady one said at the same moment."""

    def take(self, symbol: str, journal: Journal) -> Known:
        """Return what is known of a locked journal, which nobody else then has."""
        known = self.take_unlocked(symbol)
        if known is None or known.journal != journal:
            return Known(replace(journal))
        return known

    def take_unlocked(self, symbol: str) -> Known | None:
        """Return what was known of a journal, which may have moved on meanwhile."""
        return self._known.pop(symbol, None)

    def give(self, symbol: str, known: Known) -> None:
        """Remember what is known, after the COMMIT of what it follows from."""
        if len(known.balances) <= MAX_REMEMBERED:
            self._known[symbol] = known
