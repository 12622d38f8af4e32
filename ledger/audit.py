"""Audit: recompute everything that is stored, and name the first row that does not follow.

Long journals are read in short transactions; what was posted meanwhile, and all that changes in
place (balances, heads), is read in one snapshot at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from ledger import check_store, store
from ledger.addresses import pepper_check
from ledger.audit_accounts import AccountEventAudit, check_row, missing_account
from ledger.audit_events import EventAudit
from ledger.balances import NOTHING, BalanceState
from ledger.checks import (
    UNREADABLE,
    Finding,
    FoundError,
    JournalCheck,
    check_asset,
    check_groups,
    readable,
    same,
    unreadable,
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

    from ledger.results import Asset, Entry, SealedBatch
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
        """Check the next page of a journal in a transaction of its own; return its size."""
        with self.transactions.reading() as connection:
            entries = self._page(connection, check)
            strays = store.wrong_origins(connection, check.asset, check.seq, PAGE)
            lost = _lost_keys(connection, check, entries)
        self._check_entries(check, entries, strays)
        _refuse_lost(lost)
        with self.transactions.reading() as connection:
            self.events[check.asset.symbol].take(connection, entries, check.seq)
        return len(entries)

    def _check_entries(
        self, check: JournalCheck, entries: list[Entry], wrong_origins: Mapping[int, str]
    ) -> None:
        """Check entries that follow what was checked, and the batches that they fill."""
        symbol = check.asset.symbol
        expected = self.expect_heads.get(symbol)
        for entry in entries:
            try:
                check.check(entry)
            except FoundError as found:
                raise (
                    missing_account(check, entry, self.ledger_id, self.pepper, self.registrar)
                    or found
                ) from None
            except UNREADABLE as error:
                raise unreadable("token_ledger", f"{symbol}/{check.seq + 1}", error) from None
            if entry.seq in wrong_origins:
                found_origin = wrong_origins[entry.seq]
                same("token_ledger", f"{symbol}/{entry.seq}", "origin", entry.origin, found_origin)
            self.batches[symbol].check(entry)
            if expected is not None and entry.seq == expected[0]:
                same("token_ledger", f"{symbol}/{entry.seq}", "head", expected[1], check.head)
        if entries:
            self.progress(len(entries))

    def _page(self, connection: Connection, check: JournalCheck) -> list[Entry]:
        """Read the next page; a row that cannot even be read is the finding."""
        rest = "AND e.seq > ? ORDER BY e.seq LIMIT ?"
        try:
            with readable("token_ledger"):
                return store.select_entries(
                    connection, check.asset, self.pepper, rest, check.seq, PAGE
                )
        except FoundError:
            return self._row_by_row(connection, check)

    def _row_by_row(self, connection: Connection, check: JournalCheck) -> list[Entry]:
        """Return the rows before the first that cannot be read; stop if that is the next one."""
        read: list[Entry] = []
        while True:
            seq = check.seq + len(read) + 1
            rest = "AND e.seq = ?"
            try:
                with readable("token_ledger", f"{check.asset.symbol}/{seq}"):
                    read.append(
                        store.select_entries(connection, check.asset, self.pepper, rest, seq)[0]
                    )
            except FoundError:
                if read:
                    return read
                raise

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
        while entries := self._page(connection, check):
            strays = store.wrong_origins(connection, check.asset, check.seq, PAGE)
            lost = _lost_keys(connection, check, entries)
            self._check_entries(check, entries, strays)
            _refuse_lost(lost)
            self.events[check.asset.symbol].take(connection, entries, check.seq)
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
        symbol, left = check.asset.symbol, dict(check.states)
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
        supply = check.states.get(ISSUER, NOTHING).balance
        same("token_balances", f"{symbol}/{ISSUER}", "balance", total, supply)


def _lost_keys(connection: Connection, check: JournalCheck, entries: list[Entry]) -> list[str]:
    """Return the first key of `entries` that is not kept as having made its entry."""
    last = check.seq + len(entries)
    return store.lost_keys(connection, check.asset, check.seq, last)


def _refuse_lost(keys: list[str]) -> None:
    """Refuse a key that is not kept: its request would be posted twice. Raises FoundError."""
    for key in keys:
        raise FoundError(Finding("token_keys", key, "made", "its entry", "another, or missing"))


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
