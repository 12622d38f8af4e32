"""Transactions that this ledger signed: each is saved before it is broadcast.

So whatever happens in between, the next run knows what may be on its way. What is true is the
contract's history; the outbox only says which transaction to ask about or broadcast again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from sqlalchemy import BigInteger, Integer, LargeBinary, Text, column, insert, select, table, update

from bridge.keys import SignedTransaction
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from bridge.batches import Run
    from ledger import Ledger
    from ledger.results import Asset

Status: TypeAlias = Literal["signed", "sent", "mined", "failed"]

# The schema itself is made by the migrations.
_submissions: Final = table(
    "token_submissions",
    column("id", Integer),
    column("asset", Integer),
    column("chain_id", Text),
    column("contract", LargeBinary),
    column("number", BigInteger),
    column("first_seq", BigInteger),
    column("last_seq", BigInteger),
    column("nonce", BigInteger),
    column("tx_hash", LargeBinary),
    column("raw", LargeBinary),
    column("status", Text),
    column("block_number", BigInteger),
    column("created_at", BigInteger),
    column("updated_at", BigInteger),
    column("purpose", Text),
)


@dataclass(frozen=True, slots=True)
class Submission:
    """One signed replay of one run."""

    number: int
    """The batch's number on the contract."""
    first_seq: int
    last_seq: int
    signed: SignedTransaction
    status: Status


class Outbox:
    """What was signed for one token on one chain."""

    def __init__(self, ledger: Ledger, asset: Asset, chain_id: int, contract: Address) -> None:
        """Keep the outbox of the token of `asset` at `contract`."""
        self.contract = contract
        self._ledger = ledger
        self._of = {"asset": asset.number, "chain_id": str(chain_id), "contract": bytes(contract)}

    def save(self, run: Run, signed: SignedTransaction) -> None:
        """Save a signed transaction; call it before the first broadcast.

        Where the chain went back, the same nonce gives the same transaction once more.
        """
        now = _now()
        row = {
            **self._of,
            "number": run.batch.number,
            "first_seq": run.batch.first_seq,
            "last_seq": run.batch.last_seq,
            "nonce": signed.nonce,
            "tx_hash": bytes(signed.hash),
            "raw": signed.raw,
            "status": "signed",
            "created_at": now,
            "updated_at": now,
            "purpose": "replay",
        }
        known = update(_submissions).where(_submissions.c.tx_hash == bytes(signed.hash))
        with self._ledger.connection() as connection:
            again = known.values(status="signed", block_number=None, updated_at=now)
            if connection.execute(again).rowcount == 0:
                connection.execute(insert(_submissions).values(row))

    def mark(self, transaction: Hash32, status: Status, block_number: int | None = None) -> None:
        """Note what became of a transaction."""
        changes = {"status": status, "block_number": block_number, "updated_at": _now()}
        change = update(_submissions).where(_submissions.c.tx_hash == bytes(transaction))
        with self._ledger.connection() as connection:
            connection.execute(change.values(changes))

    def unfinished(self) -> list[Submission]:
        """Return the transactions whose outcome is not noted, in the order they were signed."""
        with self._ledger.connection() as connection:
            rows = connection.execute(
                select(_submissions)
                .filter_by(**self._of)
                .where(_submissions.c.status.in_(["signed", "sent"]))
                .order_by(_submissions.c.id)
            ).all()
        return [_submission(row) for row in rows]


def _submission(row: Any) -> Submission:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the submission that a row is."""
    signed = SignedTransaction(bytes(row.raw), Hash32(bytes(row.tx_hash)), row.nonce)
    return Submission(row.number, row.first_seq, row.last_seq, signed, row.status)


def _now() -> int:
    """Return microseconds since 1970, for the operator's eyes: nothing is decided by them."""
    return time.time_ns() // 1_000
