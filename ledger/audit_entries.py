"""The audit of one journal's entries, page by page, with the batches that they fill.

A page is read as rows and followed in a tight loop. The few rows at which that stops are read again
as entries and checked by themselves, which is what names a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger import check_store, store
from ledger.audit_accounts import missing_account
from ledger.checks import UNREADABLE, Finding, FoundError, readable, same, unreadable
from ledger.dialects import dialect_of
from ledger.row_checks import ROW_COLUMNS, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from ledger.checks import JournalCheck
    from ledger.dialects import Row
    from ledger.model import Address
    from ledger.results import Entry
    from ledger.seal_checks import BatchCheck

    Connect = Callable[[], AbstractContextManager[Connection]]

_SEQ, _ORIGIN, _KIND, _CAUSE = map(ROW_COLUMNS.index, ("seq", "origin", "kind", "cause"))
_SIDES = tuple(map(ROW_COLUMNS.index, ("from_account", "to_account")))


@dataclass(frozen=True, slots=True)
class Page:
    """What one short transaction reads of a journal."""

    rows: list[Row]
    """With the columns of `row_checks`."""
    special: dict[int, Entry]
    """By seq, those of any kind but plain."""
    to_amount: Callable[[Any], int]
    """Of the amounts in `rows`."""
    lost: list[str]
    """A key that is not kept as having made its entry."""


@dataclass(slots=True)
class EntryAudit:
    """The audit of one journal's entries."""

    journal: JournalCheck
    batches: BatchCheck
    ledger_id: bytes
    pepper: bytes | None
    registrar: Address
    expected: tuple[int, bytes] | None
    """(seq, head) from outside."""
    _addresses: dict[str, bytes] = field(default_factory=dict)
    """Those that rows so far named: they never change."""

    def read(self, connection: Connection, most: int) -> Page:
        """Return the next page, of at most `most` rows. Raises FoundError."""
        asset, seq = self.journal.asset, self.journal.seq
        with readable("token_ledger"):
            rows = check_store.read_rows(connection, asset, seq, most)
        self._read_addresses(connection, rows)
        special = self._read_special(connection, rows)
        lost = store.lost_keys(connection, asset, seq, seq + len(rows))
        return Page(rows, special, dialect_of(connection).to_amount, lost)

    def _read_addresses(self, connection: Connection, rows: Iterable[Row]) -> None:
        """Read the addresses that `rows` name first; one that is not as it must be stays out."""
        from_, to = _SIDES
        named = {row[from_] for row in rows} | {row[to] for row in rows}
        new = [name for name in named - self._addresses.keys() if isinstance(name, str)]
        if new:
            with readable("token_accounts"):
                self._addresses |= check_store.read_usable(connection, new)

    def _read_special(self, connection: Connection, rows: Iterable[Row]) -> dict[int, Entry]:
        """Read again as entries what is not plain; nothing if that cannot even be read."""
        seqs = [row[_SEQ] for row in rows if row[_KIND] or row[_CAUSE] is not None]
        if not seqs:
            return {}
        try:
            found = store.entries_at(connection, self.journal.asset, self.pepper, seqs)
        except UNREADABLE:
            return {}
        return {entry.seq: entry for entry in found}

    def check(self, page: Page, connect: Connect) -> list[Entry]:
        """Check a page, and the batches that it fills; return its entries that are not plain.

        `connect` gives the connection on which a row is read again. Raises FoundError.
        """
        special: list[Entry] = []
        done = 0
        left = iter(page.rows)
        stop = 0 if self.expected is None else self.expected[0]
        while done < len(page.rows):
            run = follow(self.journal, left, self._addresses, self.pepper, page.to_amount, stop)
            self.batches.take(run)
            done += len(run.ids)
            if done < len(page.rows):
                entry = self._again(page, page.rows[done], connect)
                self._check_entry(entry, page.rows[done][_ORIGIN])
                special.append(entry)
                done += 1
        for key in page.lost:
            raise FoundError(Finding("token_keys", key, "made", "its entry", "another, or missing"))
        return special

    def _again(self, page: Page, row: Row, connect: Connect) -> Entry:
        """Return as an entry the row that did not simply follow. Raises FoundError."""
        journal, entry = self.journal, page.special.get(row[_SEQ])
        if entry is not None:
            return entry
        rest = "AND e.seq > ? ORDER BY e.seq LIMIT 1"
        where = f"{journal.asset.symbol}/{journal.seq + 1}"
        with connect() as connection, readable("token_ledger", where):
            return store.select_entries(connection, journal.asset, self.pepper, rest, journal.seq)[
                0
            ]

    def _check_entry(self, entry: Entry, origin: object) -> None:
        """Check an entry that follows what was checked. Raises FoundError."""
        journal = self.journal
        row = f"{journal.asset.symbol}/{journal.seq + 1}"
        try:
            journal.check(entry)
        except FoundError as found:
            missing = missing_account(journal, entry, self.ledger_id, self.pepper, self.registrar)
            raise missing or found from None
        except UNREADABLE as error:
            raise unreadable("token_ledger", row, error) from None
        same("token_ledger", row, "origin", entry.origin, origin)
        self.batches.check(entry)
        if self.expected is not None and entry.seq == self.expected[0]:
            same("token_ledger", row, "head", self.expected[1], journal.head)
