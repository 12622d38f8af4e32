"""Calling our contracts: asked first, then sent, and what they answer by name."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from bridge.artifacts import artifact
from bridge.chain import is_revert
from bridge.codec import decode_result, encode_call
from bridge.errors import ForeignContractError, RevertedError, RpcError
from bridge.outbox import Subject
from bridge.raw import read_raw
from ledger.hashing import keccak_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.chain import Block, Chain, TransactionReceipt
    from bridge.sending import Sender
    from ledger.model import Address

_SELECTOR: Final = 4
_NO_SUBJECT: Final = Subject()
_OURS: Final = ("LedgerToken", "LedgerTokenDeferred", "AccountFactory", "LedgerAccount")


def ask(
    chain: Chain, contract: Address, signature: str, *arguments: object, answer: str, at: Block
) -> Any:  # noqa: ANN401 (what the ABI type decodes to)
    """Return the one value, of ABI type `answer`, that a view returns in block `at`."""
    data = encode_call(signature, *arguments)
    return decode_result([answer], chain.call(contract, data, at=at))[0]


def transact(
    sender: Sender,
    contract: Address,
    data: bytes,
    what: str,
    *,
    purpose: str,
    subject: Subject = _NO_SUBJECT,
) -> TransactionReceipt:
    """Ask whether the contract would do it, then send it and wait until it is mined.

    What is signed is stored before it is broadcast; `purpose` and `subject` are for the outbox.

    Raises:
        RevertedError: it would not, or not any more; nothing is under way.
        As `Sender.send`.
    """
    rehearse(sender.chain, sender.address, contract, data, what)
    with _named(what):
        return sender.send(purpose, contract, data, subject=subject)


def transact_once(
    sender: Sender, contract: Address, data: bytes, what: str, *, purpose: str
) -> TransactionReceipt | None:
    """Do as `transact` does for what a contract would do twice; errors are the same.

    None if something else took the nonce, as far as the node says: nothing is signed anew.
    """
    rehearse(sender.chain, sender.address, contract, data, what)
    with _named(what):
        return sender.send_once(purpose, contract, data)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Let a contract's refusal be raised as RevertedError, which says what was refused."""
    try:
        yield
    except RpcError as error:
        if not is_revert(error):
            raise
        raise _reverted(error, what) from error


def stored(
    sender: Sender, contract: Address, data: bytes, *, purpose: str
) -> Iterator[TransactionReceipt]:
    """Yield the receipt of each transaction in the outbox that asked for just this and did it.

    Whose key signed it does not matter, nor what was noted of it: the chain is asked.
    """
    for attempt in sender.outbox.attempts(purpose=purpose):
        if read_raw(attempt.signed.raw)[0][:2] == (contract, data):
            receipt = sender.chain.receipt(attempt.signed.hash)
            if receipt is not None and receipt.succeeded:
                yield receipt


def rehearse(chain: Chain, sender: Address, contract: Address, data: bytes, what: str) -> int:
    """Return the gas that a transaction of `sender` would use; send nothing.

    Raises:
        RevertedError: the contract would refuse it.
    """
    try:
        chain.call(contract, data, sender=sender)
        return chain.estimate_gas(sender, contract, data)
    except RpcError as error:
        raise _reverted(error, what) from error


def _reverted(error: RpcError, what: str) -> RevertedError:
    """Return the error that says why a contract would not do `what`."""
    name, why = _refusal(error)
    return RevertedError(f"{what}: the contract would refuse it: {why}", name)


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
