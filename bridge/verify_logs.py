"""Level 1: every log of a token against the entries of its asset, and the history they make."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from bridge.codec import transfer_record
from bridge.compare import (
    Difference,
    HistoryChain,
    JournalChain,
    Mismatch,
    MismatchKind,
    altered_entry,
    compare_batch,
    compare_ends,
    foreign_record,
    replay_advice,
    with_addresses,
)
from bridge.errors import ContradictionError
from bridge.known_blocks import noted_batch
from bridge.progress import Progress
from bridge.tokens import ReplayedBatch, read_batches, read_replayed
from bridge.verify_live import LiveLogs
from ledger.views import counted

if TYPE_CHECKING:
    from bridge.codec import BatchReplayed
    from bridge.tokens import Token
    from bridge.verify_work import Work
    from ledger.model import Record
    from ledger.results import Entry

_LOOK_AHEAD: Final = 64
"""Entries after a batch among which one that was passed over is recognised."""


class Logs:
    """Each batch of one asset on the chain against the entries that come next."""

    def __init__(self, work: Work, token: Token, last: int) -> None:
        self.last = last
        """The seq of the last entry when the verification began."""
        self.followed = 0
        """The seq of the last entry that is accounted for on the chain."""
        self.waiting = 0
        """How many entries are not."""
        self.live = LiveLogs(work, token)
        """What moved after the token went live."""
        self.difference: Difference | None = None
        """Where chain and ledger part."""
        self._work = work
        self._token = token
        self._symbol = token.asset.symbol
        domain = work.ledger.identity.domain
        self._journal = JournalChain(domain, token.asset)
        self._history = HistoryChain(domain, token.asset)
        self._entries = work.ledger.entries(self._symbol, 1, last)
        self._waiting: list[Entry] = []
        self._head_differs = False

    def check(self) -> None:
        """Compare every log of the token."""
        work, token = self._work, self._token
        batches = read_batches(work.chain, token, work.at)
        done = 0
        for found in read_replayed(work.chain, token, batches, work.at):
            if isinstance(found, ReplayedBatch):
                self._check_batch(found)
                done += 1
                work.progress(Progress(self._symbol, found.event.last_seq, token.last_seq))
            elif token.live and done == token.batches:
                self.live.follow(found)
            elif (record := transfer_record(found)) is not None:
                self._report_foreign(record)
        self.live.end()
        if self._history.history != token.history:
            kind, own = MismatchKind.HISTORY_DIFFERS, str(self._history.history)
            self._report_history(Mismatch(kind, self._symbol, own, str(token.history)))
        if first := self._waiting[0] if self._waiting else next(self._entries, None):
            self.waiting = self.last - first.seq + 1
            work.report(self._not_replayed(first.seq))

    def _check_batch(self, found: ReplayedBatch) -> None:
        """Compare one batch with the entries that come next."""
        event, records = found.event, found.records
        if mismatch := self._history.follow(event, records):
            self._report_history(mismatch)
        if self.live.is_proving:
            self.live.add_replayed(records)
        entries = self._take(event.size + _LOOK_AHEAD)
        if self._work.doubted:
            entries = with_addresses(entries, records, self._work.doubted)
        mismatches, used = compare_batch(self._symbol, entries, event, records)
        altered = self._journal.follow(entries[:used]) - {found.seq for found in mismatches}
        mismatches += (altered_entry(entry) for entry in entries[:used] if entry.seq in altered)
        if not mismatches:
            mismatches = self._compare_ends(entries[:used], event)
        for mismatch in mismatches:
            self._work.report(mismatch)
        if mismatches and self.difference is None:
            self.difference = Difference.of(self._symbol, event, mismatches)
        self._waiting = entries[used:]
        self.followed = entries[used - 1].seq if used else self.followed

    def _report_history(self, mismatch: Mismatch) -> None:
        """Report a history that the logs do not make.

        Raises:
            ContradictionError: the contract's code and history are proven, so the logs are lies.
        """
        work = self._work
        if work.is_proven:
            batch = "the batches" if mismatch.batch is None else f"batch {mismatch.batch}"
            raise ContradictionError(
                f"{self._symbol}: the logs that {work.chain.name} returned of {batch} make the "
                f"history {mismatch.expected}, and it must be {mismatch.found}: the node lies"
            )
        work.report(mismatch)

    def _report_foreign(self, record: Record) -> None:
        """Report a movement that is in no batch, of a token that is not live.

        Raises:
            ContradictionError: the contract's code is proven, and does not do that.
        """
        work = self._work
        if work.is_proven:
            raise ContradictionError(
                f"{self._symbol}: {work.chain.name} returned a Transfer of {record.amount} from "
                f"{record.from_} to {record.to} that is in no batch: such a token emits none"
            )
        work.report(foreign_record(self._symbol, record))

    def _take(self, count: int) -> list[Entry]:
        """Return the next `count` entries that no batch has used up."""
        return [*self._waiting, *islice(self._entries, max(0, count - len(self._waiting)))]

    def _compare_ends(self, entries: list[Entry], event: BatchReplayed) -> list[Mismatch]:
        """Return the first batch whose head or root differs: the ones after must differ too."""
        mismatch = compare_ends(self._journal, self._symbol, entries, event)
        if mismatch is None or self._head_differs:
            return []
        self._head_differs = True
        return [mismatch]

    def _not_replayed(self, first: int) -> Mismatch:
        """Return the mismatch of the entries that are not on the chain."""
        more = counted(self.waiting, "more entry", "more entries")
        return Mismatch(
            MismatchKind.NOT_REPLAYED,
            self._symbol,
            f"{more} on the chain, up to {self.last}",
            f"none: {self._advice()}",
            seq=first,
        )

    def _advice(self) -> str:
        """Return what to do about entries that are not on the chain."""
        work, token = self._work, self._token
        if token.live:
            return replay_advice(live=True)
        noted = noted_batch(work.ledger, work.chain, token.address, work.at)
        if noted and noted[0] > token.batches:
            return (
                f"batch {noted[0]} was noted in block {noted[1]} and is not there: run "
                "`evm-ledger chain status`, then `evm-ledger chain replay`"
            )
        return replay_advice(live=False)
