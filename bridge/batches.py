"""A batch as the runs that a chain accepts, and where each leaves the contract. Pure.

Normally one run is the batch. A chain with smaller limits takes it in several; numbers then count
on that contract, and the tree is over the whole journal up to each cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.batches import records_of
from ledger.hashing import keccak
from ledger.ids import batch_id, next_history
from ledger.merkle import Frontier
from ledger.model import Batch, Hash32
from ledger.payload import encode_payload
from ledger.weights import Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ledger.results import Entry


@dataclass(frozen=True, slots=True)
class Position:
    """Where a token contract stands in a journal."""

    number: int
    """Batches replayed."""
    last_seq: int
    head: Hash32
    history: Hash32
    frontier: Frontier
    """The tree over entries 1 .. last_seq."""


@dataclass(frozen=True, slots=True)
class Run:
    """One call of `replay`, ready to be sent."""

    batch: Batch
    """As the contract will number it."""
    payload: bytes
    prev_history: Hash32
    after: Position
    """Where the contract stands when the run is mined."""


def weigh(entries: Iterable[Entry]) -> Weight:
    """Return what one run of `entries` weighs at most."""
    weight = Weight()
    for entry in entries:
        weight.add(entry)
    return weight


def cut(entries: Iterable[Entry]) -> Iterator[int]:
    """Yield how many of `entries` each run takes, greedily, each run by itself."""
    weight = Weight()
    for entry in entries:
        before = weight.entries
        weight.add(entry)
        if before and not weight.fits:
            yield before
            weight = weigh([entry])
    if weight.entries:
        yield weight.entries


def start(first_head: Hash32) -> Position:
    """Return where a new contract stands: history_0 is head_0."""
    return Position(0, 0, first_head, first_head, Frontier())


def make_run(domain: bytes, asset: Hash32, entries: Sequence[Entry], at: Position) -> Run:
    """Return the run that replays `entries`, the next ones after `at`."""
    payload = encode_payload(records_of(entries))
    frontier = at.frontier.extend(entry.id for entry in entries)
    batch = Batch(
        asset=asset,
        number=at.number + 1,
        first_seq=at.last_seq + 1,
        last_seq=at.last_seq + len(entries),
        prev_head=at.head,
        new_head=entries[-1].head,
        tree_root=Hash32(frontier.root()),
        payload_hash=Hash32(keccak(payload)),
    )
    return Run(batch, payload, at.history, advanced(domain, batch, at.history, frontier))


def advanced(domain: bytes, batch: Batch, history: Hash32, frontier: Frontier) -> Position:
    """Return where the contract stands after `batch`; `frontier` is the tree after it."""
    folded = next_history(history, batch_id(domain, batch))
    return Position(batch.number, batch.last_seq, batch.new_head, folded, frontier)
