"""Importing a ledger of the first specification: read all, report all, then book all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ledger import key_store
from ledger.errors import LedgerError
from ledger.legacy_model import Defect, DefectKind, Target
from ledger.legacy_plan import make_plan
from ledger.legacy_rows import name_of
from ledger.legacy_source import read_tables
from ledger.requests import OpenAccount
from ledger.writer import MAX_RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ledger.ledger import Ledger
    from ledger.legacy_model import OldTables, Plan, Posting
    from ledger.results import Asset, Entry


class ForeignJournalError(LedgerError):
    """The journal holds entries that this import did not book; it goes into an empty one."""


@dataclass(frozen=True, slots=True)
class LegacyReport:
    """What an import found, and what it booked."""

    asset: Asset
    plan: Plan
    refused: tuple[Defect, ...]
    """The defects that nobody accepted; with one of them nothing is written."""
    booked_before: int
    """Entries of the plan that an earlier run has booked."""
    booked: int
    """Entries that this run has booked."""

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the import."""
        return not self.refused


def import_legacy(
    ledger: Ledger,
    source: str,
    *,
    asset: str | None = None,
    accept: Collection[DefectKind] = (),
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> LegacyReport:
    """Import the old ledger in `source` into the empty journal of `asset`.

    Nothing is written while there is a defect of a kind that `accept` does not name
    (`ledger.legacy_model.ACCEPTABLE` are all that can be). Entries keep their times and get the
    old ids as idempotency keys; accepted defects are corrected by entries of their own. An import
    that was interrupted goes on where it stopped; one that is repeated books nothing.

    Args:
        ledger: where to; it must have the asset.
        source: a SQLite file, `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`.
        asset: its symbol; the ledger's only asset unless given.
        accept: kinds of defects to correct as the report says.
        dry_run: report only.
        progress: called with the number of entries of each commit.

    Raises:
        DatabaseFileError: `source` cannot be read, or is no old ledger.
        ForeignJournalError: the journal holds other entries.
        RefusedError: a rule refused an entry, such as TIME_PASSED where somebody posts meanwhile.
    """
    into = ledger.asset(asset)
    tables = read_tables(source)
    used = _used_keys(ledger, into, tables)
    plan = make_plan(tables, Target(into.symbol, into.decimals, time.time_ns() // 1_000, used))
    refused = tuple(it for it in plan.defects if not it.if_accepted or it.kind not in accept)
    before = _booked_before(ledger, into, plan)
    booked = 0
    if not refused and not dry_run:
        _open_accounts(ledger, plan)
        booked = _book(ledger, plan.postings[before:], progress)
    return LegacyReport(into, plan, refused, before, booked)


def _booked_before(ledger: Ledger, asset: Asset, plan: Plan) -> int:
    """Return how many entries of the plan the journal begins with: none, some or all.

    Raises:
        ForeignJournalError: it begins with, or goes on with, something else.
    """
    seq, head = 0, ledger.head(asset.symbol)
    entries = ledger.entries(asset.symbol, last=min(head.seq, len(plan.postings)))
    for seq, entry in enumerate(entries, start=1):
        if not _is_same(plan.postings[seq - 1], entry):
            raise ForeignJournalError(
                f"the journal of {asset.symbol} has an entry that is not of this import "
                f"(seq {seq}); import into an asset without entries"
            )
    return seq


def _is_same(posting: Posting, entry: Entry) -> bool:
    """Tell whether an entry is what a posting makes."""
    movement = posting.movement
    return posting.at == entry.timestamp and all(
        getattr(movement, name) == getattr(entry, name)
        for name in (
            "idempotency_key",
            "from_account",
            "to_account",
            "amount",
            "reason",
            "reference_type",
            "reference_id",
            "memo",
        )
    )


def _used_keys(ledger: Ledger, asset: Asset, tables: OldTables) -> frozenset[str]:
    """Return the old ids that are keys of something else in this ledger than entries of `asset`."""
    ids = {name_of(old.id, old.row) for old in tables.entries}
    with ledger.connection() as connection:
        known = key_store.read_keys(connection, sorted(ids)) if ids else {}
    return frozenset(
        key
        for key, (_, made) in known.items()
        if {number for number, _ in made["entries"]} != {asset.number}
    )


def _open_accounts(ledger: Ledger, plan: Plan) -> None:
    """Create the accounts that are not there yet."""
    known = {account.account_id for account in ledger.accounts()}
    missing = (it for it in plan.openings if it.account_id not in known)
    while run := [(it.at, OpenAccount(it.account_id, 0)) for it in islice(missing, MAX_RUN)]:
        ledger.post_past(run)


def _book(ledger: Ledger, postings: Sequence[Posting], progress: Callable[[int], None]) -> int:
    """Book entries in commits of 5,000; return how many."""
    for start in range(0, len(postings), MAX_RUN):
        run = [(posting.at, posting.movement) for posting in postings[start : start + MAX_RUN]]
        ledger.post_past(run)
        progress(len(run))
    return len(postings)
