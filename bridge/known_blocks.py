"""What the outbox knows of a chain: blocks in which this ledger's own transactions were.

So a node that shows an older head than that, or a chain without them, is not taken at its word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from bridge.errors import StaleBlockError
from bridge.outbox import PLACED
from ledger.model import Hash32
from ledger.tables import submissions

if TYPE_CHECKING:
    from bridge.chain import Block, Chain
    from ledger import Ledger
    from ledger.model import Address

_NOTED: Final = {"latest": PLACED, "safe": ("safe", "finalized"), "finalized": ("finalized",)}
"""By the name of a head: what the outbox calls transactions whose blocks it must have reached."""


def check_reached(ledger: Ledger, chain: Chain, head: str, at: Block) -> None:
    """Check that `at`, which the node answered for `head`, is no older than what is known.

    Raises:
        StaleBlockError: a transaction of this ledger is noted to be in a later block.
    """
    noted = submissions.c
    query = (
        select(noted.purpose, noted.tx_hash, noted.block_number, noted.block_hash, noted.status)
        .where(
            noted.chain_id == str(chain.chain_id),
            noted.status.in_(_NOTED[head]),
            noted.block_number > at.number,
        )
        .order_by(noted.block_number.desc(), noted.id.desc())
        .limit(1)
    )
    with ledger.connection() as connection:
        row = connection.execute(query).first()
    if row is None:
        return
    block = "" if row.block_hash is None else f" ({Hash32(bytes(row.block_hash))})"
    raise StaleBlockError(
        f"{chain.name} says that the {head} block is {at.number} ({at.hash}), but the transaction "
        f"{Hash32(bytes(row.tx_hash))} ({row.purpose}) is noted as {row.status} in block "
        f"{row.block_number}{block}: the node is behind, or shows you an old block. Ask another "
        "node; if the chain did go back, `evm-ledger chain status` notes that"
    )


def noted_batch(ledger: Ledger, chain: Chain, token: Address, at: Block) -> tuple[int, int] | None:
    """Return (number, block) of the last batch of `token` that is noted to be on the chain."""
    noted = submissions.c
    query = (
        select(noted.number, noted.block_number)
        .where(
            noted.chain_id == str(chain.chain_id),
            noted.contract == bytes(token),
            noted.purpose == "replay",
            noted.status.in_(("mined", "safe", "finalized")),
            noted.block_number <= at.number,
        )
        .order_by(noted.number.desc())
        .limit(1)
    )
    with ledger.connection() as connection:
        row = connection.execute(query).first()
    return None if row is None else (row.number, row.block_number)
