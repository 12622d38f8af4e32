"""Batches and seals as values: the ledger-wide order, the cut, and what a seal commits to."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING

from ledger.hashing import keccak
from ledger.ids import batch_id, seal_id
from ledger.model import ZERO_HASH, Batch, Hash32, Record, Seal
from ledger.payload import encode_payload
from ledger.results import Asset, Entry, Sealed, SealedBatch
from ledger.weights import Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ledger.merkle import Frontier

Unit = tuple[Entry, ...]
"""A group, or a lone entry: what a seal takes whole or not at all."""


@dataclass(slots=True)
class _Cut:
    """What one seal takes of one asset."""

    entries: list[Entry] = field(default_factory=list)
    weight: Weight = field(default_factory=Weight)


@dataclass(frozen=True, slots=True)
class BatchEnd:
    """Where an asset's last batch ended: what the next one continues."""

    number: int
    last_seq: int
    head: Hash32
    frontier: Frontier


def units(streams: Sequence[Iterable[Entry]], ids: Mapping[str, Hash32]) -> Iterator[Unit]:
    """Return the groups and lone entries of all journals, in ledger order.

    The order is (timestamp, lowest (asset, seq) of the group, asset, seq); `ids` gives each
    symbol's asset id. Each stream is one journal, ascending by seq.
    """

    def place(entry: Entry) -> tuple[int, Hash32, int]:
        return (entry.timestamp, ids[entry.asset], entry.seq)

    ordered = merge(*streams, key=place)
    for _, same_time in groupby(ordered, key=lambda entry: entry.timestamp):
        gathered: dict[bytes, list[Entry]] = {}
        for entry in same_time:
            alone = entry.group == ZERO_HASH
            gathered.setdefault(entry.id if alone else entry.group, []).append(entry)
        yield from (tuple(group) for group in gathered.values())


def cut(ordered: Iterable[Unit]) -> dict[str, list[Entry]]:
    """Return, by symbol, the longest prefix of `ordered` in which every batch fits.

    The first unit is taken whatever it weighs: the bridge cuts it further for the chain.
    """
    taken: dict[str, _Cut] = {}
    for unit in ordered:
        if not _fits(unit, taken) and taken:
            break
        for entry in unit:
            part = taken.setdefault(entry.asset, _Cut())
            part.entries.append(entry)
            part.weight.add(entry)
    return {symbol: part.entries for symbol, part in taken.items()}


def _fits(unit: Unit, taken: Mapping[str, _Cut]) -> bool:
    """Tell whether every batch still fits with `unit` in it (each new asset starts empty)."""
    for symbol in {entry.asset for entry in unit}:
        weight = taken[symbol].weight if symbol in taken else Weight()
        if not weight.fits_with(entry for entry in unit if entry.asset == symbol):
            return False
    return True


def make_batch(
    domain: bytes, asset: Asset, end: BatchEnd, entries: Sequence[Entry], seal: int
) -> SealedBatch:
    """Return the batch of `entries`, which follow `end`."""
    ids = [entry.id for entry in entries]
    return batch_of(domain, asset, end, ids, records_of(entries), entries[-1].head, seal)


def batch_of(  # noqa: PLR0917 (as make_batch, without entries)
    domain: bytes,
    asset: Asset,
    end: BatchEnd,
    ids: Sequence[bytes],
    records: Sequence[Record],
    head: Hash32,
    seal: int,
) -> SealedBatch:
    """Return the batch of the entries with `ids`, which follow `end` up to `head`."""
    frontier = end.frontier.extend(ids)
    payload = encode_payload(records)
    batch = Batch(
        asset=asset.id,
        number=end.number + 1,
        first_seq=end.last_seq + 1,
        last_seq=end.last_seq + len(ids),
        prev_head=end.head,
        new_head=head,
        tree_root=Hash32(frontier.root()),
        payload_hash=Hash32(keccak(payload)),
    )
    return SealedBatch(batch, batch_id(domain, batch), asset.symbol, seal, frontier.to_bytes())


def records_of(entries: Iterable[Entry]) -> list[Record]:
    """Return the payload records of `entries`, in order."""
    return [Record(entry.from_address, entry.to_address, entry.amount) for entry in entries]


def make_seal(
    domain: bytes, number: int, prev_seal: Hash32, timestamp: int, made: Iterable[SealedBatch]
) -> Sealed:
    """Return the seal over the batches `made`, ascending by asset id."""
    ordered = tuple(sorted(made, key=lambda batch: batch.batch.asset))
    seal = Seal(number, prev_seal, timestamp, tuple(batch.id for batch in ordered))
    return Sealed(seal, seal_id(domain, seal), ordered)
