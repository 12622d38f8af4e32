"""Calling our contracts: asked first, then sent, and what they answer by name."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from bridge.artifacts import artifact
from bridge.codec import decode_result, encode_call
from bridge.errors import (
    FailedTransactionError,
    ForeignContractError,
    RevertedError,
    RpcError,
)
from ledger.hashing import keccak_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.chain import Block, Chain, TransactionReceipt
    from bridge.keys import TransactionSigner
    from bridge.outbox import Subject
    from bridge.sending import Sender
    from ledger.model import Address

_SELECTOR: Final = 4
_OURS: Final = ("LedgerToken", "LedgerTokenDeferred", "AccountFactory", "LedgerAccount")


def ask(
    chain: Chain, contract: Address, signature: str, *arguments: object, answer: str, at: Block
) -> Any:  # noqa: ANN401 (what the ABI type decodes to)
    """Return the one value, of ABI type `answer`, that a view returns in block `at`."""
    data = encode_call(signature, *arguments)
    return decode_result([answer], chain.call(contract, data, at=at))[0]


def transact(
    chain: Chain, signer: TransactionSigner, contract: Address, data: bytes, what: str
) -> TransactionReceipt:
    """Ask whether the contract would do it, then send it and wait until it is mined.

    Raises:
        RevertedError: it would not; nothing was sent.
        FailedTransactionError: the transaction was mined and failed.
        TransactionError: it is not mined in time, and still may be.
        ChainError: the node does not do its part.
    """
    gas = rehearse(chain, signer.address, contract, data, what)
    signed = chain.transact(signer, contract, data, gas=gas + gas // 8)
    chain.send(signed)
    receipt = chain.wait(signed.hash)
    if not receipt.succeeded:
        raise FailedTransactionError(f"{what}: transaction {signed.hash} was mined and failed")
    return receipt


def transact_stored(
    sender: Sender, contract: Address, data: bytes, what: str, *, purpose: str, subject: Subject
) -> TransactionReceipt:
    """Do the same for a key of the ledger's operator: what is signed is stored before it is sent.

    `purpose` and `subject` are for the outbox. Raises as `Sender.send`, and RevertedError.
    """
    rehearse(sender.chain, sender.address, contract, data, what)
    return sender.send(purpose, contract, data, subject=subject)


def rehearse(chain: Chain, sender: Address, contract: Address, data: bytes, what: str) -> int:
    """Return the gas that a transaction of `sender` would use; send nothing.

    Raises:
        RevertedError: the contract would refuse it.
    """
    try:
        chain.call(contract, data, sender=sender)
        return chain.estimate_gas(sender, contract, data)
    except RpcError as error:
        name, why = _refusal(error)
        raise RevertedError(f"{what}: the contract would refuse it: {why}", name) from error


def _refusal(error: RpcError) -> tuple[str, str]:
    """Return the name of the error that a contract of ours reverted with, and it in words."""
    known = _errors().get(error.revert[:_SELECTOR])
    if known is None:
        return "", error.message
    inputs = known["inputs"]
    try:
        values = decode_result([it["type"] for it in inputs], error.revert[_SELECTOR:])
    except ForeignContractError:
        return "", error.message
    shown = (f"{it['name']} {_shown(value)}" for it, value in zip(inputs, values, strict=True))
    return known["name"], f"{known['name']}({', '.join(shown)})"


def _shown(value: object) -> str:
    """Return a value of an error as people read it."""
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


@cache
def _errors() -> Mapping[bytes, dict[str, Any]]:
    """Return every custom error of our contracts, by selector."""
    return {
        keccak_text(f"{it['name']}({','.join(part['type'] for part in it['inputs'])})")[:4]: it
        for name in _OURS
        for it in artifact(name).abi
        if it["type"] == "error"
    }
