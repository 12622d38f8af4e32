"""Audit: recompute everything that is stored, and name the first row that does not follow.

Long journals are read in short transactions; what was posted meanwhile, and all that changes in
place (balances, heads), is read in one snapshot at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger import store
from ledger.addresses import pepper_check
from ledger.balances import NOTHING, BalanceState
from ledger.checks import (
    BatchCheck,
    Finding,
    FoundError,
    JournalCheck,
    SealCheck,
    check_account,
    check_asset,
    check_groups,
    same,
)
from ledger.encoding import ledger_domain
from ledger.errors import FieldError
from ledger.model import ISSUER
from ledger.sealing import read_batches, read_heads, read_seals
from ledger.tables import accounts, balances

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection

    from ledger.results import Asset, Entry, SealedBatch
    from ledger.transactions import Transactions

PAGE = 5_000
"""Rows read in one short transaction."""

_BALANCE_COLUMNS = ("balance", "total_earned", "total_spent", "total_staked")

ExpectedHead = tuple[int, bytes]
"""(seq, head) from outside: a signed checkpoint, a file, the chain."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit read, and the first thing wrong, if any."""

    assets: int
    accounts: int
    entries: int
    seals: int
    heads: dict[str, tuple[int, bytes]]
    """(seq, head) of each journal: keep them elsewhere, and a cut tail can be found later."""
    finding: Finding | None

    @property
    def ok(self) -> bool:
        """Whether everything follows."""
        return self.finding is None


def run_audit(
    transactions: Transactions,
    expect_heads: Mapping[str, ExpectedHead] | None = None,
    progress: Callable[[int], None] | None = None,
) -> AuditReport:
    """Recompute everything and return a report with the first finding, or none.

    `expect_heads` are (seq, head) by symbol, from outside the database: with them a tail that was
    cut off is found too. `progress` is told how many entries were checked, page by page.
    """
    audit = _Audit(transactions, dict(expect_heads or {}), progress or (lambda _: None))
    finding: Finding | None = None
    try:
        audit.run()
    except FoundError as found:
        finding = found.finding
    journals = audit.journals.values()
    return AuditReport(
        assets=len(audit.assets),
        accounts=audit.accounts,
        entries=sum(check.seq for check in journals),
        seals=audit.seals.number,
        heads={check.asset.symbol: (check.seq, check.head) for check in journals},
        finding=finding,
    )


@dataclass(slots=True)
class _Audit:
    """One audit under way."""

    transactions: Transactions
    expect_heads: dict[str, ExpectedHead]
    progress: Callable[[int], None]
    assets: dict[str, Asset] = field(default_factory=dict)
    accounts: int = 0
    journals: dict[str, JournalCheck] = field(default_factory=dict)
    batches: dict[str, BatchCheck] = field(default_factory=dict)
    seals: SealCheck = field(default_factory=lambda: SealCheck(b""))
    domain: bytes = b""
    pepper: bytes | None = None

    def run(self) -> None:
        """Check settings, assets, accounts, journals with their batches, then what changes."""
        with self.transactions.reading() as connection:
            ledger_id = self._check_settings(connection)
            self.assets = store.read_assets(connection)
        for asset in self.assets.values():
            check_asset(asset)
            self.journals[asset.symbol] = JournalCheck(self.domain, asset)
            stored = self._stored_batches(asset)
            self.batches[asset.symbol] = BatchCheck(self.domain, asset, stored)
        self._check_accounts(ledger_id)
        for check in self.journals.values():
            while self._check_page(check) == PAGE:
                pass
        with self.transactions.snapshot() as connection:
            for check in self.journals.values():
                self._check_rest(connection, check)
            check_groups(self.domain, list(self.journals.values()))
            self._check_seals(connection)

    def _check_settings(self, connection: Connection) -> bytes:
        """Check the one row of settings and keep what the ids depend on."""
        row = store.read_settings(connection)
        self.domain, self.pepper = ledger_domain(row.ledger_id), row.pepper
        same("token_settings", "1", "domain", self.domain, bytes(row.domain))
        if row.pepper is not None:
            same("token_settings", "1", "pepper", pepper_check(row.pepper), row.pepper_check)
        self.seals = SealCheck(self.domain)
        return bytes(row.ledger_id)

    def _check_accounts(self, ledger_id: bytes) -> None:
        """Recompute every address."""
        after = ""
        while True:
            with self.transactions.reading() as connection:
                query = select(accounts).where(accounts.c.account_id > after)
                rows = connection.execute(query.order_by(accounts.c.account_id).limit(PAGE)).all()
            for row in rows:
                check_account(store.account_of(row, self.pepper), ledger_id)
            self.accounts += len(rows)
            if len(rows) < PAGE:
                return
            after = rows[-1].account_id

    def _check_page(self, check: JournalCheck) -> int:
        """Check the next page of a journal in a transaction of its own; return its size."""
        with self.transactions.reading() as connection:
            entries = self._page(connection, check)
        self._check_entries(check, entries)
        return len(entries)

    def _check_entries(self, check: JournalCheck, entries: list[Entry]) -> None:
        """Check entries that follow what was checked, and the batches that they fill."""
        symbol = check.asset.symbol
        expected = self.expect_heads.get(symbol)
        for entry in entries:
            check.check(entry)
            self.batches[symbol].check(entry)
            if expected is not None and entry.seq == expected[0]:
                same("token_ledger", f"{symbol}/{entry.seq}", "head", expected[1], check.head)
        if entries:
            self.progress(len(entries))

    def _page(self, connection: Connection, check: JournalCheck) -> list[Entry]:
        """Read the next page; a row that cannot even be read is the finding."""
        rest = "AND e.seq > ? ORDER BY e.seq LIMIT ?"
        try:
            return store.select_entries(connection, check.asset, self.pepper, rest, check.seq, PAGE)
        except (FieldError, TypeError, ValueError):
            return self._row_by_row(connection, check)

    def _row_by_row(self, connection: Connection, check: JournalCheck) -> list[Entry]:
        """Return the rows before the first that cannot be read; stop if that is the next one."""
        read: list[Entry] = []
        while True:
            seq = check.seq + len(read) + 1
            try:
                read += store.select_entries(
                    connection, check.asset, self.pepper, "AND e.seq = ?", seq
                )
            except (FieldError, TypeError, ValueError) as error:
                if read:
                    return read
                row = f"{check.asset.symbol}/{seq}"
                raise FoundError(
                    Finding("token_ledger", row, "form", "a readable row", str(error))
                ) from None

    def _stored_batches(self, asset: Asset) -> Iterator[SealedBatch]:
        """Return the stored batches of `asset`, a page at a time."""
        number = 0
        while True:
            with self.transactions.reading() as connection:
                page = read_batches(connection, asset, number, 1_000)
            yield from page
            if not page:
                return
            number = page[-1].batch.number

    def _check_rest(self, connection: Connection, check: JournalCheck) -> None:
        """Check in one snapshot what is left of a journal, its head and its balances."""
        while entries := self._page(connection, check):
            self._check_entries(check, entries)
        check.end_group()
        symbol = check.asset.symbol
        self.batches[symbol].finish()
        head = read_heads(connection)[check.asset.number]
        same("token_journals", symbol, "seq", check.seq, head.seq)
        same("token_journals", symbol, "head", check.head, bytes(head.head))
        same("token_journals", symbol, "last_time", check.last_time, head.last_time)
        expected = self.expect_heads.get(symbol)
        if expected is not None and expected[0] == 0:
            start = JournalCheck(self.domain, check.asset).head
            same("token_journals", symbol, "head", expected[1], start)
        elif expected is not None and check.seq < expected[0]:
            same("token_journals", symbol, "seq", f"at least {expected[0]}", str(check.seq))
        self._check_balances(connection, check)

    def _check_balances(self, connection: Connection, check: JournalCheck) -> None:
        """Compare every stored balance with the running one, and the sum with the supply."""
        symbol, left = check.asset.symbol, dict(check.states)
        query = select(balances).where(balances.c.asset == check.asset.number)
        total = 0
        for row in connection.execute(query.order_by(balances.c.account_id)):
            where = f"{symbol}/{row.account_id}"
            state = left.pop(row.account_id, NOTHING)
            stored = BalanceState(row.balance, row.total_earned, row.total_spent, row.total_staked)
            for what, expected, found in zip(_BALANCE_COLUMNS, state, stored, strict=True):
                same("token_balances", where, what, expected, found)
            total += 0 if row.account_id == ISSUER else row.balance
        for account_id in left:
            same("token_balances", f"{symbol}/{account_id}", "row", "there", "missing")
        supply = check.states.get(ISSUER, NOTHING).balance
        same("token_balances", f"{symbol}/{ISSUER}", "balance", total, supply)

    def _check_seals(self, connection: Connection) -> None:
        """Recompute the chain of seals, and that every batch is in one."""
        sealed = store.read_settings(connection).sealed
        seen = 0
        for first in range(1, sealed + 1, 100):
            for seal in read_seals(connection, self.assets, first, min(first + 99, sealed)):
                self.seals.check(seal)
                seen += len(seal.batches)
        same("token_settings", "1", "sealed", self.seals.number, sealed)
        proved = sum(check.end.number for check in self.batches.values())
        same("token_batches", "seal", "number of batches in seals", proved, seen)
