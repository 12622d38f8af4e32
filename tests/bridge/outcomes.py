"""What every test of replay ends with: the chain has the ledger's history, and nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from bridge.outbox import PLACED, Outbox
from bridge.patience import Patience
from bridge.tokens import read_batches, read_token
from bridge.verify import verify

if TYPE_CHECKING:
    from bridge.chain import Chain
    from bridge.keys import Signer
    from bridge.outbox import Store
    from ledger import Ledger

QUICK: Final = Patience(replace_after=120.0, give_up_after=120.0, silence=0.3, lag=0.3)
"""For nodes that are on this machine and lie on purpose; a slow machine replaces nothing."""

HASTY: Final = Patience(replace_after=0.3, give_up_after=120.0, silence=0.3, lag=0.3)
"""For transactions that are not mined, so that they are replaced."""

BRIEF: Final = Patience(replace_after=120.0, give_up_after=120.0, silence=0.0, lag=0.3)
"""For a node that does not come back."""


def statuses(ledger: Ledger, purpose: str = "replay") -> list[str]:
    """Return what the outbox says, in the order of signing; a block is a block, however safe."""
    with ledger.connection() as connection:
        rows = connection.execute(
            text("SELECT status FROM token_submissions WHERE purpose = :purpose ORDER BY id"),
            {"purpose": purpose},
        )
        return [
            "mined" if row.status in {"mined", "safe", "finalized"} else row.status for row in rows
        ]


def check_exact(ledger: Ledger, chain: Chain, signer: Signer) -> None:
    """Check that the chain has each sealed entry once, in order, and that the outbox is true."""
    for asset in ledger.assets():
        token = read_token(chain, ledger.identity, asset, chain.block())
        head = ledger.head(asset.symbol)
        assert (token.last_seq, token.head) == (head.seq, head.head)
        batches = read_batches(chain, token, chain.block())
        assert [batch.number for batch in batches] == list(range(1, token.batches + 1))
        firsts = [1, *(batch.last_seq + 1 for batch in batches)]
        assert [batch.first_seq for batch in batches] == firsts[:-1]
    report = verify(ledger, chain, 2)
    assert report.agree, report
    check_outbox(ledger, chain, signer)


def check_outbox(store: Store, chain: Chain, signer: Signer) -> None:
    """Check that every attempt is where the outbox says, and that no nonce has two in blocks."""
    used = chain.next_nonce(signer.address, "latest")
    mined: list[int] = []
    for attempt in Outbox(store, chain.chain_id).attempts(sender=signer.address):
        receipt = chain.receipt(attempt.signed.hash)
        if attempt.status in PLACED:
            assert receipt is not None, attempt
            assert receipt.succeeded == (attempt.status != "failed")
            assert (attempt.block_number, attempt.block_hash, attempt.gas_used) == (
                receipt.block_number,
                receipt.block_hash,
                receipt.gas_used,
            )
            mined.append(attempt.nonce)
        else:
            assert receipt is None, attempt
            assert attempt.status in {"replaced", "dropped"} or attempt.nonce >= used, attempt
    assert len(mined) == len(set(mined))
