"""What can be read of a ledger; `Ledger` adds what posts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ledger import reads, store
from ledger.amounts import check_amount, check_uint
from ledger.changes import Change, ChangesPage, Place, Position, parse_position
from ledger.cursors import Cursor, format_cursor, parse_cursor
from ledger.dialects import dialect_of
from ledger.errors import FieldError
from ledger.evidence import (
    batch_until,
    batch_with,
    batches_from,
    ids_from,
    last_seal,
    past_balances_after,
)
from ledger.feed import MAX_CHANGES, read_changes, read_ends
from ledger.lookup import Lookup
from ledger.measures import Distribution, Hour, Supply, Velocity, hours_of
from ledger.measuring import (
    MAX_TOP,
    read_distribution,
    read_hours,
    read_supply,
    read_velocity,
)
from ledger.sealing import read_seals
from ledger.statements import (
    Filters,
    Span,
    StatementPage,
    balance_after,
    check_limit,
    read_page,
    span_of,
)
from ledger.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from ledger.evidence import PastBalance
    from ledger.results import Account, Asset, Entry, Sealed, SealedBatch


class Reader(Lookup):
    """Statements, changes, figures and seals of one ledger.

    Everything is read in short transactions: long results are pages up to a head read once.
    """

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
            first = reads.first_seq_since(connection, asset, last, start)
        span = Span(first, last, newest_first=False)
        while True:
            with self._transactions.reading() as connection:
                page, end = read_page(
                    connection,
                    asset,
                    self.identity.pepper,
                    account.account_id,
                    span=span,
                    filters=Filters(),
                    limit=reads.PAGE,
                )
            yield from page
            if end is None:
                return
            span = span.after(end)

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

    def past_balances(self, seq: int, asset: str | None = None) -> Iterator[PastBalance]:
        """Return what every account had right after entry `seq`, by account id, the issuer too.

        Accounts that had nothing then may be among them.

        Raises:
            FieldError: `seq` is above the head.
        """
        counted = self.asset(asset)
        last = self.head(counted.symbol).seq
        if check_uint(seq, 62, "seq") > last:
            raise FieldError("seq", f"is {seq}, but the journal ends at {last}")
        return self._past_balances(counted, seq)

    def _past_balances(self, asset: Asset, seq: int) -> Iterator[PastBalance]:
        """Return past balances page by page: what is before `seq` does not change any more."""
        after = ""
        while True:
            with self._transactions.reading() as connection:
                page = past_balances_after(connection, asset, after, seq)
            yield from page
            if not page:
                return
            after = page[-1].account_id

    def entry_ids(self, asset: str | None = None, first: int = 1, *, last: int) -> Iterator[bytes]:
        """Return the ids of the entries of an asset from seq `first` to `last`: a tree's leaves."""
        found_asset = self.asset(asset)
        while first <= last:
            with self._transactions.reading() as connection:
                page = ids_from(connection, found_asset, first, last)
            yield from page
            if not page:
                return
            first += len(page)

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

    # --- changes ------------------------------------------------------------------------------

    def changes(self, after: str | None = None) -> Iterator[Change]:
        """Return what happened after the cursor `after` until now: everything once, in order.

        Without a cursor, from the start. Each change has the cursor to go on after it, later and
        for ever. An asset's entries and events come in their order, the creation of an account
        before what names it; different assets are not ordered among each other.

        Raises:
            FieldError: naming `after`, which is no cursor of this ledger or is ahead of it.
        """
        position = self._position(after)
        with self._transactions.reading() as connection:
            ends = read_ends(connection, position)
        return self._changes(position, ends)

    def _changes(self, position: Position, ends: Mapping[int, Place]) -> Iterator[Change]:
        """Return changes page by page, up to ends that were read once."""
        while True:
            with self._transactions.reading() as connection:
                page, position = read_changes(
                    connection, self.identity.pepper, position, ends, limit=MAX_CHANGES
                )
            yield from page
            if not page:
                return

    def changes_page(self, after: str | None = None, limit: int = MAX_CHANGES) -> ChangesPage:
        """Return the next changes after the cursor `after`, at most `limit` (1..1,000).

        There is always a cursor to go on with, for a consumer that asks again and again: keep it
        in the same commit as what was done with the page. Assets that have more than a page
        take turns.

        Raises:
            FieldError: naming the argument that is wrong; see `changes`.
        """
        check_limit(limit)
        position = self._position(after)
        with self._transactions.reading() as connection:
            ends = read_ends(connection, position)
            page, position = read_changes(
                connection, self.identity.pepper, position, ends, limit=limit
            )
        more = any(position.at(stream) != end for stream, end in ends.items())
        return ChangesPage(tuple(page), position.cursor(), more)

    def _position(self, after: str | None) -> Position:
        """Return where a cursor is; without one, the start."""
        ledger_id = self.identity.ledger_id
        return Position(ledger_id, {}) if after is None else parse_position(after, ledger_id)

    # --- figures ------------------------------------------------------------------------------

    def supply(self, asset: str | None = None) -> Supply:
        """Return the totals of an asset: supply, minted, burned, earned, spent, held, holders."""
        counted = self.asset(asset)
        with self._transactions.snapshot() as connection:
            return read_supply(connection, counted)

    def distribution(self, asset: str | None = None, *, top: int = 10) -> Distribution:
        """Return how an asset is spread: its holders, their Gini coefficient, the `top` largest.

        Raises:
            FieldError: `top` is not an int of 0 .. 1,000.
        """
        if check_uint(top, 31, "top") > MAX_TOP:
            raise FieldError("top", f"must be at most {MAX_TOP}, not {top}")
        counted = self.asset(asset)
        with self._transactions.snapshot() as connection:
            return read_distribution(connection, counted, top)

    def velocity(
        self, asset: str | None = None, *, window: timedelta = timedelta(days=30)
    ) -> Velocity:
        """Return how much changed hands lately: transfers of the hours that began in `window`.

        The window is of whole hours and ends now, by the ledger's clock. Hours are those of UTC
        and count whole: the one under way does, the one in which the window begins does not,
        unless the two begin together.

        Raises:
            FieldError: `window` is no timedelta of 1 .. 1,000,000 whole hours.
        """
        hours_of(window)
        counted = self.asset(asset)
        with self._transactions.snapshot() as connection:
            now = self._clock() if self._clock else dialect_of(connection).now(connection)
            return read_velocity(connection, counted, window, now)

    def hours(self, asset: str | None = None, *, last: int = 48) -> list[Hour]:
        """Return the `last` hours (1..1,000) of UTC in which something changed hands, in order.

        Raises:
            FieldError: `last` is out of range.
        """
        counted = self.asset(asset)
        check_limit(last)
        with self._transactions.reading() as connection:
            return read_hours(connection, counted, last)

    # --- seals --------------------------------------------------------------------------------

    def last_seal(self) -> int:
        """Return the number of the last seal; 0 before the first."""
        with self._transactions.reading() as connection:
            return last_seal(connection)

    def batch_with(self, seq: int, asset: str | None = None) -> SealedBatch | None:
        """Return the batch that has the entry at `seq`; None if it is not sealed."""
        found_asset = self.asset(asset)
        with self._transactions.reading() as connection:
            return batch_with(connection, found_asset, check_uint(seq, 62, "seq"))

    def batch(self, number: int, asset: str | None = None) -> SealedBatch | None:
        """Return the batch of an asset with that number; None if it is not sealed yet."""
        check_uint(number, 62, "number")
        return next(
            (it for it in self.batches(asset, number, 1) if it.batch.number == number), None
        )

    def batches(
        self, asset: str | None = None, first: int = 1, limit: int = 50
    ) -> list[SealedBatch]:
        """Return the batches of an asset from number `first`, at most `limit` (1..1,000).

        Raises:
            FieldError: naming the argument that is wrong.
        """
        found_asset = self.asset(asset)
        check_limit(limit)
        with self._transactions.reading() as connection:
            return batches_from(connection, found_asset, check_uint(first, 62, "first"), limit)

    def batch_until(self, seal: int, asset: str | None = None) -> SealedBatch | None:
        """Return the last batch of an asset in the seals up to number `seal`, if there is one."""
        found_asset = self.asset(asset)
        with self._transactions.reading() as connection:
            return batch_until(connection, found_asset, check_uint(seal, 62, "seal"))

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
