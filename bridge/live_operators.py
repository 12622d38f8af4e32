"""Who may replay a token, and how that changes hands: one offers, the other takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.calls import ask, transact
from bridge.codec import encode_call
from bridge.errors import CustodyError, OperatorError, TransactionError
from bridge.keys import PUBLIC_ADDRESSES
from bridge.outbox import OPEN, Subject
from bridge.raw import read_raw
from bridge.sending import Sender
from bridge.tokens import check_operators, read_token
from ledger.errors import FieldError
from ledger.model import ZERO_ADDRESS, Address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.chain import Block, Chain
    from bridge.fees import FeePolicy
    from bridge.keys import TransactionSigner
    from bridge.outbox import Attempt
    from bridge.patience import Patience
    from bridge.tokens import Token
    from ledger import Ledger

_PURPOSE: Final = "operator"


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
    was_done: bool = False
    """Whether what was to be changed was so already, and nothing was signed for it now."""


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

    The token's address does not change, nor does what the ledger has stored of it. An offer to
    somebody else that was signed earlier and is in no block is never sent now: this transaction
    takes its nonce. What is offered to `to` already is not offered again.

    Raises:
        FieldError: `to` is zero, or is the operator already.
        OperatorError: `signer` is not the operator, or the token is live.
        CustodyError: the chain is no local test chain, and everybody has a key of these.
        RevertedError, TransactionError: it would fail, or failed, or an earlier offer may come
            after it.
    """
    check_operators(chain, [ledger.asset(symbol)], signer)
    if to == ZERO_ADDRESS:
        raise FieldError("to", "is address zero: a token without an operator mirrors for ever")
    if to in PUBLIC_ADDRESSES and not chain.is_local_test:
        raise CustodyError(f"everybody has the key of {to}: name another operator")
    data = encode_call("transferOperator(address)", to or ZERO_ADDRESS)
    what = f"the offer to {to}" if to else "the withdrawal of the offer"
    with Sender(ledger, chain, signer, fees=fees, patience=patience, say=say) as sender:
        others = _give_up_others(sender, _token(ledger, chain, symbol), data, say or str)
        sender.settle()
        token = _token(ledger, chain, symbol)
        check_is_operator(token, signer)
        if to == token.operator:
            raise FieldError("to", f"{to} is the operator already")
        _check_order(sender, others)
        if not others and read_pending(chain, token, chain.block()) == to:
            return _state(ledger, chain, token, was_done=True)
        return _send(ledger, sender, token, data, what)


def _give_up_others(
    sender: Sender, token: Token, data: bytes, tell: Callable[[str], object]
) -> list[Attempt]:
    """Give up what this key signed to offer the operator's part otherwise, if it is in no block.

    Return it: its nonce is the chain's next, or a later one. Nothing of it is broadcast any more.
    """
    used = sender.chain.next_nonce(sender.address, "latest")
    found = [
        it
        for it in sender.outbox.attempts(
            sender=sender.address, statuses=[*OPEN, "dropped"], purpose=_PURPOSE
        )
        if it.to == token.address
        and it.nonce >= used
        and read_raw(it.signed.raw)[0].data != data
        and sender.chain.receipt(it.signed.hash) is None
    ]
    for attempt in found:
        sender.outbox.mark([attempt.signed.hash], "dropped")
        tell(
            f"transaction {attempt.signed.hash}, which was to offer the operator's part otherwise, "
            "is in no block: it is given up, and its nonce used for something else"
        )
    return found


def _check_order(sender: Sender, others: Sequence[Attempt]) -> None:
    """Raise TransactionError if one of `others` is under way, and would come after what is sent."""
    used = sender.chain.next_nonce(sender.address, "latest")
    for attempt in others:
        if attempt.nonce > used and sender.chain.knows(attempt.signed.hash):
            raise TransactionError(
                f"transaction {attempt.signed.hash}, which offers the operator's part otherwise, "
                f"was sent with nonce {attempt.nonce}, and nonce {used} is not used yet: what is "
                "signed now would come before it. Wait until both are mined, or pay nothing to "
                "yourself until they are, then run again: the last offer counts"
            )


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

    Run it again after an interruption: who is the operator already is told so.

    Raises:
        OperatorError: nothing was offered to `signer`, or the token is live.
        CustodyError: the chain is no local test chain, and everybody has the key.
        RevertedError, TransactionError: it would fail, or failed.
    """
    check_operators(chain, [ledger.asset(symbol)], signer)
    with Sender(ledger, chain, signer, fees=fees, patience=patience, say=say) as sender:
        sender.settle()
        token = _token(ledger, chain, symbol)
        name = token.asset.symbol
        if token.live:
            raise OperatorError(f"{name}: the token is live, it has no operator any more")
        pending = read_pending(chain, token, chain.block())
        if token.operator == signer.address and pending is None:
            return _state(ledger, chain, token, was_done=True)
        if pending != signer.address:
            offered = f"was offered to {pending}" if pending else "was offered to nobody"
            raise OperatorError(f"{name}: the operator's part {offered}, not to {signer.address}")
        data = encode_call("acceptOperator()")
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


def _send(ledger: Ledger, sender: Sender, token: Token, data: bytes, what: str) -> OperatorState:
    """Send what changes an operator; return how things stand then."""
    subject, full = Subject(asset=token.asset.number), f"{token.asset.symbol}: {what}"
    transact(sender, token.address, data, full, purpose=_PURPOSE, subject=subject)
    return read_operator(ledger, sender.chain, token.asset.symbol)


def _token(ledger: Ledger, chain: Chain, symbol: str | None) -> Token:
    """Return the token of an asset as it is now."""
    return read_token(chain, ledger.identity, ledger.asset(symbol), chain.block())


def _state(ledger: Ledger, chain: Chain, token: Token, *, was_done: bool = False) -> OperatorState:
    """Return what is to be told of a token's operator."""
    return OperatorState(
        symbol=token.asset.symbol,
        token=token.address,
        operator=None if token.live else token.operator,
        pending=read_pending(chain, token, chain.block()),
        stored=ledger.asset(token.asset.symbol).operator,
        was_done=was_done,
    )
