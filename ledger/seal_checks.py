"""What must follow from what in batches and seals, as audit and import share it. Values only."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.batches import BatchEnd, batch_of, make_seal
from ledger.checks import group_parts, same
from ledger.ids import first_head
from ledger.merkle import Frontier
from ledger.model import ZERO_HASH, Hash32, Record
from ledger.weights import MAX_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ledger.checks import JournalCheck
    from ledger.results import Asset, Entry, Sealed, SealedBatch


def check_group_seals(
    journals: Sequence[JournalCheck], batches: Mapping[Hash32, BatchCheck]
) -> None:
    """Prove that no group over several assets is split between seals. Raises FoundError."""
    for parts in group_parts(journals).values():
        whole = batches[parts[0].asset].seal_at(parts[0].first_seq)
        for part in parts[1:]:
            found = batches[part.asset].seal_at(part.first_seq)
            same("token_ledger", part.row, "seal", str(whole), str(found))


@dataclass(slots=True)
class Run:
    """Consecutive entries of a journal that were proved, as far as batches are made of them."""

    first_seq: int
    ids: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    groups: list[bytes] = field(default_factory=list)
    records: list[tuple[bytes, bytes, int]] = field(default_factory=list)

    @classmethod
    def of(cls, entry: Entry) -> Run:
        """Return the run of one entry."""
        record = (entry.from_address, entry.to_address, entry.amount)
        return cls(entry.seq, [entry.id], [entry.head], [entry.group], [record])


@dataclass(slots=True)
class BatchCheck:
    """Proves the batches of one asset while its entries pass by."""

    domain: bytes
    asset: Asset
    stored: Iterator[SealedBatch]
    """As they are stored, ascending by number."""
    end: BatchEnd = field(init=False)
    _ids: list[bytes] = field(default_factory=list)
    """Of the entries after the last batch."""
    _records: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    _next: SealedBatch | None = None
    _seals: list[tuple[int, int]] = field(default_factory=list)
    """(last seq, seal) of every batch that was proved."""
    _cut: bytes = ZERO_HASH
    """The group of the last entry of the last batch, which the next entry must not continue."""

    def __post_init__(self) -> None:
        """Start before the first batch."""
        head = first_head(self.domain, self.asset.id)
        self.end = BatchEnd(0, 0, head, Frontier())
        self._next = next(self.stored, None)

    def check(self, entry: Entry) -> None:
        """Take the next entry; at the end of a batch, recompute it. Raises FoundError."""
        self.take(Run.of(entry))

    def take(self, run: Run) -> None:
        """Take the next entries; at the end of each batch, recompute it. Raises FoundError."""
        at = 0
        while at < len(run.ids):
            self._check_cut(run.groups[at])
            if self._next is None:
                return
            batch, seq = self._next.batch, run.first_seq + at
            if not self._ids:
                same("token_batches", self._row(), "number", self.end.number + 1, batch.number)
                same("token_batches", self._row(), "first_seq", seq, batch.first_seq)
            stop = at + MAX_ENTRIES + 1 - len(self._ids)
            if isinstance(batch.last_seq, int) and batch.last_seq >= seq:
                stop = min(stop, batch.last_seq - run.first_seq + 1)
            self._ids += run.ids[at:stop]
            self._records += run.records[at:stop]
            at = min(stop, len(run.ids))
            if run.first_seq + at - 1 == batch.last_seq:
                self._prove(self._next, Hash32(run.heads[at - 1]), run.groups[at - 1])
            elif len(self._ids) > MAX_ENTRIES:
                limit = f"at most {batch.first_seq + MAX_ENTRIES - 1}"
                same("token_batches", self._row(), "last_seq", limit, str(batch.last_seq))

    def _check_cut(self, group: bytes) -> None:
        """Check that the last batch did not end within the group of the next entry."""
        if group == self._cut != ZERO_HASH:
            row = f"{self.asset.symbol}/{self.end.number}"
            same("token_batches", row, "last_seq", "the end of a group", str(self.end.last_seq))
        self._cut = ZERO_HASH

    def _row(self) -> str:
        """Return how the next batch is named."""
        return f"{self.asset.symbol}/{self.end.number + 1}"

    def _prove(self, stored: SealedBatch, head: Hash32, group: bytes) -> None:
        """Compare every column of a batch's row with what its entries make."""
        row, records = self._row(), list(map(Record._make, self._records))
        made = batch_of(self.domain, self.asset, self.end, self._ids, records, head, stored.seal)
        for what in ("prev_head", "new_head", "tree_root", "payload_hash"):
            same("token_batches", row, what, getattr(made.batch, what), getattr(stored.batch, what))
        same("token_batches", row, "id", made.id, stored.id)
        same("token_batches", row, "frontier", made.frontier, stored.frontier)
        last_seq = self.end.last_seq + len(self._ids)
        frontier = Frontier.from_bytes(made.frontier)
        self.end = BatchEnd(stored.batch.number, last_seq, head, frontier)
        self._seals.append((last_seq, stored.seal))
        self._cut = group
        self._ids.clear()
        self._records.clear()
        self._next = next(self.stored, None)

    def seal_at(self, seq: int) -> int:
        """Return the seal that holds the entry at `seq`; 0 if none does yet."""
        position = bisect_left(self._seals, (seq, 0))
        return self._seals[position][1] if position < len(self._seals) else 0

    def finish(self) -> None:
        """Refuse batches over entries that do not exist. Raises FoundError."""
        if self._next is not None:
            batch = self._next.batch
            same("token_batches", self._row(), "number", self.end.number + 1, batch.number)
            last = self.end.last_seq + len(self._ids)
            same("token_batches", self._row(), "last_seq", f"at most {last}", str(batch.last_seq))


@dataclass(slots=True)
class SealCheck:
    """Proves the chain of seals. Their batches have been proved before."""

    domain: bytes
    number: int = 0
    prev_seal: Hash32 = ZERO_HASH
    timestamp: int = 0

    def check(self, sealed: Sealed) -> None:
        """Recompute one seal and move on. Raises FoundError."""
        seal, row = sealed.seal, str(self.number + 1)
        same("token_seals", row, "number", self.number + 1, seal.number)
        same("token_seals", row, "prev_seal", self.prev_seal, seal.prev_seal)
        same("token_seals", row, "id", self.seal_of(sealed, sealed.batches), sealed.id)
        same("token_seals", row, "batches", tuple(b.id for b in sealed.batches), seal.batches)
        for batch in sealed.batches:
            place = f"{batch.symbol}/{batch.batch.number}"
            same("token_batches", place, "seal", seal.number, batch.seal)
        if seal.timestamp <= self.timestamp:
            same("token_seals", row, "timestamp", f"over {self.timestamp}", seal.timestamp)
        self.number, self.prev_seal, self.timestamp = seal.number, sealed.id, seal.timestamp

    def seal_of(self, sealed: Sealed, batches: Sequence[SealedBatch]) -> Hash32:
        """Return the id that the next seal would have with these batches."""
        number, timestamp = sealed.seal.number, sealed.seal.timestamp
        return make_seal(self.domain, number, self.prev_seal, timestamp, batches).id
