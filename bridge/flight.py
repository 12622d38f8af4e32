"""One nonce, from its first signed transaction until something at it is in a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bridge.errors import (
    ChainError,
    FeeTooLowError,
    FundsError,
    GasTooLowError,
    NonceUsedError,
    TransactionError,
    UnderpricedError,
)
from bridge.fees import Fees, in_gwei
from bridge.patience import Clock, Since
from bridge.presigned import FUNDING, is_funded
from bridge.raw import read_raw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.chain import Chain, TransactionReceipt
    from bridge.fees import FeePolicy, Market
    from bridge.keys import SignedTransaction, TransactionSigner
    from bridge.outbox import Attempt, Outbox, Subject
    from bridge.patience import Patience
    from bridge.raw import Call
    from ledger.model import Address


_TRIES: Final = 2
"""How often an attempt is broadcast while an earlier one waits, until another one replaces it."""


class Landed(NamedTuple):
    """A transaction that is in a block."""

    attempt: Attempt
    receipt: TransactionReceipt
    is_broadcast: bool
    """Whether this run broadcast it, for the first time or again."""


@dataclass(frozen=True, slots=True)
class Hand:
    """What a key needs to sign, store and find its transactions on one chain."""

    chain: Chain
    outbox: Outbox
    signer: TransactionSigner
    fees: FeePolicy
    patience: Patience
    say: Callable[[str], None]

    @property
    def address(self) -> Address:
        """Whose transactions they are."""
        return self.signer.address

    def attempts(self, nonce: int) -> list[Attempt]:
        """Return everything that was ever signed for `nonce`."""
        return self.outbox.attempts(sender=self.address, nonce=nonce)

    def known(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Return those of `attempts` that the node has."""
        return [attempt for attempt in attempts if self.chain.knows(attempt.signed.hash)]

    def landed(self, nonce: int, *, is_broadcast: bool = False) -> Landed | None:
        """Return the attempt at `nonce` that is in a block of the chain, and note it; or None."""
        for attempt in reversed(self.attempts(nonce)):
            receipt = self.chain.receipt(attempt.signed.hash)
            if receipt is None:
                continue
            block = self.chain.block_at(receipt.block_number)
            if block is not None and block.hash == receipt.block_hash:
                self.outbox.place(self.address, nonce, receipt)
                return Landed(attempt, receipt, is_broadcast)
        return None

    def is_stale(self, attempt: Attempt) -> bool:
        """Tell whether a contract would refuse by now what `attempt` asks for, or is not there.

        Coin is given away for the deployment proxy only, and no contract says when enough is there.
        """
        if attempt.purpose == FUNDING:
            return is_funded(self.chain)
        call, _ = read_raw(attempt.signed.raw)
        if call.data and not self.chain.code(call.to, self.chain.block()):
            return True
        return self.chain.would_revert(self.address, call.to, call.data)

    def offer(self, earlier: Sequence[Attempt], market: Market) -> Fees | None:
        """Return what to offer to get past `earlier`; None while that is more than is allowed."""
        if not earlier:
            return self.fees.first(market)
        offers = [read_raw(attempt.signed.raw)[1] for attempt in earlier]
        tips = [fees.priority_fee for fees in offers if fees.priority_fee is not None]
        best = Fees(max(fees.max_fee for fees in offers), max(tips) if tips else None)
        return self.fees.more(best, market)

    def too_expensive(self, market: Market) -> str:
        """Return why nothing can be offered now."""
        return (
            f"the next block asks {in_gwei(market.price)} for gas, and no transaction may offer "
            f"more than {in_gwei(self.fees.max_fee or 0)} (--max-fee)"
        )

    def check_funds(self, call: Call, fees: Fees) -> None:
        """Raise FundsError unless the key can pay for a transaction."""
        needed = call.gas * fees.max_fee + call.value
        has = self.chain.balance(self.address)
        if has < needed:
            raise FundsError(
                f"{self.address} has {has / 10**18:.6f} of the chain's coin; a transaction of "
                f"{call.gas} gas at up to {in_gwei(fees.max_fee)} may take {needed / 10**18:.6f}: "
                "send it some, then run again. This one was not sent"
            )

    def sign(
        self,
        purpose: str,
        subject: Subject,
        call: Call,
        fees: Fees,
        *,
        nonce: int,
        replaces: Attempt | None,
    ) -> Attempt:
        """Sign a transaction and store it; nothing is broadcast."""
        signed = self.signer.sign(
            {
                "chainId": self.chain.chain_id,
                "nonce": nonce,
                "to": str(call.to),
                "data": "0x" + call.data.hex(),
                "value": call.value,
                "gas": call.gas,
                **fees.fields(),
            }
        )
        self.outbox.save(
            purpose,
            subject,
            to=call.to,
            sender=self.address,
            signed=signed,
            gas=call.gas,
            fees=fees,
            replaces=None if replaces is None else replaces.id,
        )
        [stored] = (it for it in self.attempts(nonce) if it.signed.hash == signed.hash)
        return stored


class Presigned(Hand):
    """A hand that signs nothing: its transaction was signed elsewhere, and is sent as it is."""

    __slots__ = ()

    def is_stale(self, attempt: Attempt) -> bool:
        """Return False: it is sent once in the life of a chain."""
        del attempt
        return False

    def offer(self, earlier: Sequence[Attempt], market: Market) -> Fees | None:
        """Return None: nobody can sign it again."""
        del earlier, market
        return None

    def too_expensive(self, market: Market) -> str:
        """Return why nothing more is offered."""
        return (
            f"the next block asks {in_gwei(market.price)} for gas, and what this transaction "
            "offers is signed for ever"
        )


class Nobody:
    """Who signed what cannot be signed again; a `TransactionSigner`."""

    is_public = False

    def __init__(self, address: Address) -> None:
        """Stand for the sender at `address`."""
        self.address = address

    def sign(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Refuse. Raises RuntimeError."""
        raise RuntimeError(f"nobody has the key of {self.address}: {transaction} is not signed")


class Flight:
    """The way of one nonce; `run` it."""

    def __init__(self, hand: Hand, newest: Attempt) -> None:
        """Bring `newest`, or another attempt at its nonce, into a block."""
        self._hand = hand
        self._nonce = newest.nonce
        self._newest = newest
        self._is_broadcast = False
        self._elsewhere = Since()
        self._trouble = Since()
        self._waited = Clock(hand.patience.replace_after)
        self._tries = 0
        """How often the newest attempt was broadcast."""

    def run(self) -> Landed | None:
        """Return what was mined at the nonce.

        None if it went elsewhere, or is not due: then look at the chain and decide anew.

        Raises:
            TransactionError: nothing was mined in time.
            FundsError: the key cannot pay any more.
            GasTooLowError: the node takes no transaction with so little gas.
            SignerError: a replacement was not signed.
            ChainError: the node has not done its part for too long.
        """
        hand, patience = self._hand, self._hand.patience
        clock = Clock(patience.give_up_after)
        while True:
            try:
                landed = hand.landed(self._nonce, is_broadcast=self._is_broadcast)
                if landed is not None:
                    return landed
                if self._is_over():
                    return None
                self._trouble.note(is_so=False)
            except (FundsError, GasTooLowError):
                raise
            except ChainError as error:
                if self._trouble.note(is_so=True) >= patience.silence:
                    raise
                hand.say(f"{error}: trying again")
            if not clock.wait():
                raise TransactionError(
                    f"transaction {self._newest.signed.hash} is not mined after "
                    f"{clock.seconds:.0f} seconds: run again later, nothing is sent twice"
                )

    def _is_over(self) -> bool:
        """Do what there is to do now; return whether nothing at this nonce is to be waited for."""
        hand = self._hand
        used = hand.chain.next_nonce(hand.address, "latest")
        if used != self._nonce:
            return self._is_elsewhere(used)
        self._elsewhere.note(is_so=False)
        known = hand.known(hand.attempts(self._nonce))
        if not known or (self._is_unsent(known) and not self._tries):
            self._broadcast()
        elif self._waited.seconds >= hand.patience.replace_after:
            if hand.is_stale(self._newest):
                return True
            if self._is_unsent(known):
                self._broadcast()
            else:
                self._replace("is not mined yet")
        return False

    def _is_unsent(self, known: Sequence[Attempt]) -> bool:
        """Tell whether an earlier attempt waits in the place of the newest, which may go there.

        A run may have ended before the broadcast, or the node refused it for what is true no more.
        After a second try more is offered: there are nodes that never show what they pass on.
        """
        return self._tries < _TRIES and all(it.id != self._newest.id for it in known)

    def _is_elsewhere(self, used: int) -> bool:
        """Tell whether the nonce is lost to us, once the node has said so for long enough."""
        hand = self._hand
        if self._elsewhere.note(is_so=True) < hand.patience.lag:
            return False
        if used < self._nonce:
            return True  # blocks were taken back: earlier nonces come first
        attempts = hand.attempts(self._nonce)
        if hand.known(attempts):
            return False  # it is ours that is mined, and its receipt that is late
        hand.outbox.mark([attempt.signed.hash for attempt in attempts], "dropped")
        return True

    def _broadcast(self) -> None:
        """Broadcast the newest attempt, for the first time or again, byte for byte."""
        hand, signed = self._hand, self._newest.signed
        self._waited = Clock(hand.patience.replace_after)
        self._tries += 1
        try:
            hand.chain.send(signed)
        except FeeTooLowError:
            self._replace("offers too little for the next block")
            return
        except NonceUsedError:
            return  # which is found out by looking
        except UnderpricedError:
            hand.say(f"another transaction with nonce {signed.nonce} waits: waiting for it")
            return
        hand.outbox.mark([signed.hash], "sent")
        self._is_broadcast = True

    def _replace(self, why: str) -> None:
        """Sign the newest attempt again with higher fees, if they are allowed, and broadcast it."""
        hand, old = self._hand, self._newest
        market = hand.chain.market()
        self._waited = Clock(hand.patience.replace_after)
        fees = hand.offer(hand.attempts(self._nonce), market)
        if fees is None:
            hand.say(f"transaction {old.signed.hash} {why}: {hand.too_expensive(market)}: waiting")
            return
        call, _ = read_raw(old.signed.raw)
        hand.check_funds(call, fees)
        hand.say(f"transaction {old.signed.hash} {why}: offering {in_gwei(fees.max_fee)}")
        self._newest = hand.sign(
            old.purpose, old.subject, call, fees, nonce=self._nonce, replaces=old
        )
        self._tries = 1
        try:
            hand.chain.send(self._newest.signed)
        except (UnderpricedError, FeeTooLowError, NonceUsedError):
            return  # it is looked at again, broadcast again and offered more for in time
        hand.outbox.mark([self._newest.signed.hash], "sent")
        self._is_broadcast = True
