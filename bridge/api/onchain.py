"""Where entries are on chains, as far as this ledger's outbox knows. Asks no node.

A row of the outbox is as large as its transaction, and what is wanted of it lies behind that: so
rows are chosen by what lies before it, and only those are read that are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import or_, select

from ledger.model import Address, Hash32
from ledger.tables import submissions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement

    from ledger import Asset, Ledger

_IN_BLOCKS: Final = ("mined", "safe", "finalized")
"""Statuses of what is in a block and went well, the later the surer."""

_RUN: Final = 50
_COLUMNS: Final = (
    submissions.c.asset,
    submissions.c.chain_id,
    submissions.c.contract,
    submissions.c.tx_hash,
    submissions.c.block_number,
    submissions.c.first_seq,
    submissions.c.last_seq,
    submissions.c.status,
)

_GOOD: Final = (submissions.c.purpose == "replay", submissions.c.status.in_(_IN_BLOCKS))


@dataclass(frozen=True, slots=True)
class Replayed:
    """A transaction that replayed a run of entries."""

    chain_id: str
    contract: Address
    transaction: Hash32
    block_number: int
    first_seq: int
    last_seq: int
    state: str
    """mined, safe or finalized, when the outbox was last brought up to date."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far an asset is on a chain."""

    last_seq: int
    """The last entry that is in a block."""
    state: str
    """How sure its block is: mined, safe or finalized."""
    final_seq: int
    """The last entry that is in a finalized block; 0 if none is."""


def replays(ledger: Ledger, asset: Asset, first: int, last: int) -> list[Replayed]:
    """Return the replays that are in a block and have entries of `first` .. `last`, by seq."""
    return _in_blocks(ledger, asset, [_overlaps(first, last)])


def replays_in(ledger: Ledger, transaction: Hash32) -> list[tuple[int, Replayed]]:
    """Return what a transaction replayed, with the number of its asset."""
    query = select(*_COLUMNS).where(submissions.c.tx_hash == transaction, *_GOOD)
    with ledger.reading() as connection:
        return [(row.asset, _replayed(row)) for row in connection.execute(query)]


def reached(ledger: Ledger, asset: Asset) -> dict[str, Reached]:
    """Return by chain how far an asset is. What is final is not far behind: newest first."""
    rows = submissions.c
    newest = (
        select(rows.id, rows.chain_id)
        .where(rows.asset == asset.number, rows.last_seq.is_not(None))
        .order_by(rows.last_seq.desc(), rows.id.desc())
    )
    found: dict[str, Reached] = {}
    with ledger.reading() as connection:
        left = [(row.id, row.chain_id) for row in connection.execute(newest)]
        while left:
            run = {id_ for id_, _ in left[:_RUN]}
            query = select(*_COLUMNS).where(rows.id.in_(run), *_GOOD)
            order = query.order_by(rows.last_seq.desc(), rows.id.desc())
            for row in connection.execute(order):
                found[row.chain_id] = _further(found.get(row.chain_id), row)
            done = {chain for chain, it in found.items() if it.final_seq}
            left = [(id_, chain) for id_, chain in left[_RUN:] if chain not in done]
    return dict(sorted(found.items()))


def _further(known: Reached | None, row: Any) -> Reached:  # noqa: ANN401 (SQLAlchemy's row)
    """Return what is known of a chain, with an older row of it."""
    final = row.last_seq if row.status == "finalized" else 0
    if known is None:
        return Reached(row.last_seq, row.status, final)
    return Reached(known.last_seq, known.state, known.final_seq or final)


def state_of(states: Iterable[str], *, is_sealed: bool) -> str:
    """Return in a word where an entry is: `states` are of its replays, on whatever chain."""
    known = set(states)
    if "finalized" in known:
        return "final"
    if known:
        return "replayed"
    return "sealed, off-chain" if is_sealed else "off-chain"


def states(ledger: Ledger, asset: Asset, seqs: Sequence[int]) -> dict[int, str]:
    """Return where each of some entries is: as many as a page shows."""
    on_chain = _in_blocks(ledger, asset, [_overlaps(seq, seq) for seq in seqs]) if seqs else []
    batch = ledger.batch_until(ledger.last_seal(), asset.symbol)
    sealed = batch.batch.last_seq if batch else 0
    return {
        seq: state_of(
            (it.state for it in on_chain if it.first_seq <= seq <= it.last_seq),
            is_sealed=seq <= sealed,
        )
        for seq in seqs
    }


def _overlaps(first: int, last: int) -> ColumnElement[bool]:
    """Return the condition that a replay has entries of `first` .. `last`."""
    return (submissions.c.first_seq <= last) & (submissions.c.last_seq >= first)


def _in_blocks(
    ledger: Ledger, asset: Asset, wanted: Sequence[ColumnElement[bool]]
) -> list[Replayed]:
    """Return the replays that are in a block and for which one of the conditions holds."""
    rows = submissions.c
    query = select(*_COLUMNS).where(rows.asset == asset.number, or_(*wanted), *_GOOD)
    order = query.order_by(rows.chain_id, rows.first_seq, rows.id)
    with ledger.reading() as connection:
        return [_replayed(row) for row in connection.execute(order)]


def _replayed(row: Any) -> Replayed:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the replay that a row is."""
    return Replayed(
        row.chain_id,
        Address(bytes(row.contract)),
        Hash32(bytes(row.tx_hash)),
        row.block_number,
        row.first_seq,
        row.last_seq,
        row.status,
    )
