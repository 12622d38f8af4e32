"""The deterministic deployment proxy: on some chains from the start, elsewhere put there by us.

Its address is the same on every chain, because the one transaction that makes it was signed by
nobody: the signature was made up, and the sender follows from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import ChainError
from ledger.addresses import DEPLOYMENT_PROXY
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from bridge.chain import Chain
    from bridge.keys import TransactionSigner

PROXY_CODE: Final = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe036016000816020823780"
    "35828234f58015156039578182fd5b8082525050506014600cf3"
)
"""Runtime code of the deterministic deployment proxy: CREATE2 of salt (32 bytes) || code."""

_PROXY_SENDER: Final = Address.parse("0x3fab184622dc19b6109349b94811493bf2a45362")
_PROXY_FUNDS: Final = 10**16
_PROXY_TRANSACTION: Final = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe"
    + PROXY_CODE.hex()
    + "1ba0"
    + "22" * 32
    + "a0"
    + "22" * 32
)


def ensure_deployment_proxy(chain: Chain, signer: TransactionSigner) -> bool:
    """See to it that the proxy is on `chain`; return whether it had to be put there.

    Its sender is funded and its transaction broadcast. Where contracts cost more gas than that
    has (EIP-8037), a local test node sets the code.

    Raises:
        ChainError: there is other code at its address, or it cannot be put there.
    """
    found = chain.code(DEPLOYMENT_PROXY, chain.block())
    if found == PROXY_CODE:
        return False
    if found:
        raise ChainError(f"{DEPLOYMENT_PROXY} has other code than the deployment proxy here")
    try:
        _broadcast(chain, signer)
    except ChainError:
        if not chain.is_local_test:
            raise
    if chain.is_local_test and not chain.code(DEPLOYMENT_PROXY, chain.block()):
        chain.set_code(DEPLOYMENT_PROXY, PROXY_CODE)
    if chain.code(DEPLOYMENT_PROXY, chain.block()) != PROXY_CODE:
        raise ChainError(
            f"the deployment proxy cannot be put at {DEPLOYMENT_PROXY} on chain {chain.chain_id}"
        )
    return True


def _broadcast(chain: Chain, signer: TransactionSigner) -> None:
    """Fund the proxy's sender, if nobody has yet, and broadcast its transaction."""
    if chain.balance(_PROXY_SENDER) < _PROXY_FUNDS:
        funds = chain.transact(signer, _PROXY_SENDER, gas=21_000, value=_PROXY_FUNDS)
        chain.send_and_wait(funds, "funding the sender of the deployment proxy")
    hash_ = chain.request("eth_sendRawTransaction", "0x" + _PROXY_TRANSACTION.hex())
    chain.wait(Hash32.parse(hash_))
