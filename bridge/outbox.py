"""Transactions that were signed here: each is saved before it is broadcast.

So whatever happens in between, the next run knows what may be on its way. What is true is the
chain's; the outbox says which transactions to ask about, and which nonces they share. All attempts
at one nonce belong together: of them, and of whatever else the key signed, one is mined.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from eth_utils.exceptions import ValidationError
from sqlalchemy import case, func, insert, select, update

from bridge.fees import Fees
from bridge.keys import SignedTransaction
from ledger.model import Address, Hash32
from ledger.tables import submissions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from sqlalchemy import ColumnElement, Connection

    from bridge.chain import TransactionReceipt

Status: TypeAlias = Literal[
    "signed", "sent", "mined", "safe", "finalized", "failed", "replaced", "dropped"
]
"""What is known of an attempt.

signed: saved, perhaps broadcast. sent: a node took it. mined, safe, finalized: it is in a block, so
far from the end of the chain. failed: it is in a block and changed nothing. replaced: another
attempt at its nonce is in a block. dropped: given up; its nonce went elsewhere, or will.
"""

OPEN: Final = ("signed", "sent")
"""May still be mined, as far as is known."""
PLACED: Final = ("mined", "safe", "finalized", "failed")
"""Is in a block."""

_NOT_PLACED: Final = {"block_number": None, "block_hash": None, "gas_used": None, "gas_price": None}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a transaction is about, for the operator's eyes and for `chain status`."""

    asset: int | None = None
    """The asset's number."""
    number: int | None = None
    """The batch's number on the contract."""
    first_seq: int | None = None
    last_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction."""

    id: int
    purpose: str
    """replay, deploy, finalize, ..."""
    subject: Subject
    to: Address
    sender: Address
    signed: SignedTransaction
    gas: int | None
    fees: Fees | None
    """None where it was signed before schema 0003."""
    status: Status
    replaces: int | None
    """The id of the attempt whose place it took."""
    block_number: int | None
    block_hash: Hash32 | None
    gas_used: int | None
    gas_price: int | None

    @property
    def nonce(self) -> int:
        """Its place among the sender's transactions."""
        return self.signed.nonce

    @property
    def cost(self) -> int:
        """Wei that were paid for its gas, as far as is known."""
        return (self.gas_used or 0) * (self.gas_price or 0)


class Store(Protocol):
    """Where what is signed is stored: a `Ledger`, or an `OutboxFile` for who has none."""

    def connection(self) -> AbstractContextManager[Connection]:
        """Give a connection whose transaction is on the disk when the block is over."""

    def alone(self, name: str, what: str) -> AbstractContextManager[None]:
        """Return a context in which no other process that uses this store is in `name`."""


class Outbox:
    """What was signed for one chain."""

    def __init__(self, store: Store, chain_id: int) -> None:
        """Keep what `store` has for the chain `chain_id`."""
        self._store = store
        self._chain = str(chain_id)

    # --- reading ---

    def attempts(
        self,
        *,
        sender: Address | None = None,
        nonce: int | None = None,
        statuses: Iterable[Status] | None = None,
        purpose: str | None = None,
    ) -> list[Attempt]:
        """Return the attempts that fit, by sender and nonce, in the order they were signed."""
        query = select(submissions).where(
            submissions.c.chain_id == self._chain, submissions.c.sender.is_not(None)
        )
        if sender is not None:
            query = query.where(submissions.c.sender == bytes(sender))
        if nonce is not None:
            query = query.where(submissions.c.nonce == nonce)
        if statuses is not None:
            query = query.where(submissions.c.status.in_(list(statuses)))
        if purpose is not None:
            query = query.where(submissions.c.purpose == purpose)
        query = query.order_by(submissions.c.sender, submissions.c.nonce, submissions.c.id)
        with self._store.connection() as connection:
            self._adopt(connection)
            rows = connection.execute(query).all()
        return [_attempt(row) for row in rows]

    def last_used(self, sender: Address) -> int | None:
        """Return the highest nonce of `sender` that is in a block, as far as is noted."""
        query = select(func.max(submissions.c.nonce)).where(
            self._of(sender), submissions.c.status.in_(PLACED)
        )
        with self._store.connection() as connection:
            found: int | None = connection.execute(query).scalar()
        return found

    # --- writing ---

    def save(
        self,
        purpose: str,
        subject: Subject,
        *,
        to: Address,
        sender: Address,
        signed: SignedTransaction,
        gas: int,
        fees: Fees,
        replaces: int | None = None,
    ) -> None:
        """Save a signed transaction; call it before the first broadcast.

        Where the chain went back, the same nonce gives the same transaction once more. The one that
        makes the deployment proxy is the same on every chain: it belongs to the last one it is for.
        """
        now = _now()
        row = {
            "asset": subject.asset,
            "chain_id": self._chain,
            "contract": bytes(to),
            "number": subject.number,
            "first_seq": subject.first_seq,
            "last_seq": subject.last_seq,
            "nonce": signed.nonce,
            "tx_hash": bytes(signed.hash),
            "raw": signed.raw,
            "status": "signed",
            "created_at": now,
            "updated_at": now,
            "purpose": purpose,
            "sender": bytes(sender),
            "gas": gas,
            "max_fee": str(fees.max_fee),
            "priority_fee": None if fees.priority_fee is None else str(fees.priority_fee),
            "replaces": replaces,
        }
        known = update(submissions).where(submissions.c.tx_hash == bytes(signed.hash))
        again = {
            **_NOT_PLACED,
            "chain_id": self._chain,
            "status": "signed",
            "updated_at": now,
        }
        with self._store.connection() as connection:
            if connection.execute(known.values(again)).rowcount == 0:
                connection.execute(insert(submissions).values(row))

    def mark(self, transactions: Iterable[Hash32], status: Status) -> None:
        """Note what became of transactions that are in no block."""
        hashes = [bytes(transaction) for transaction in transactions]
        change = update(submissions).where(submissions.c.tx_hash.in_(hashes))
        with self._store.connection() as connection:
            connection.execute(
                change.values({**_NOT_PLACED, "status": status, "updated_at": _now()})
            )

    def place(self, sender: Address, nonce: int, receipt: TransactionReceipt) -> None:
        """Note in which block a transaction is; the other attempts at its nonce are replaced."""
        now = _now()
        here = submissions.c.tx_hash == bytes(receipt.hash)
        status = case(
            (
                here & submissions.c.status.in_(PLACED) & bool(receipt.succeeded),
                submissions.c.status,
            ),
            else_="mined" if receipt.succeeded else "failed",
        )
        placed = {
            "status": status,
            "block_number": receipt.block_number,
            "block_hash": bytes(receipt.block_hash),
            "gas_used": receipt.gas_used,
            "gas_price": None if receipt.gas_price is None else str(receipt.gas_price),
            "updated_at": now,
        }
        others = self._of(sender) & (submissions.c.nonce == nonce) & ~here
        with self._store.connection() as connection:
            connection.execute(update(submissions).where(here).values(placed))
            connection.execute(
                update(submissions)
                .where(others)
                .values({**_NOT_PLACED, "status": "replaced", "updated_at": now})
            )

    def grade(self, transactions: Iterable[Hash32], status: Status) -> None:
        """Note how safe the block of transactions is; it stays noted which block that is."""
        hashes = [bytes(transaction) for transaction in transactions]
        change = update(submissions).where(submissions.c.tx_hash.in_(hashes))
        with self._store.connection() as connection:
            connection.execute(change.values(status=status, updated_at=_now()))

    def take_back(self, sender: Address, nonces: Iterable[int]) -> None:
        """Note that no block has these nonces any more: each attempt at them may be mined again."""
        change = update(submissions).where(self._of(sender), submissions.c.nonce.in_(list(nonces)))
        with self._store.connection() as connection:
            connection.execute(
                change.values({**_NOT_PLACED, "status": "sent", "updated_at": _now()})
            )

    def _of(self, sender: Address) -> ColumnElement[bool]:
        """Return what is true of the sender's attempts on this chain."""
        return (submissions.c.chain_id == self._chain) & (submissions.c.sender == bytes(sender))

    def _adopt(self, connection: Connection) -> None:
        """Note who signed what an older version saved."""
        unknown = submissions.c.sender.is_(None) & (submissions.c.chain_id == self._chain)
        for row in connection.execute(select(submissions).where(unknown)).all():
            with suppress(ValueError, TypeError, ValidationError):  # then nobody could broadcast it
                sender = _signed(row).sender
                own = update(submissions).where(submissions.c.id == row.id)
                connection.execute(own.values(sender=bytes(sender)))


def _attempt(row: Any) -> Attempt:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the attempt that a row is."""
    tip = None if row.priority_fee is None else int(row.priority_fee)
    return Attempt(
        id=row.id,
        purpose=row.purpose,
        subject=Subject(row.asset, row.number, row.first_seq, row.last_seq),
        to=Address(bytes(row.contract)),
        sender=Address(bytes(row.sender)),
        signed=_signed(row),
        gas=row.gas,
        fees=None if row.max_fee is None else Fees(int(row.max_fee), tip),
        status=row.status,
        replaces=row.replaces,
        block_number=row.block_number,
        block_hash=None if row.block_hash is None else Hash32(bytes(row.block_hash)),
        gas_used=row.gas_used,
        gas_price=None if row.gas_price is None else int(row.gas_price),
    )


def _signed(row: Any) -> SignedTransaction:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the transaction in a row."""
    return SignedTransaction(bytes(row.raw), Hash32(bytes(row.tx_hash)), row.nonce)


def _now() -> int:
    """Return microseconds since 1970, for the operator's eyes: nothing is decided by them."""
    return time.time_ns() // 1_000
