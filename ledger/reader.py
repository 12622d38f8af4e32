"""What can be read of a ledger; `Ledger` adds what posts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger import reads, store
from ledger.addresses import normalize_account_id
from ledger.amounts import check_amount
from ledger.audit import AuditReport, ExpectedHead, run_audit
from ledger.cursors import Cursor, format_cursor, parse_cursor
from ledger.errors import FieldError, NotFoundError, RefusedError, Rule
from ledger.model import ISSUER
from ledger.sealing import read_seals
from ledger.statements import (
    Filters,
    StatementPage,
    balance_after,
    check_limit,
    read_page,
    span_of,
)
from ledger.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ledger.results import Account, Asset, Balance, Entry, Identity, JournalHead, Sealed
    from ledger.transactions import Transactions


class Reader:
    """Balances, statements, entries, seals and the audit of one ledger.

    Everything is read in short transactions: long results are pages up to a head read once.
    """

    def __init__(self, transactions: Transactions, identity: Identity) -> None:
        """Use `Ledger.open` instead."""
        self._transactions = transactions
        self._assets: dict[str, Asset] = {}
        self.identity = identity
        """Which ledger this is."""

    def assets(self) -> list[Asset]:
        """Return every asset, in order of creation."""
        return list(self._known_assets(fresh=True).values())

    def asset(self, symbol: str | None = None) -> Asset:
        """Return an asset; without a symbol, the ledger's only one.

        Raises:
            RefusedError: ASSET_REQUIRED.
            NotFoundError: UNKNOWN_ASSET.
        """
        known = self._known_assets(fresh=symbol is None or symbol not in self._assets)
        names = ", ".join(map(repr, list(known)[:5])) or "none"
        if symbol is None:
            if len(known) == 1:
                return next(iter(known.values()))
            raise RefusedError(Rule.ASSET_REQUIRED, f"name an asset; the ledger has {names}")
        if symbol not in known:
            raise NotFoundError(Rule.UNKNOWN_ASSET, f"no asset {symbol!r}; the ledger has {names}")
        return known[symbol]

    def _known_assets(self, *, fresh: bool = False) -> dict[str, Asset]:
        """Return the assets by symbol, from memory unless `fresh`."""
        known = self._assets  # read once: another thread may forget them meanwhile
        if fresh or not known:
            with self._transactions.reading() as connection:
                known = self._assets = store.read_assets(connection)
        return known

    def account(self, account_id: str) -> Account:
        """Return an account. Raises NotFoundError."""
        account_id = normalize_account_id(account_id)
        with self._transactions.reading() as connection:
            return reads.find_account(connection, account_id, self.identity.pepper)

    def accounts(self) -> Iterator[Account]:
        """Return every account (the issuer too), by id in code point order."""
        after = ""
        while True:
            with self._transactions.reading() as connection:
                page = reads.accounts_after(connection, after, self.identity.pepper)
            yield from page
            if not page:
                return
            after = page[-1].account_id

    def get_balance(self, account_id: str, asset: str | None = None) -> int:
        """Return the balance in base units, held amounts included. Raises NotFoundError."""
        return self.balance(account_id, asset).balance

    def balance(self, account_id: str, asset: str | None = None) -> Balance:
        """Return all numbers of an account in an asset. Raises NotFoundError."""
        found_asset = self.asset(asset)
        account_id = normalize_account_id(account_id)
        with self._transactions.reading() as connection:
            account = reads.find_account(connection, account_id, self.identity.pepper)
            return reads.balance_of(connection, found_asset, account)

    def balances(self, asset: str | None = None) -> Iterator[Balance]:
        """Return the balances of every account that ever had any, by id, without the issuer."""
        found_asset, after = self.asset(asset), ""
        while True:
            with self._transactions.reading() as connection:
                page = reads.balances_after(connection, found_asset, after)
            yield from (balance for balance in page if balance.account_id != ISSUER)
            if not page:
                return
            after = page[-1].account_id

    def get_total_supply(self, asset: str | None = None) -> int:
        """Return minted less burned, in base units."""
        return self.balance(ISSUER, asset).balance

    def get_statement(
        self, account_id: str, since: datetime | None = None, asset: str | None = None
    ) -> list[Entry]:
        """Return the entries of an account, oldest first, at or after `since`.

        Raises:
            NotFoundError: UNKNOWN_ACCOUNT.
            FieldError: `since` has no offset.
        """
        return list(self.statement(account_id, since, asset))

    def statement(
        self, account_id: str, since: datetime | None = None, asset: str | None = None
    ) -> Iterator[Entry]:
        """Return what `get_statement` does, one by one: a long statement is read in pages.

        Raises:
            As `get_statement`.
        """
        start = 0 if since is None else microseconds(since, "since")
        return self._statement(self.account(account_id), self.asset(asset), start)

    def _statement(self, account: Account, asset: Asset, start: int) -> Iterator[Entry]:
        """Return the entries of an account page by page."""
        last = self.head(asset.symbol).seq
        with self._transactions.reading() as connection:
            after = reads.first_seq_since(connection, asset, last, start) - 1
        while True:
            with self._transactions.reading() as connection:
                page = reads.statement_page(
                    connection, asset, self.identity.pepper, account.account_id, after
                )
            yield from page
            if not page:
                return
            after = page[-1].seq

    def statement_page(
        self,
        account_id: str,
        *,
        asset: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        newest_first: bool = False,
        filters: Filters | None = None,
    ) -> StatementPage:
        """Return a page of an account's entries, and a cursor to the next one.

        A page examines a bounded number of entries, so with filters it may be short and still
        have a cursor: go on with it until there is none. Cursors stay valid for ever.

        Raises:
            NotFoundError: UNKNOWN_ACCOUNT.
            FieldError: naming the cursor, limit or filter that is wrong.
        """
        chosen, counted = filters or Filters(), self.asset(asset)
        own = self.account(account_id).account_id
        check_limit(limit)
        with self._transactions.snapshot() as connection:
            last = store.read_head(connection, counted.number).seq
            span = span_of(connection, counted, chosen, last, newest_first=newest_first)
            if cursor is not None:
                start = parse_cursor(cursor, counted.id, own, newest_first=newest_first)
                span = span.after(start.seq)
            entries, end = read_page(
                connection,
                counted,
                self.identity.pepper,
                own,
                span=span,
                filters=chosen,
                limit=limit,
            )
        following = end and format_cursor(Cursor(end, newest_first), counted.id, own)
        return StatementPage(tuple(entries), following or None)

    def balance_at(self, account_id: str, at: int | datetime, asset: str | None = None) -> int:
        """Return what an account had right after entry `at` (a seq), or at an instant.

        The answer for an instant is final once the journal's head is later than it: an entry
        posted meanwhile may still carry an earlier time.

        Raises:
            NotFoundError: UNKNOWN_ACCOUNT.
            FieldError: `at` is above the head, or an instant without an offset.
        """
        counted, own = self.asset(asset), self.account(account_id).account_id
        with self._transactions.snapshot() as connection:
            last = store.read_head(connection, counted.number).seq
            if isinstance(at, int):
                seq = check_amount(at, "at")
                if seq > last:
                    raise FieldError("at", f"is {seq}, but the journal ends at {last}")
            else:
                moment = microseconds(at, "at")
                seq = reads.first_seq_since(connection, counted, last, moment + 1) - 1
            return balance_after(connection, counted, own, seq)

    def entries(
        self, asset: str | None = None, first: int = 1, last: int | None = None
    ) -> Iterator[Entry]:
        """Return the entries of an asset from seq `first` to `last` (its head, read once)."""
        found_asset = self.asset(asset)
        last = self.head(found_asset.symbol).seq if last is None else last
        while first <= last:
            with self._transactions.reading() as connection:
                page = reads.entries_from(
                    connection, found_asset, self.identity.pepper, first, last
                )
            yield from page
            if not page:
                return
            first = page[-1].seq + 1

    def head(self, asset: str | None = None) -> JournalHead:
        """Return where an asset's journal stands."""
        found_asset = self.asset(asset)
        with self._transactions.reading() as connection:
            return store.read_head(connection, found_asset.number)

    def seals(self, first: int = 1) -> Iterator[Sealed]:
        """Return the seals from number `first`, in order."""
        assets = self._known_assets(fresh=True)
        while True:
            with self._transactions.reading() as connection:
                page = read_seals(connection, assets, first, first + 99)
            yield from page
            if not page:
                return
            first = page[-1].seal.number + 1

    def audit(
        self,
        expect_heads: Mapping[str, ExpectedHead] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> AuditReport:
        """Recompute everything that is stored; the report names the first wrong row, if any.

        `expect_heads` maps symbols to (seq, head) kept outside the database: with them a tail
        that was cut off is found too.

        Raises:
            FieldError: an expected head is not (seq, 32 bytes).
        """
        for symbol, (seq, head) in (expect_heads or {}).items():
            self.asset(symbol)
            check_amount(seq, "expect_heads.seq")
            if len(head) != len(self.identity.domain):
                raise FieldError("expect_heads.head", f"must be 32 bytes, not {len(head)}")
        return run_audit(self._transactions, expect_heads, progress)
