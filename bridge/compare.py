"""What must be equal on a chain and in a ledger, and each difference as data. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from ledger.batches import records_of
from ledger.checks import recomputed
from ledger.hashing import keccak
from ledger.ids import batch_id, first_head, next_history
from ledger.merkle import Frontier
from ledger.model import Batch, Hash32, Record
from ledger.payload import encode_payload
from ledger.views import spanned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.codec import BatchReplayed
    from ledger.model import Address
    from ledger.results import Asset, Entry

_MOST_PAIRS: Final = 2_000_000
"""Equal pairs up to which a batch is aligned entry by entry; the work grows with them."""


class MismatchKind(StrEnum):
    """What kind of difference was found."""

    NOT_REPLAYED = "not-replayed"
    """Entries are in the ledger and not on the chain: seal and replay them, while that can be."""
    NOT_SETTLED = "not-settled"
    """A deferral is under way, so the token has no balances yet: replay (docs/deferred.md)."""
    MISSING_LOG = "missing-log"
    """The chain has entries before and after this one, but not this one."""
    FOREIGN_LOG = "foreign-log"
    """The chain has a `Transfer` that is no entry of the ledger."""
    LOG_DIFFERS = "log-differs"
    """The `Transfer` of an entry has another from, to or amount."""
    ENTRY_ALTERED = "entry-altered"
    """The stored fields of an entry do not make its stored id and head."""
    ACCOUNT_ALTERED = "account-altered"
    """The stored fields of an account do not make its address."""
    HEAD_DIFFERS = "head-differs"
    """The chain has another head: a field that is in no log differs, here or before."""
    ROOT_DIFFERS = "root-differs"
    """The chain has another root of the tree over the journal."""
    HISTORY_DIFFERS = "history-differs"
    """The contract's history does not follow from its own logs."""
    BALANCE_DIFFERS = "balance-differs"
    """An account has another balance on the chain."""
    SUPPLY_DIFFERS = "supply-differs"
    """The total supply on the chain is another."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference, named as exactly as it can be."""

    kind: MismatchKind
    asset: str
    """Its symbol; "" where the difference is in no asset."""
    expected: str
    """What the ledger has, or what follows from it."""
    found: str
    """What the chain has, or what is stored."""
    seq: int | None = None
    entry_id: Hash32 | None = None
    account_id: str | None = None
    batch: int | None = None
    """The batch's number on the contract."""

    def __str__(self) -> str:
        names = [self.asset] if self.asset else []
        names += [] if self.seq is None else [f"entry {self.seq}"]
        names += [] if self.entry_id is None else [f"({self.entry_id})"]
        names += [] if self.account_id is None else [f"account {self.account_id}"]
        names += [] if self.batch is None else [f"batch {self.batch}"]
        return f"{self.kind}: {' '.join(names)}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a chain and a ledger part: their first difference is in these entries."""

    asset: str
    """Its symbol."""
    first: int
    """The seq of the first entry that may differ."""
    last: int
    """The seq of the last one; the same where it is known exactly."""
    batch: int | None
    """The batch's number on the contract; None where it is not known."""

    @classmethod
    def of(cls, symbol: str, event: BatchReplayed, mismatches: Sequence[Mismatch]) -> Self | None:
        """Return the difference that a batch's mismatches show; None if no entry differs.

        A head alone says that the difference is in the batch, in something that no log has.
        """
        ends = {MismatchKind.HEAD_DIFFERS, MismatchKind.ROOT_DIFFERS}
        seqs = [it.seq for it in mismatches if it.kind not in ends and it.seq is not None]
        if seqs:
            return cls(symbol, min(seqs), min(seqs), event.number)
        if any(it.kind == MismatchKind.HEAD_DIFFERS for it in mismatches):
            return cls(symbol, event.first_seq, event.last_seq, event.number)
        return None

    def __str__(self) -> str:
        entries = spanned(self.first, self.last)
        entries = entries if self.first == self.last else f"in {entries}"
        batch = "" if self.batch is None else f" (batch {self.batch})"
        return f"{entries} of {self.asset}{batch}"


class JournalChain:
    """An asset's stored entries, each checked against the ones before it."""

    def __init__(self, domain: Hash32, asset: Asset) -> None:
        self._domain = domain
        self._asset_id = asset.id
        self.seq = 0
        self.head: bytes = first_head(domain, asset.id)
        self.frontier = Frontier()
        self.is_whole = True
        """Whether no seq was missing, so that the tree can be compared."""

    def follow(self, entries: Sequence[Entry]) -> set[int]:
        """Go over the next entries; return the seqs of those whose fields do not make their id.

        What one altered row leaves intact still says what the next row must continue, so that
        exactly the altered one is named.
        """
        altered: set[int] = set()
        leaves: list[bytes] = []
        for entry in entries:
            if entry.seq != self.seq + 1:
                self.is_whole = False
                self.head = entry.head
            else:
                leaf, head = recomputed(self._domain, self._asset_id, self.head, entry)
                if (entry.id, entry.head) != (leaf, head):
                    altered.add(entry.seq)
                    if keccak(self.head + entry.id) == entry.head:
                        leaf, head = entry.id, entry.head
                leaves.append(leaf)
                self.head = head
            self.seq = entry.seq
        self.frontier = self.frontier.extend(leaves)
        return altered


class HistoryChain:
    """A contract's history, recomputed from nothing but its own logs and events."""

    def __init__(self, domain: Hash32, asset: Asset) -> None:
        self._domain = domain
        self._asset = asset
        self._head = self.history = first_head(domain, asset.id)

    def follow(self, event: BatchReplayed, records: Sequence[Record]) -> Mismatch | None:
        """Fold in the next batch; return the mismatch if its event says something else."""
        batch = Batch(
            asset=self._asset.id,
            number=event.number,
            first_seq=event.first_seq,
            last_seq=event.last_seq,
            prev_head=self._head,
            new_head=event.new_head,
            tree_root=event.tree_root,
            payload_hash=Hash32(keccak(encode_payload(records))),
        )
        expected = next_history(self.history, batch_id(self._domain, batch))
        self._head, self.history = event.new_head, event.history
        if expected == event.history:
            return None
        return Mismatch(
            MismatchKind.HISTORY_DIFFERS,
            self._asset.symbol,
            str(expected),
            str(event.history),
            batch=event.number,
        )


def with_addresses(
    entries: Sequence[Entry], records: Sequence[Record], doubted: Mapping[Address, Address]
) -> list[Entry]:
    """Return `entries`, with the addresses of `doubted` where only those make the log.

    An account whose stored address is wrong is one mismatch, not one for each of its entries.
    """
    repaired = list(entries)
    for position, (entry, found) in enumerate(zip(entries, records, strict=False)):
        from_ = doubted.get(entry.from_address, entry.from_address)
        to = doubted.get(entry.to_address, entry.to_address)
        if Record(from_, to, entry.amount) == found:
            repaired[position] = replace(entry, from_address=from_, to_address=to)
    return repaired


def compare_batch(
    symbol: str, entries: Sequence[Entry], event: BatchReplayed, records: Sequence[Record]
) -> tuple[list[Mismatch], int]:
    """Return (mismatches, how many of `entries` the batch used up).

    `entries` may be more than `records`: the ones after, in case an entry was passed over. One by
    one if the batch has the ledger's head; else in the way that leaves the fewest differences.
    """
    window = entries[: len(records)]
    if len(window) < len(records):
        return _compare_aligned(symbol, entries, event, records)
    differing = list(_compare_each(window, records, event.number))
    if not differing or window[-1].head == event.new_head:
        return differing, len(window)
    aligned, used = _compare_aligned(symbol, entries, event, records)
    return (differing, len(window)) if len(differing) < len(aligned) else (aligned, used)


def _compare_each(
    entries: Sequence[Entry], records: Sequence[Record], batch: int
) -> Iterator[Mismatch]:
    """Yield a mismatch for each entry whose log differs."""
    for entry, found, expected in zip(entries, records, records_of(entries), strict=True):
        if found != expected:
            yield _entry_mismatch(MismatchKind.LOG_DIFFERS, entry, expected, found, batch)


def _compare_aligned(
    symbol: str, entries: Sequence[Entry], event: BatchReplayed, records: Sequence[Record]
) -> tuple[list[Mismatch], int]:
    """Return (mismatches, how many of `entries` were used up) where positions do not fit.

    Entries after the last one that was found may be on the chain later: they are not used up.
    """
    foreign = partial(_foreign, symbol, event, records)
    mismatches: list[Mismatch] = []
    used = at = 0
    for first, start, size in _equal_blocks(records_of(entries), records):
        mismatches += map(foreign, range(at, start))
        if size:
            mismatches += (_missing(entry, event.number) for entry in entries[used:first])
            used = first + size
        at = start + size
    mismatches += map(foreign, range(at, len(records)))
    return mismatches, used


def _equal_blocks(
    expected: Sequence[Record], found: Sequence[Record]
) -> Iterator[tuple[int, int, int]]:
    """Yield (start in `expected`, start in `found`, length) of the stretches that are equal."""
    same = 0
    while same < min(len(expected), len(found)) and expected[same] == found[same]:
        same += 1
    yield 0, 0, same
    rest, other = expected[same:], found[same:]
    counts = Counter(other)
    if sum(counts[record] for record in rest) <= _MOST_PAIRS:
        matcher = SequenceMatcher(None, rest, other, autojunk=False)
        yield from ((same + a, same + b, size) for a, b, size in matcher.get_matching_blocks())


def altered_entry(entry: Entry) -> Mismatch:
    """Return the mismatch of an entry whose fields do not make its id and head."""
    return Mismatch(
        MismatchKind.ENTRY_ALTERED,
        entry.asset,
        "the fields that its id commits to",
        "others: something that is in no log was altered",
        seq=entry.seq,
        entry_id=entry.id,
    )


def foreign_record(
    symbol: str, record: Record, seq: int | None = None, batch: int | None = None
) -> Mismatch:
    """Return the mismatch of a movement on the chain that is no entry; `seq` is the contract's."""
    kind, expected = MismatchKind.FOREIGN_LOG, "no such log"
    return Mismatch(kind, symbol, expected, _shown(record), seq=seq, batch=batch)


def replay_advice(*, live: bool) -> str:
    """Return what to do about entries that are not on the chain."""
    if live:
        return "the token is live and takes no more, so they are in the ledger alone"
    return "run `evm-ledger seal`, then `evm-ledger chain replay`"


def compare_ends(
    chain: JournalChain, symbol: str, entries: Sequence[Entry], event: BatchReplayed
) -> Mismatch | None:
    """Return the mismatch of the head or root after a batch, if there is one."""
    head = entries[-1].head
    if head != event.new_head:
        kind, expected, found = MismatchKind.HEAD_DIFFERS, head, event.new_head
    elif chain.is_whole and chain.frontier.root() != event.tree_root:
        root = Hash32(chain.frontier.root())
        kind, expected, found = MismatchKind.ROOT_DIFFERS, root, event.tree_root
    else:
        return None
    return Mismatch(kind, symbol, str(expected), str(found), seq=event.last_seq, batch=event.number)


def _foreign(
    symbol: str, event: BatchReplayed, records: Sequence[Record], position: int
) -> Mismatch:
    """Return the mismatch of one foreign movement of a batch."""
    seq = event.first_seq + position
    return foreign_record(symbol, records[position], seq, event.number)


def _missing(entry: Entry, batch: int) -> Mismatch:
    """Return the mismatch of an entry that the chain passes over."""
    record = records_of([entry])[0]
    return _entry_mismatch(MismatchKind.MISSING_LOG, entry, record, None, batch)


def _entry_mismatch(
    kind: MismatchKind, entry: Entry, expected: Record, found: Record | None, batch: int
) -> Mismatch:
    """Return the mismatch of one entry and its log."""
    shown = "none" if found is None else _shown(found)
    return Mismatch(kind, entry.asset, _shown(expected), shown, entry.seq, entry.id, batch=batch)


def _shown(record: Record) -> str:
    """Return a movement for people."""
    return f"{record.amount} from {record.from_} to {record.to}"
