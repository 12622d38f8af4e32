"""Who may replay a token, and how that changes hands: one offers, the other takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.calls import ask, transact
from bridge.codec import encode_call
from bridge.errors import CustodyError, OperatorError
from bridge.keys import PUBLIC_ADDRESSES
from bridge.outbox import Subject
from bridge.sending import Sender
from bridge.tokens import check_operators, read_token
from ledger.errors import FieldError
from ledger.model import ZERO_ADDRESS, Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.chain import Block, Chain
    from bridge.fees import FeePolicy
    from bridge.keys import TransactionSigner
    from bridge.patience import Patience
    from bridge.tokens import Token
    from ledger import Ledger


@dataclass(frozen=True, slots=True)
class OperatorState:
    """Who may replay one token, in one block."""

    symbol: str
    token: Address
    operator: Address | None
    """None once the token is live."""
    pending: Address | None
    """To whom the operator's part was offered."""
    stored: Address | None
    """The ledger's own record: it fixes the token's address and never changes."""


def read_operator(ledger: Ledger, chain: Chain, symbol: str | None = None) -> OperatorState:
    """Return who may replay the token of an asset.

    Raises:
        NoContractError, ForeignContractError: the token is missing, or is not this ledger's.
        ChainError: the node does not do its part.
    """
    return _state(ledger, chain, _token(ledger, chain, symbol))


def transfer_operator(
    ledger: Ledger,
    chain: Chain,
    signer: TransactionSigner,
    to: Address | None,
    symbol: str | None = None,
    *,
    fees: FeePolicy | None = None,
    patience: Patience | None = None,
    say: Callable[[str], None] | None = None,
) -> OperatorState:
    """Offer the operator's part to `to`, who has it once it is taken; None withdraws an offer.

    The token's address does not change, nor does what the ledger has stored of it.

    Raises:
        FieldError: `to` is zero, or is the operator already.
        OperatorError: `signer` is not the operator, or the token is live.
        CustodyError: the chain is no local test chain, and everybody has a key of these.
        RevertedError, TransactionError: it would fail, or failed.
    """
    token = _checked_token(ledger, chain, signer, symbol)
    check_is_operator(token, signer)
    if to == ZERO_ADDRESS:
        raise FieldError("to", "is address zero: a token without an operator mirrors for ever")
    if to == token.operator:
        raise FieldError("to", f"{to} is the operator already")
    if to in PUBLIC_ADDRESSES and not chain.is_local_test:
        raise CustodyError(f"everybody has the key of {to}: name another operator")
    data = encode_call("transferOperator(address)", to or ZERO_ADDRESS)
    what = f"the offer to {to}" if to else "the withdrawal of the offer"
    sender = Sender(ledger, chain, signer, fees=fees, patience=patience, say=say)
    return _send(ledger, sender, token, data, what)


def accept_operator(
    ledger: Ledger,
    chain: Chain,
    signer: TransactionSigner,
    symbol: str | None = None,
    *,
    fees: FeePolicy | None = None,
    patience: Patience | None = None,
    say: Callable[[str], None] | None = None,
) -> OperatorState:
    """Take the operator's part that was offered to `signer`.

    Raises:
        OperatorError: nothing was offered to `signer`, or the token is live.
        CustodyError: the chain is no local test chain, and everybody has the key.
        RevertedError, TransactionError: it would fail, or failed.
    """
    token = _checked_token(ledger, chain, signer, symbol)
    name = token.asset.symbol
    if token.live:
        raise OperatorError(f"{name}: the token is live, it has no operator any more")
    pending = read_pending(chain, token, chain.block())
    if pending != signer.address:
        offered = f"was offered to {pending}" if pending else "was offered to nobody"
        raise OperatorError(f"{name}: the operator's part {offered}, not to {signer.address}")
    data = encode_call("acceptOperator()")
    sender = Sender(ledger, chain, signer, fees=fees, patience=patience, say=say)
    return _send(ledger, sender, token, data, "taking the operator's part")


def check_is_operator(token: Token, signer: TransactionSigner) -> None:
    """Raise OperatorError unless `signer` is the operator of a token that mirrors."""
    symbol = token.asset.symbol
    if token.live:
        raise OperatorError(f"{symbol}: the token is live, it has no operator any more")
    if token.operator != signer.address:
        raise OperatorError(
            f"{symbol}: the token's operator is {token.operator}, not {signer.address}: sign with "
            "the operator's --keystore"
        )


def read_pending(chain: Chain, token: Token, at: Block) -> Address | None:
    """Return to whom the operator's part was offered, if to anybody."""
    found = ask(chain, token.address, "pendingOperator()", answer="address", at=at)
    pending = Address.parse(found)
    return None if pending == ZERO_ADDRESS else pending


def _checked_token(
    ledger: Ledger, chain: Chain, signer: TransactionSigner, symbol: str | None
) -> Token:
    """Return the token of an asset, if nobody's key but its people's is to decide."""
    check_operators(chain, [ledger.asset(symbol)], signer)
    return _token(ledger, chain, symbol)


def _send(ledger: Ledger, sender: Sender, token: Token, data: bytes, what: str) -> OperatorState:
    """Send what changes an operator; return how things stand then."""
    subject, full = Subject(asset=token.asset.number), f"{token.asset.symbol}: {what}"
    with sender:
        sender.settle()
        transact(sender, token.address, data, full, purpose="operator", subject=subject)
    return read_operator(ledger, sender.chain, token.asset.symbol)


def _token(ledger: Ledger, chain: Chain, symbol: str | None) -> Token:
    """Return the token of an asset as it is now."""
    return read_token(chain, ledger.identity, ledger.asset(symbol), chain.block())


def _state(ledger: Ledger, chain: Chain, token: Token) -> OperatorState:
    """Return what is to be told of a token's operator."""
    return OperatorState(
        symbol=token.asset.symbol,
        token=token.address,
        operator=None if token.live else token.operator,
        pending=read_pending(chain, token, chain.block()),
        stored=ledger.asset(token.asset.symbol).operator,
    )
