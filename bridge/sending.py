"""Sends transactions: each is mined once, whatever happens in between.

What is signed is stored before it is broadcast, and the answer to a broadcast is only a hint: an
error means "unknown". A key's transactions are sent one after the other, and a nonce is never
passed over: what is signed next takes the lowest nonce that the chain has not used. So whatever was
signed for that nonce before competes with it, and one of them is mined. All of them are asked
about, whichever it is.

A transaction that waits for too long is replaced: signed again at its nonce, with an eighth more
for its gas, up to a cap. One that the node has forgotten is broadcast again, byte for byte. Only
where the chain itself says that a nonce was used, and goes on knowing nothing of ours that used it,
is a transaction given up and another one signed. Should the node be wrong (one that lags behind
itself), both are mined: so `send` is for what does no more twice than once. For anything else there
is `send_once`, which signs nothing anew.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from bridge.batches import TRANSACTION_GAS_CAP
from bridge.errors import (
    FailedTransactionError,
    FeeCapError,
    ReorganisedError,
    TransactionError,
)
from bridge.fees import FeePolicy
from bridge.flight import Flight, Hand, Landed, Nobody, Presigned
from bridge.outbox import OPEN, PLACED, Outbox, Subject
from bridge.patience import Clock, Patience
from bridge.raw import Call, read_raw
from bridge.tracking import track

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.chain import Chain, TransactionReceipt
    from bridge.fees import Fees
    from bridge.keys import SignedTransaction, TransactionSigner
    from bridge.outbox import Attempt, Store
    from bridge.tracking import Confirmed
    from ledger.model import Address

_TRIES: Final = 8
"""How often a transaction is signed anew because its nonce went elsewhere."""
_NO_SUBJECT: Final = Subject()


class Sender:
    """One key on one chain, and where what it signs is stored.

    Enter it: while it is entered, no other process sends with the key from this store.

        with Sender(store, chain, signer) as sender:
            sender.settle()
            # look at the chain, decide what is to be done, then
            receipt = sender.send("finalize", token, data)
    """

    def __init__(
        self,
        store: Store,
        chain: Chain,
        signer: TransactionSigner,
        *,
        fees: FeePolicy | None = None,
        patience: Patience | None = None,
        gas_cap: int = TRANSACTION_GAS_CAP,
        gas_advice: str = "",
        say: Callable[[str], None] | None = None,
        landed: Callable[[Landed], None] | None = None,
    ) -> None:
        """Send for `signer`.

        Args:
            store: a ledger or an `OutboxFile`, in which everything signed is stored.
            chain: where to.
            signer: who signs.
            fees: how much may be offered for gas; `FeePolicy()` unless given.
            patience: how long the chain is waited for; `Patience()` unless given.
            gas_cap: the most gas that one transaction may have.
            gas_advice: what to do where one needs more, for the end of that error.
            say: is told, in a sentence, what is being waited for.
            landed: is told of each transaction that is found in a block, of earlier runs too.
        """
        self.chain = chain
        self.outbox = Outbox(store, chain.chain_id)
        self._store = store
        self._signer = signer
        self._fees = fees or FeePolicy()
        self._patience = patience or Patience()
        self._gas_cap = gas_cap
        self._gas_advice = f". {gas_advice}" if gas_advice else ""
        self._say = say or _ignore
        self._landed = landed or _ignore
        self._hand: Hand | None = None
        self._stack = ExitStack()

    @property
    def address(self) -> Address:
        """Whose transactions they are."""
        return self._signer.address

    def __enter__(self) -> Self:
        """Take the key.

        Raises:
            BusyError: another process sends with it from this store; says which.
        """
        name = f"send:{self.chain.chain_id}:{self.address}"
        what = f"sends with the key of {self.address} to chain {self.chain.chain_id}"
        with ExitStack() as stack:
            stack.enter_context(self._store.alone(name, what))
            fees = self._fees.settled(self.chain.market())
            self._hand = Hand(
                self.chain, self.outbox, self._signer, fees, self._patience, self._say
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._hand = None
        self._stack.close()

    @property
    def _key(self) -> Hand:
        """What signs, while the sender is entered."""
        if self._hand is None:
            raise RuntimeError("enter the sender first: `with Sender(...) as sender`")
        return self._hand

    # --- what callers call ---

    def settle(self) -> list[Landed]:
        """Find out what became of every transaction signed earlier; wait for those under way.

        Call it before you look at the chain to decide what to send. What a contract would refuse
        by now is not broadcast again: its nonce goes to what is sent next.

        Raises:
            ChainError: the node does not do its part. Nothing is lost.
        """
        track(self.outbox, self.chain)
        return self._settle_open()

    def wait_until(self, confirmed: Confirmed) -> bool:
        """Wait until everything that this key sent is so deep in the chain, and return True.

        Where this store has sent nothing, others did: then the latest block must be so deep.

        False if blocks were taken back: then settle, and look at the chain again.

        Raises:
            TransactionError: it takes too long; run again later.
            ChainError: the node does not do its part, or cannot tell.
        """
        clock = Clock(self._patience.give_up_after)
        seen = self.chain.block().number
        while True:
            heads = track(self.outbox, self.chain)
            mine = self.outbox.attempts(sender=self.address, statuses=[*OPEN, *PLACED])
            used = self.chain.next_nonce(self.address, "latest")
            due = [it for it in mine if it.status in OPEN and it.nonce <= used]
            if not all(map(self._key.is_stale, due)):
                return False
            blocks = {it.block_number for it in mine if it.block_number is not None} or {seen}
            if heads.confirm(max(blocks), confirmed):
                return True
            self._say(f"waiting until block {max(blocks)} is {_words(confirmed)}")
            if not clock.wait():
                raise TransactionError(
                    f"block {max(blocks)} is not {_words(confirmed)} yet: run again later"
                )

    def send(
        self,
        purpose: str,
        to: Address,
        data: bytes = b"",
        *,
        gas: int | None = None,
        value: int = 0,
        subject: Subject = _NO_SUBJECT,
    ) -> TransactionReceipt:
        """Send one transaction and return its receipt once it is mined.

        Args:
            purpose: one word, for the outbox: replay, deploy, finalize, ...
            to: the contract.
            data: what it is called with, which must change nothing if it is mined twice.
            gas: the limit; an eighth more than the node's estimate unless given. The contract is
                asked again whenever a nonce went elsewhere.
            value: wei to send along.
            subject: what it is about, for the outbox.

        Raises:
            RpcError: the contract would refuse it now; nothing was sent.
            FailedTransactionError: it was mined and failed.
            FeeCapError, FundsError: gas costs too much, or the key cannot pay for it.
            TransactionError: it is not mined in time. It still may be: a later run finds out.
            SignerError: the remote signer refuses, or signed something else.
            ChainError: the node does not do its part.
        """
        for _ in range(_TRIES):
            receipt = self.send_once(purpose, to, data, gas=gas, value=value, subject=subject)
            if receipt is not None:
                return receipt
        raise TransactionError(
            f"{purpose}: {_TRIES} times, the nonce of {self.address} was used by something else: "
            "stop the other programs that send with this key, then run again"
        )

    def send_once(
        self,
        purpose: str,
        to: Address,
        data: bytes = b"",
        *,
        gas: int | None = None,
        value: int = 0,
        subject: Subject = _NO_SUBJECT,
    ) -> TransactionReceipt | None:
        """Do as `send` does, but return None if something else took the nonce: decide anew."""
        self._settle_open()
        nonce = self._free_nonce()
        call = Call(to, data, value, self._limit(to, data, value, gas))
        landed = Flight(self._key, self._sign(purpose, subject, call, nonce)).run()
        if landed is None:
            self._say(f"nonce {nonce} went elsewhere: looking again")
            return None
        self._landed(landed)
        found = landed.attempt
        is_ours = found.purpose == purpose and read_raw(found.signed.raw)[0][:3] == call[:3]
        return _succeeded(landed, purpose) if is_ours else None

    def bring(
        self, purpose: str, signed: SignedTransaction, *, by: Address, to: Address, gas: int,
        fees: Fees,
    ) -> TransactionReceipt:  # fmt: skip
        """Store what was signed elsewhere, bring it into a block as it is; return its receipt.

        Args:
            purpose: one word, for the outbox.
            signed: the transaction, the first of its sender.
            by: its sender, of whom nobody here has the key.
            to: what it is about.
            gas: what it may use.
            fees: what it offers, for good.

        Raises:
            FailedTransactionError: it was mined and failed.
            TransactionError: it is not mined in time. It still may be: a later run finds out.
            ChainError: the node does not do its part.
        """
        key = self._key
        hand = Presigned(key.chain, key.outbox, Nobody(by), key.fees, key.patience, key.say)
        if not hand.attempts(signed.nonce):
            self.outbox.save(
                purpose, _NO_SUBJECT, to=to, sender=by, signed=signed, gas=gas, fees=fees
            )
        [stored] = hand.attempts(signed.nonce)
        landed = Flight(hand, stored).run()
        if landed is None:
            raise TransactionError(f"{purpose}: {by} has sent another transaction: nobody can have")
        return _succeeded(landed, purpose)

    # --- inside ---

    def _settle_open(self) -> list[Landed]:
        """Settle each nonce for which something was signed and nothing is known to be mined."""
        waiting = self.outbox.attempts(sender=self.address, statuses=OPEN)
        found = (self._settle(nonce) for nonce in sorted({it.nonce for it in waiting}))
        done = [landed for landed in found if landed is not None]
        for landed in done:
            self._landed(landed)
        return done

    def _settle(self, nonce: int) -> Landed | None:
        """Find out what became of `nonce`; wait if it is under way, or due."""
        key = self._key
        landed = key.landed(nonce)
        if landed is not None:
            return landed
        attempts = key.attempts(nonce)
        newest = ([it for it in attempts if it.status in OPEN] or attempts)[-1]
        is_ahead = nonce > self.chain.next_nonce(self.address, "latest")
        if is_ahead or key.is_stale(newest):
            if not key.known(attempts):
                key.outbox.mark([it.signed.hash for it in attempts], "dropped")
            return None
        return Flight(key, newest).run()

    def _free_nonce(self) -> int:
        """Return the lowest nonce that the chain has not used; wait for what others have sent."""
        clock = Clock(self._patience.give_up_after)
        while True:
            used = self.chain.next_nonce(self.address, "latest")
            noted = self.outbox.last_used(self.address)
            if noted is not None and noted >= used:
                self._wait_for_node(clock)
            elif self._key.attempts(used) or self.chain.next_nonce(self.address) <= used:
                return used
            else:
                self._say(f"waiting for a transaction of {self.address} that was sent elsewhere")
            if not clock.wait():
                raise TransactionError(
                    f"a transaction of {self.address} with nonce {used}, which is not known "
                    "here, is not mined: wait for it, or replace it where it was signed"
                )

    def _wait_for_node(self, clock: Clock) -> None:
        """Let a node that counts fewer transactions than it has shown catch up."""
        if clock.seconds > self._patience.lag:
            raise ReorganisedError(
                f"{self.chain.name} does not count transactions that it has shown: run again, or "
                "use another node"
            )
        track(self.outbox, self.chain)

    def _limit(self, to: Address, data: bytes, value: int, gas: int | None) -> int:
        """Return the gas limit; RpcError if the contract would refuse."""
        needed = self.chain.estimate_gas(self.address, to, data, value=value)
        if needed > self._gas_cap:
            raise TransactionError(
                f"it needs {needed} gas, and by the given limits a transaction may have no more "
                f"than {self._gas_cap} on this chain: it was not sent{self._gas_advice}"
            )
        return min(gas or needed + needed // 8, self._gas_cap)

    def _sign(self, purpose: str, subject: Subject, call: Call, nonce: int) -> Attempt:
        """Sign for `nonce`, with more than what waits there offers; store it, and send nothing."""
        key = self._key
        earlier = key.known(key.attempts(nonce))
        fees = self._offer(earlier)
        key.check_funds(call, fees)
        replaces = earlier[-1] if earlier else None
        return key.sign(purpose, subject, call, fees, nonce=nonce, replaces=replaces)

    def _offer(self, earlier: Sequence[Attempt]) -> Fees:
        """Return what to offer, waiting while gas costs more than it may."""
        key, clock = self._key, Clock(self._patience.give_up_after)
        while True:
            market = self.chain.market()
            fees = key.offer(earlier, market)
            if fees is not None:
                return fees
            self._say(f"{key.too_expensive(market)}: waiting")
            if not clock.wait():
                raise FeeCapError(
                    f"{key.too_expensive(market)}. Nothing is lost: run again when gas is cheaper, "
                    "or allow more"
                )


def _words(confirmed: Confirmed) -> str:
    """Return how deep a block must be, in words."""
    if confirmed.grade == "mined":
        return f"{confirmed.confirmations} blocks deep"
    return confirmed.grade


def _succeeded(landed: Landed, purpose: str) -> TransactionReceipt:
    """Return the receipt of a transaction that did what it was for."""
    if not landed.receipt.succeeded:
        raise FailedTransactionError(
            f"{purpose}: transaction {landed.receipt.hash} was mined and failed"
        )
    return landed.receipt


def _ignore(told: object) -> None:
    """Take what is told and do nothing."""
    del told
