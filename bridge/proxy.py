"""The deterministic deployment proxy: on some chains from the start, elsewhere put there by us.

Its address is the same on every chain, because of the transaction that makes it
(`bridge.presigned`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import ChainError, FailedTransactionError, TransactionError
from bridge.outbox import OPEN
from bridge.presigned import (
    FUNDING,
    PROXY_CODE,
    PROXY_FEES,
    PROXY_FUNDS,
    PROXY_GAS,
    PROXY_SENDER,
    PROXY_TRANSACTION,
    is_funded,
)
from ledger.addresses import DEPLOYMENT_PROXY

if TYPE_CHECKING:
    from bridge.sending import Sender

_TRIES: Final = 8
"""How often the coin is sent anew because its nonce went elsewhere."""


def ensure_deployment_proxy(sender: Sender) -> bool:
    """See to it that the proxy is on the chain; return whether it had to be put there.

    Settle first (`Sender.settle`). Its sender is funded and its transaction broadcast; both are
    stored before that, as everything that is sent. Where contracts cost more gas than that
    has (EIP-8037), a local test node sets the code.

    Raises:
        ChainError: there is other code at its address, or it cannot be put there.
    """
    chain = sender.chain
    found = chain.code(DEPLOYMENT_PROXY, chain.block())
    if found == PROXY_CODE:
        _note(sender)
        return False
    if found:
        raise ChainError(f"{DEPLOYMENT_PROXY} has other code than the deployment proxy here")
    try:
        _fund(sender)
        sender.bring(
            "proxy",
            PROXY_TRANSACTION,
            by=PROXY_SENDER,
            to=DEPLOYMENT_PROXY,
            gas=PROXY_GAS,
            fees=PROXY_FEES,
        )
    except FailedTransactionError:
        pass  # it has one transaction for ever, and that one needed more gas here
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


def _note(sender: Sender) -> None:
    """Note that the proxy's transaction is mined, where an earlier run did not come to that."""
    for attempt in sender.outbox.attempts(sender=PROXY_SENDER, statuses=OPEN):
        receipt = sender.chain.receipt(attempt.signed.hash)
        if receipt is not None:
            sender.outbox.place(PROXY_SENDER, attempt.nonce, receipt)


def _fund(sender: Sender) -> None:
    """Give the proxy's sender what it needs, if nobody has yet; look again each time it is signed.

    No contract says no to coin that is not needed any more, so it is asked for here.
    """
    for _ in range(_TRIES):
        if is_funded(sender.chain):
            return
        sender.send_once(FUNDING, PROXY_SENDER, value=PROXY_FUNDS)
    if not is_funded(sender.chain):
        raise TransactionError(
            f"the nonce of {sender.address} is used by other programs all the time: stop them, "
            "then run again"
        )
