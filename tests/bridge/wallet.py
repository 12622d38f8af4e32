"""Sends as a wallet does, without storing anything: what others do with a key, or on a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import TransactionError
from bridge.fees import FeePolicy
from bridge.patience import Clock

if TYPE_CHECKING:
    from bridge.chain import Chain, TransactionReceipt
    from bridge.keys import SignedTransaction, TransactionSigner
    from ledger.model import Address, Hash32

_PATIENCE = 180.0


def transact(
    chain: Chain,
    signer: TransactionSigner,
    to: Address,
    data: bytes = b"",
    *,
    gas: int,
    value: int = 0,
) -> SignedTransaction:
    """Return a transaction signed with the next nonce; nothing is sent."""
    offered = FeePolicy().first(chain.market())
    return signer.sign(
        {
            "chainId": chain.chain_id,
            "nonce": chain.next_nonce(signer.address),
            "to": str(to),
            "data": "0x" + data.hex(),
            "value": value,
            "gas": gas,
            **(offered.fields() if offered else {}),
        }
    )


def wait(chain: Chain, transaction: Hash32) -> TransactionReceipt:
    """Return the receipt of a transaction once it is mined."""
    clock = Clock(_PATIENCE)
    while (found := chain.receipt(transaction)) is None:
        assert clock.wait(), f"{transaction} is not mined"
    return found


def send_and_wait(chain: Chain, signed: SignedTransaction, what: str) -> TransactionReceipt:
    """Broadcast and wait; raise TransactionError, naming `what`, if it fails."""
    chain.send(signed)
    receipt = wait(chain, signed.hash)
    if not receipt.succeeded:
        raise TransactionError(f"{what}: transaction {signed.hash} was mined and failed")
    return receipt
