"""A batch as the runs that a chain accepts, and where each leaves the contract. Pure.

Normally one run is the batch. A chain with smaller limits takes it in several; numbers then count
on that contract, and the tree is over the whole journal up to each cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.codec import REPLAY, encode_call
from bridge.plan_rules import TODAY, GasRules
from ledger.batches import records_of
from ledger.errors import FieldError
from ledger.hashing import keccak
from ledger.ids import batch_id, next_history
from ledger.merkle import Frontier
from ledger.model import Batch, Hash32
from ledger.payload import encode_payload
from ledger.weights import MAX_ENTRIES, Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ledger.results import Entry

TRANSACTION_GAS_CAP: Final = 2**24
"""The most gas that one transaction may have (EIP-7825)."""

TRANSACTION_BYTES: Final = 2**17
"""The largest transaction that nodes pass on: 128 KiB of RLP (geth's transaction pool)."""

CALL_BYTES: Final = 4 + 5 * 32
"""Calldata of `replay` without its payload: selector, three words, offset and length."""

ENVELOPE_BYTES: Final = 320
"""The rest of a transaction, at most: ten fields, three of them of 32 bytes, and RLP's prefixes."""

SMALLEST_GAS: Final = 250_000
"""What any one entry can be replayed with."""

SMALLEST_BYTES: Final = 1_024
"""The same, of a transaction's bytes."""

BLOCK_GAS: Final = 60_000_000
"""Ethereum's block gas limit: the default of its clients since EIP-7935."""

SMALLEST_BLOCK: Final = 1_000_000
"""What any one entry can be replayed in, by the rules to come too: it may open two accounts."""


def transaction_bytes(payload_bytes: int) -> int:
    """Return the size, at most, of the transaction that replays a payload of that many bytes."""
    return CALL_BYTES + -(-payload_bytes // 32) * 32 + ENVELOPE_BYTES


def _check_limit(field: str, value: int, least: int, most: int) -> None:
    """Refuse what is not an int of `least` .. `most`."""
    if type(value) is not int or not least <= value <= most:
        raise FieldError(field, f"must be an int of {least:,} .. {most:,}, not {value!r}")


def most_gas(weight: Weight, rules: GasRules) -> tuple[int, int]:
    """Return what a run of `weight` takes at most by `rules`: its gas, and its state gas."""
    change, new = rules.slot_change - TODAY.slot_change, rules.slot_new - TODAY.slot_new
    execution = (
        weight.gas
        + (rules.base - TODAY.base)
        + 4 * max(change, new)  # history, head, counters and supply
        + change * weight.touched
        + new * weight.new
    )
    calldata = CALL_BYTES + 31 + weight.size
    floor = rules.base + max(rules.floor_zero, rules.floor_nonzero) * calldata
    return max(execution, floor), rules.slot_state * (weight.new + 2)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one transaction may have on a chain.

    The defaults are Ethereum's; no batch that was sealed is above them, so none is cut by them. All
    of them allow for one entry, whatever it is.

    Raises:
        FieldError: naming the limit that is out of range.
    """

    gas: int = TRANSACTION_GAS_CAP
    """Gas without state gas, of which runs are estimated to need less: 250,000 .. 2**24."""
    entries: int = MAX_ENTRIES
    """Transfer logs: 1 .. 4,000."""
    transaction_bytes: int = TRANSACTION_BYTES
    """Bytes of the whole signed transaction: 1,024 .. 2**17."""
    block_gas: int = BLOCK_GAS
    """The most gas in a block, state gas too: 1,000,000 .. 2**63 - 1."""
    rules: GasRules = TODAY
    """What gas is charged for on the chain."""

    def __post_init__(self) -> None:
        """Refuse a limit that not every entry fits in, or that no transaction may have."""
        _check_limit("gas", self.gas, SMALLEST_GAS, TRANSACTION_GAS_CAP)
        _check_limit("entries", self.entries, 1, MAX_ENTRIES)
        _check_limit("transaction_bytes", self.transaction_bytes, SMALLEST_BYTES, TRANSACTION_BYTES)
        _check_limit("block_gas", self.block_gas, SMALLEST_BLOCK, 2**63 - 1)
        if not isinstance(self.rules, GasRules):
            raise FieldError("rules", f"must be GasRules, not {self.rules!r}")

    @property
    def transaction_gas(self) -> int:
        """The most gas that a transaction is given; EIP-8037 has state gas under no cap of it."""
        return self.block_gas if self.rules.slot_state else min(self.gas, self.block_gas)

    def allow(self, weight: Weight) -> bool:
        """Tell whether one transaction can carry a run of this weight, and a block that one."""
        execution, state = most_gas(weight, self.rules)
        return (
            weight.entries <= self.entries
            and transaction_bytes(weight.size) <= self.transaction_bytes
            and execution <= min(self.gas, self.block_gas)
            and execution + state <= self.block_gas
        )


ETHEREUM: Final = Limits()
"""Those of Ethereum."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a token contract stands in a journal."""

    number: int
    """Batches replayed."""
    last_seq: int
    head: Hash32
    history: Hash32
    frontier: Frontier
    """The tree over entries 1 .. last_seq."""


@dataclass(frozen=True, slots=True)
class Run:
    """One call of `replay`, ready to be sent."""

    batch: Batch
    """As the contract will number it."""
    payload: bytes
    prev_history: Hash32
    after: Position
    """Where the contract stands when the run is mined."""


def weigh(entries: Iterable[Entry]) -> Weight:
    """Return what one run of `entries` weighs at most."""
    weight = Weight()
    for entry in entries:
        weight.add(entry)
    return weight


def cut(entries: Iterable[Entry], limits: Limits = ETHEREUM) -> Iterator[int]:
    """Yield how many of `entries` each run takes, greedily, each run by itself."""
    weight = Weight()
    for entry in entries:
        before = weight.entries
        weight.add(entry)
        if before and not limits.allow(weight):
            yield before
            weight = weigh([entry])
    if weight.entries:
        yield weight.entries


def start(first_head: Hash32) -> Position:
    """Return where a new contract stands: history_0 is head_0."""
    return Position(0, 0, first_head, first_head, Frontier())


def make_run(domain: bytes, asset: Hash32, entries: Sequence[Entry], at: Position) -> Run:
    """Return the run that replays `entries`, the next ones after `at`."""
    payload = encode_payload(records_of(entries))
    frontier = at.frontier.extend(entry.id for entry in entries)
    batch = Batch(
        asset=asset,
        number=at.number + 1,
        first_seq=at.last_seq + 1,
        last_seq=at.last_seq + len(entries),
        prev_head=at.head,
        new_head=entries[-1].head,
        tree_root=Hash32(frontier.root()),
        payload_hash=Hash32(keccak(payload)),
    )
    return Run(batch, payload, at.history, advanced(domain, batch, at.history, frontier))


def run_calldata(run: Run) -> bytes:
    """Return the calldata that replays `run`."""
    batch = run.batch
    return encode_call(REPLAY, run.prev_history, batch.new_head, batch.tree_root, run.payload)


def advanced(domain: bytes, batch: Batch, history: Hash32, frontier: Frontier) -> Position:
    """Return where the contract stands after `batch`; `frontier` is the tree after it."""
    folded = next_history(history, batch_id(domain, batch))
    return Position(batch.number, batch.last_seq, batch.new_head, folded, frontier)
