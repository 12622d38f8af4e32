"""Audit: recompute everything that is stored, and name the first row that does not follow.

Long journals are read in short transactions; what was posted meanwhile, and all that changes in
place (balances, heads), is read in one snapshot at the end.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from ledger import check_store, store
from ledger.addresses import pepper_check
from ledger.audit_accounts import AccountEventAudit, check_row
from ledger.audit_entries import EntryAudit
from ledger.audit_events import EventAudit
from ledger.balances import NOTHING, BalanceState
from ledger.checks import (
    Finding,
    FoundError,
    JournalCheck,
    check_asset,
    check_groups,
    readable,
    same,
)
from ledger.encoding import ledger_domain
from ledger.model import ISSUER, ZERO_ADDRESS, Address
from ledger.reversal_checks import check_reversed_groups
from ledger.seal_checks import BatchCheck, SealCheck, check_group_seals
from ledger.sealing import check_seals, read_batches, read_heads
from ledger.tables import accounts, balances

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection

    from ledger.results import Asset, SealedBatch
    from ledger.transactions import Transactions

PAGE = 5_000
"""Rows read in one short transaction."""

_OF_ASSETS = {
    "token_journals": "asset",
    "token_ledger": "seq",
    "token_balances": "account_id",
    "token_batches": "number",
    "token_holds": "number",
    "token_events": "number",
    "token_volume": "hour",
}
"""The tables whose primary key starts with the asset, and how it goes on."""

_OF_ACCOUNTS_TOO = {"token_journals", "token_events"}
"""Those in which asset 0 is the stream of account changes."""

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
    entries: dict[str, EntryAudit] = field(default_factory=dict)
    events: dict[str, EventAudit] = field(default_factory=dict)
    account_events: AccountEventAudit = field(default_factory=AccountEventAudit)
    seals: SealCheck = field(default_factory=lambda: SealCheck(b""))
    ledger_id: bytes = b""
    domain: bytes = b""
    pepper: bytes | None = None
    registrar: Address = ZERO_ADDRESS
    sealed: int = 0
    """The last seal when the audit began: later ones are proved by the next audit."""

    def run(self) -> None:
        """Check settings, assets, accounts, journals with their batches, then what changes."""
        with self.transactions.reading() as connection:
            self._check_settings(connection)
            self._check_assets(connection)
            _check_strays(connection)
        self._check_accounts()
        for check in self.journals.values():
            while self._check_page(check) == PAGE:
                pass
        self._check_account_events()
        with self.transactions.snapshot() as connection:
            self._check_assets(connection)  # those made meanwhile: groups may be over both
            for check in self.journals.values():
                self._check_rest(connection, check)
            journals = list(self.journals.values())
            check_groups(self.domain, journals)
            check_reversed_groups(journals, [each.reversals for each in self.events.values()])
            self._check_causes(connection)
            by_id = {self.assets[symbol].id: check for symbol, check in self.batches.items()}
            check_seals(connection, self.assets, self.seals)
            check_group_seals(journals, by_id)
            self.account_events.finish(connection, journals)

    def _check_settings(self, connection: Connection) -> None:
        """Check the one row of settings and keep what the ids depend on."""
        row = store.read_settings(connection)
        if row is None:
            raise FoundError(Finding("token_settings", "1", "row", "there", "missing"))
        if not isinstance(row.sealed, int):
            same("token_settings", "1", "sealed", "a number", row.sealed)
        self.ledger_id, self.pepper, self.sealed = row.ledger_id, row.pepper, row.sealed
        self.domain, self.registrar = ledger_domain(row.ledger_id), Address(row.registrar)
        same("token_settings", "1", "domain", self.domain, bytes(row.domain))
        expected = None if row.pepper is None else pepper_check(row.pepper)
        same("token_settings", "1", "pepper", expected, row.pepper_check)
        self.seals = SealCheck(self.domain)

    def _check_assets(self, connection: Connection) -> None:
        """Recompute the ids of the assets that are new to this audit, and start their journals."""
        with readable("token_assets"):
            self.assets = store.read_assets(connection)
        for symbol, asset in self.assets.items():
            if not 1 <= asset.number <= len(self.assets):
                same("token_assets", symbol, "asset", f"1..{len(self.assets)}", str(asset.number))
            if symbol not in self.journals:
                with readable("token_assets", symbol):
                    check_asset(asset)
                self.journals[symbol] = JournalCheck(self.domain, asset)
                self.batches[symbol] = BatchCheck(self.domain, asset, self._stored_batches(asset))
                self.entries[symbol] = EntryAudit(
                    self.journals[symbol],
                    self.batches[symbol],
                    self.ledger_id,
                    self.pepper,
                    self.registrar,
                    self.expect_heads.get(symbol),
                )
                self.events[symbol] = EventAudit(connection, self.domain, self.pepper, asset)

    def _check_accounts(self) -> None:
        """Recompute every address."""
        after, seen_issuer = "", False
        while True:
            with self.transactions.reading() as connection:
                query = select(accounts).where(accounts.c.account_id > after)
                rows = connection.execute(query.order_by(accounts.c.account_id).limit(PAGE)).all()
            for row in rows:
                check_row(row, self.ledger_id, self.pepper)
                seen_issuer |= row.account_id == ISSUER
            self.accounts += len(rows)
            if len(rows) < PAGE:
                break
            after = rows[-1].account_id
        same("token_accounts", ISSUER, "row", "there", "there" if seen_issuer else "missing")

    def _check_account_events(self) -> None:
        """Check the accounts' own events, page by page."""
        while True:
            with self.transactions.reading() as connection:
                if not self.account_events.take(connection):
                    return

    def _check_causes(self, connection: Connection) -> None:
        """Check that an entry was reversed, and a log read, at most once."""
        place = check_store.same_cause(connection)
        if place is not None:
            symbols = {asset.number: asset.symbol for asset in self.assets.values()}
            row = f"{symbols[place[0]]}/{place[1]}"
            same("token_ledger", row, "cause", "one that no other entry has", "that of another")

    def _check_page(self, check: JournalCheck) -> int:
        """Check the next page of a journal in transactions of its own; return its size."""
        walk = self.entries[check.asset.symbol]
        with self.transactions.reading() as connection:
            page = walk.read(connection, PAGE)
        special = walk.check(page, self.transactions.reading)
        self.progress(len(page.rows))
        with self.transactions.reading() as connection:
            self.events[check.asset.symbol].take(connection, special, check.seq)
        return len(page.rows)

    def _stored_batches(self, asset: Asset) -> Iterator[SealedBatch]:
        """Return the stored batches of `asset`, a page at a time."""
        number = 0
        while True:
            with self.transactions.reading() as connection, readable("token_batches"):
                page = read_batches(connection, asset, number, 1_000)
                known = [batch for batch in page if batch.seal <= self.sealed]
            yield from known
            if not page:
                return
            number = page[-1].batch.number

    def _check_rest(self, connection: Connection, check: JournalCheck) -> None:
        """Check in one snapshot what is left of a journal, its head and its balances."""
        walk = self.entries[check.asset.symbol]
        while (page := walk.read(connection, PAGE)).rows:
            special = walk.check(page, lambda: nullcontext(connection))
            self.progress(len(page.rows))
            self.events[check.asset.symbol].take(connection, special, check.seq)
        check.end_group()
        symbol = check.asset.symbol
        self._check_head(connection, check)
        self.events[symbol].finish(connection, check)
        self.batches[symbol].finish()
        expected = self.expect_heads.get(symbol)
        if expected is not None and expected[0] == 0:
            start = JournalCheck(self.domain, check.asset).head
            same("token_journals", symbol, "head", expected[1], start)
        elif expected is not None and check.seq < expected[0]:
            same("token_journals", symbol, "seq", f"at least {expected[0]}", str(check.seq))
        self._check_balances(connection, check)

    def _check_head(self, connection: Connection, check: JournalCheck) -> None:
        """Compare the stored head with the entries; tell an altered head from entries cut off."""
        symbol = check.asset.symbol
        with readable("token_journals", symbol):
            head = read_heads(connection).get(check.asset.number)
        if head is None:
            raise FoundError(Finding("token_journals", symbol, "row", "there", "missing"))
        if head.seq != check.seq and head.head != check.head:
            row = f"{symbol}/{min(head.seq, check.seq) + 1}"
            cut_off = head.seq > check.seq
            same("token_ledger", row, "row", *("there", "missing")[:: 1 if cut_off else -1])
        same("token_journals", symbol, "seq", check.seq, head.seq)
        same("token_journals", symbol, "head", check.head, bytes(head.head))
        same("token_journals", symbol, "last_time", check.last_time, head.last_time)

    def _check_balances(self, connection: Connection, check: JournalCheck) -> None:
        """Compare every stored balance with the running one, and the sum with the supply."""
        symbol, left = check.asset.symbol, check.states
        supply = left.get(ISSUER, NOTHING).balance
        events = self.events[symbol].check
        staked = events.staked()
        left = dict.fromkeys(events.limits, NOTHING) | left
        query = select(balances).where(balances.c.asset == check.asset.number)
        with readable("token_balances"):
            rows = connection.execute(query.order_by(balances.c.account_id)).all()
        total = 0
        for row in rows:
            where = f"{symbol}/{row.account_id}"
            state = left.pop(row.account_id, None)
            if state is None:
                raise FoundError(Finding("token_balances", where, "row", "missing", "there"))
            stored = BalanceState(row.balance, row.total_earned, row.total_spent, row.total_staked)
            state = state._replace(staked=staked.get(row.account_id, 0))
            for what, expected, found in zip(_BALANCE_COLUMNS, state, stored, strict=True):
                same("token_balances", where, what, expected, found)
            if not 0 <= row.total_staked <= row.balance:
                most = f"at most {row.balance}"
                same("token_balances", where, "total_staked", most, row.total_staked)
            total += 0 if row.account_id == ISSUER else row.balance
        for account_id in left:
            same("token_balances", f"{symbol}/{account_id}", "row", "there", "missing")
        same("token_balances", f"{symbol}/{ISSUER}", "balance", total, supply)


def _check_strays(connection: Connection) -> None:
    """Refuse rows of assets that do not exist, each found by the start of its primary key."""
    for table, key in _OF_ASSETS.items():
        first = 0 if table in _OF_ACCOUNTS_TOO else 1
        row = connection.execute(
            text(
                f"SELECT asset, {key} FROM {table} WHERE asset < {first} "  # noqa: S608 (our own names)
                "OR asset > (SELECT count(*) FROM token_assets) LIMIT 1"
            )
        ).one_or_none()
        if row is not None:
            where = f"{row[0]}/{row[1]}" if key != "asset" else str(row[0])
            raise FoundError(Finding(table, where, "asset", "an asset that exists", str(row[0])))
