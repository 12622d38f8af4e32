"""Where entries are on chains, as far as this ledger's outbox knows. Asks no node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from bridge.outbox import submissions
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger import Asset, Ledger

_IN_BLOCKS: Final = ("mined", "safe", "finalized")
"""Statuses of what is in a block and went well, the later the surer."""


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


def replays(ledger: Ledger, asset: Asset, seq: int | None = None) -> list[Replayed]:
    """Return the replays of an asset that are in a block: of one entry, or all, by seq."""
    query = (
        select(submissions)
        .where(
            submissions.c.asset == asset.number,
            submissions.c.purpose == "replay",
            submissions.c.status.in_(_IN_BLOCKS),
        )
        .order_by(submissions.c.chain_id, submissions.c.first_seq, submissions.c.id)
    )
    if seq is not None:
        query = query.where(submissions.c.first_seq <= seq, submissions.c.last_seq >= seq)
    with ledger.reading() as connection:
        return [_replayed(row) for row in connection.execute(query)]


def reached(found: Sequence[Replayed]) -> dict[str, tuple[int, str]]:
    """Return by chain how far an asset is replayed, and how sure its last block is."""
    return {it.chain_id: (it.last_seq, it.state) for it in found}


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
