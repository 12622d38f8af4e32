"""A LedgerTokenDeferred under test, and an oracle of its own: no code of the bridge."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ledger.hashing import keccak
from ledger.ids import batch_id, next_history
from ledger.model import ZERO_ADDRESS, Address, Batch, Hash32, Record
from ledger.payload import encode_payload
from tests.contracts.chain import deploy, from_hex
from tests.contracts.people import OPERATOR
from tests.contracts.token import HEAD, LEDGER_ID, NAME, ROOT, Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.support.nodes import Node

PRIME: Final = 2**256 - 189
LIMIT: Final = 2**254 - 1
END: Final = bytes(32)
"""The commitment to no rows."""

Rows = list[tuple[Address, int]]


def change(batches: Iterable[Sequence[Record]]) -> Counter[Address]:
    """Return what records change in all, by account; the issuer is left out."""
    net: Counter[Address] = Counter()
    for records in batches:
        for from_, to, amount in records:
            net[from_] -= amount
            net[to] += amount
    del net[ZERO_ADDRESS]
    return net


def settled(before: Mapping[Address, int], batches: Iterable[Sequence[Record]]) -> Rows:
    """Return the rows of an honest settlement: every account that has another balance then."""
    net = change(batches)
    return [(who, before.get(who, 0) + net[who]) for who in sorted(net) if net[who]]


def packed(rows: Iterable[tuple[Address, int]]) -> bytes:
    """Return rows as `settle` takes them."""
    return b"".join(account + balance.to_bytes(32, "big") for account, balance in rows)


def commitment(rows: Sequence[tuple[Address, int]]) -> bytes:
    """Return what is announced of `rows`."""
    link = END
    for row in reversed(rows):
        link = keccak(packed([row]) + link)
    return link


def weight(seed: bytes, account: Address) -> int:
    """Return the weight of an account."""
    return int.from_bytes(keccak(seed + bytes(12) + account), "big") % PRIME


@dataclass(frozen=True, slots=True)
class Announced:
    """What an operator says before the first batch."""

    history: bytes
    last_seq: int
    rows: Rows


class DeferredToken(Token):
    """The token with the operator's calls; a test that wants another sender names it."""

    def history_after(self, batches: Sequence[Sequence[Record]]) -> tuple[bytes, int]:
        """Return the contract's history and last seq after batches that are still to come."""
        domain, asset = self.call("ledgerDomainSeparator"), self.call("assetId")
        history, head = Hash32(self.call("history")), Hash32(self.call("head"))
        number, seq = self.call("batchCount"), self.call("lastSeq")
        for number_, records in enumerate(batches, start=number + 1):
            payload_hash = Hash32(keccak(encode_payload(records)))
            last = seq + len(records)
            batch = Batch(
                asset, number_, seq + 1, last, head, Hash32(HEAD), Hash32(ROOT), payload_hash
            )
            history, head, seq = next_history(history, batch_id(domain, batch)), Hash32(HEAD), last
        return history, seq

    def begin(
        self,
        batches: Sequence[Sequence[Record]],
        rows: Rows | None = None,
        *,
        before: Mapping[Address, int] | None = None,
        sender: str = OPERATOR.address,
    ) -> Announced:
        """Announce batches, and rows that may be false."""
        history, seq = self.history_after(batches)
        true = settled(before or {}, batches) if rows is None else rows
        self.send("beginDeferral", history, seq, commitment(true), sender=sender)
        return Announced(history, seq, true)

    def settle(
        self, rows: Rows, rest: Rows | None = None, *, sender: str = OPERATOR.address
    ) -> dict[str, Any]:
        """Settle rows; `rest` is what follows them."""
        return self.send("settle", packed(rows), commitment(rest or []), sender=sender)

    def play(self, batches: Iterable[Sequence[Record]]) -> None:
        """Replay batches."""
        for records in batches:
            self.replay(*records)

    def fingerprint(self) -> int:
        """Return the fingerprint as it is."""
        return int(self.call("deferral")[3])


def new_deferred(node: Node, *, symbol: str = "SCI") -> DeferredToken:
    """Deploy a token of the ledger of the vectors."""
    operator = OPERATOR.address
    made = deploy(node, "LedgerTokenDeferred", LEDGER_ID, symbol, NAME, 18, operator)
    return DeferredToken(node, made.address, made.abi)


def own(address: str) -> Address:
    """Return the address of a person."""
    return Address(from_hex(address))
