"""The one transaction that makes the deployment proxy: signed by nobody, the same on every chain.

The signature was made up, and the sender follows from it. So nobody can sign it anew with another
gas price, and whoever wants it mined gives that sender the coin to pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.fees import GWEI, Fees
from bridge.keys import SignedTransaction
from ledger.hashing import keccak
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from bridge.chain import Chain

PROXY_CODE: Final = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe036016000816020823780"
    "35828234f58015156039578182fd5b8082525050506014600cf3"
)
"""Runtime code of the deterministic deployment proxy: CREATE2 of salt (32 bytes) || code."""

PROXY_SENDER: Final = Address.parse("0x3fab184622dc19b6109349b94811493bf2a45362")
"""Who sends the transaction: its first, and its last."""
PROXY_FEES: Final = Fees(100 * GWEI, None)
PROXY_GAS: Final = 100_000
PROXY_FUNDS: Final = PROXY_GAS * PROXY_FEES.max_fee
"""Wei that its sender must have before a node takes it."""

_RAW: Final = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe"
    + PROXY_CODE.hex()
    + "1ba0"
    + "22" * 32
    + "a0"
    + "22" * 32
)
PROXY_TRANSACTION: Final = SignedTransaction(_RAW, Hash32(keccak(_RAW)), 0)

FUNDING: Final = "fund"
"""The purpose, in an outbox, of a transaction that gives its sender the coin."""


def is_funded(chain: Chain) -> bool:
    """Tell whether nobody needs to give the proxy's sender anything: it has it, or has spent it."""
    return (
        chain.balance(PROXY_SENDER) >= PROXY_FUNDS or chain.next_nonce(PROXY_SENDER, "latest") > 0
    )
