"""The gas of a replay, counted from its entries as the contract counts it. Pure.

What `LedgerToken.replay` does follows from the payload and from the balances before and after it,
and both from the entries. So gas is not estimated: it is counted, opcode for opcode. The constants
below are what the compiled contract takes for each part. A test measures them again on a node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.artifacts import artifact, factory_creation, token_artifact
from bridge.batches import run_calldata
from bridge.codec import encode_arguments, encode_call
from bridge.plan_rules import COLD_SLOT, LOG3, WARM, Work
from ledger.model import ZERO_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.batches import Run
    from ledger.results import Asset, Entry, Identity

# --- LedgerToken.replay: what the compiled contract takes for each part ---

CALL: Final = 19_848
"""A call of `replay`: checks, the batch id, `BatchReplayed`, five slots read, one written twice."""
RECORD: Final = 2_208
"""A record: decoded, checked and applied, and its `Transfer`."""
TENFOLD: Final = 16
"""Each record after the first, up to the first whose mantissa ten does not divide."""
SCALED: Final = 203
"""A scale other than zero."""
ALL_ZERO: Final = 329
ZERO_RECORD: Final = 1_172
"""If every amount is zero: the scale is checked against each record."""
ACCOUNT: Final = 394
"""A row of the table: copied, and its slot's place computed twice."""
PAYLOAD_WORD: Final = 3 + 6
"""32 bytes of the payload: copied and hashed."""
_ROW_WORDS: Final = 2
_BEFORE_PAYLOAD: Final = 6
_AFTER_TABLE: Final = 37
"""Words of memory before the payload, and in all where the payload is shorter than what follows."""

# --- other transactions ---

FINALIZE: Final = 14_802
MORE_TO_REPLAY: Final = {"LedgerTokenDeferred/1": 2_354}
MORE_TO_FINALIZE: Final = {"LedgerTokenDeferred/1": 2_212}
"""By token version: to see first whether balances are deferred."""
TRANSFER: Final = 2 * COLD_SLOT + LOG3 + 890
"""`transfer` of a plain ERC-20 (OpenZeppelin's): two balances read, one log, and the rest."""
_FACTORY: Final = 2_353
_TOKEN: Final = 7_744
_TEXT_SLOT: Final = 136
_TOKEN_SLOTS: Final = 3
"""Slots that every token's constructor writes: history, head, operator."""
_TEXT_IN_SLOT: Final = 31


@dataclass(frozen=True, slots=True)
class Writes:
    """Storage slots by what becomes of them."""

    changed: int = 0
    new: int = 0
    cleared: int = 0
    same: int = 0
    """Written with what is there already: as cheap as reading it again."""


def writes_of(pairs: Iterable[tuple[int, int]]) -> Writes:
    """Return what becomes of slots, each given as (before, after)."""
    changed = new = cleared = same = 0
    for before, after in pairs:
        if before == after:
            same += 1
        elif before == 0:
            new += 1
        elif after == 0:
            cleared += 1
        else:
            changed += 1
    return Writes(changed, new, cleared, same)


def replay_work(run: Run, entries: Sequence[Entry], version: str = "LedgerToken/1") -> Work:
    """Return what the transaction does that replays `run` of `entries` to a token of `version`."""
    data = run_calldata(run)
    balances, supply = _slots(entries)
    writes = writes_of(balances)
    of_supply = writes_of([supply])
    accounts, is_first = len(balances), run.batch.number == 1
    compute = (
        CALL
        + MORE_TO_REPLAY.get(version, 0)
        + RECORD * len(entries)
        + _scale_gas(entries, run.payload[1])
        + (ACCOUNT + COLD_SLOT) * accounts
        + WARM * (writes.same + of_supply.same)
        + _memory_gas(accounts, len(run.payload))
    )
    zero = data.count(0)
    return Work(
        zero_bytes=zero,
        nonzero_bytes=len(data) - zero,
        compute=compute,
        # History and head, and the slot of counters, which the first batch finds empty.
        changed=writes.changed + of_supply.changed + (2 if is_first else 3),
        new=writes.new + of_supply.new + (1 if is_first else 0),
        cleared=writes.cleared + of_supply.cleared,
    )


def _slots(entries: Sequence[Entry]) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Return (before, after) of each account's balance, and of the supply."""
    before: dict[bytes, int] = {}
    after: dict[bytes, int] = {}
    supply: list[int] = []
    for entry in entries:
        from_, to, amount = entry.from_address, entry.to_address, entry.amount
        if from_ == ZERO_ADDRESS:
            supply += (entry.balance_after_from - amount, entry.balance_after_from)
        elif from_ not in before:
            before[from_] = entry.balance_after_from + (amount if from_ != to else 0)
        after[from_] = entry.balance_after_from
        if to == ZERO_ADDRESS:
            supply += (entry.balance_after_to + amount, entry.balance_after_to)
        elif to not in before:
            before[to] = entry.balance_after_to - amount
        after[to] = entry.balance_after_to
    own = [(balance, after[address]) for address, balance in before.items()]
    return own, (supply[0], supply[-1]) if supply else (0, 0)


def _scale_gas(entries: Sequence[Entry], scale: int) -> int:
    """Return what it takes to show that the scale is the largest."""
    ten = 10 ** (scale + 1)
    until = next((at for at, entry in enumerate(entries) if entry.amount % ten), None)
    if until is None:
        return ALL_ZERO + (TENFOLD + ZERO_RECORD) * len(entries) - TENFOLD
    return TENFOLD * until + (SCALED if scale else 0)


def _memory_gas(accounts: int, payload_bytes: int) -> int:
    """Return what memory takes: the table, then the payload, copied to be hashed."""
    table, payload = _ROW_WORDS * (accounts + 1), -(-payload_bytes // 32)
    words = table + max(_BEFORE_PAYLOAD + payload, _AFTER_TABLE)
    return PAYLOAD_WORD * payload + expansion(words)


def expansion(words: int) -> int:
    """Return the gas of so many words of memory (Yellow Paper, appendix H)."""
    return 3 * words + words * words // 512


# --- the rest of a migration ---


def transfer_work(entry: Entry) -> tuple[int, Writes]:
    """Return zero bytes of calldata, and writes, of `entry` as a transaction of its own.

    `transfer(to, amount)` of a plain ERC-20 token: the two balances are read and written, one log
    is made. The issuer's balance is the supply.
    """
    amount, is_mint = entry.amount, entry.from_address == ZERO_ADDRESS
    if entry.from_address == entry.to_address:
        writes = Writes(same=2)
    else:
        sent = -amount if is_mint else amount
        got = -amount if entry.to_address == ZERO_ADDRESS else amount
        writes = writes_of(
            (
                (entry.balance_after_from + sent, entry.balance_after_from),
                (entry.balance_after_to - got, entry.balance_after_to),
            )
        )
    zeros = 12 + entry.to_address.count(0) + 32 - (amount.bit_length() + 7) // 8
    zeros += amount.to_bytes((amount.bit_length() + 7) // 8, "big").count(0)
    return zeros, writes


TRANSFER_BYTES: Final = 4 + 2 * 32


def alone(zero_bytes: int, writes: Writes) -> Work:
    """Return what a transaction of `transfer_work` does."""
    return Work(
        zero_bytes=zero_bytes,
        nonzero_bytes=TRANSFER_BYTES - zero_bytes,
        compute=TRANSFER + WARM * writes.same,
        changed=writes.changed,
        new=writes.new,
        cleared=writes.cleared,
    )


def finalize_work(history: bytes, last_seq: int, version: str = "LedgerToken/1") -> Work:
    """Return what `finalize` does: a flag is set, the operator becomes nobody."""
    data = encode_call("finalize(bytes32,uint64)", history, last_seq)
    zero = data.count(0)
    compute = FINALIZE + MORE_TO_FINALIZE.get(version, 0)
    return Work(zero, len(data) - zero, compute, changed=1, cleared=1)


def factory_work() -> Work:
    """Return what deploying the AccountFactory does."""
    creation = factory_creation()
    code = len(artifact("AccountFactory").deployed)
    return _creation_work(creation.salt + creation.code, _FACTORY, slots=0, code_bytes=code)


def token_work(identity: Identity, asset: Asset) -> Work:
    """Return what deploying the token of `asset` does; its operator may not be known yet."""
    compiled = token_artifact(asset.token_version)
    operator = asset.operator or b"\xff" * 20
    arguments = encode_arguments(
        ["bytes32", "string", "string", "uint8", "address"],
        [identity.ledger_id, asset.symbol, asset.name, asset.decimals, operator],
    )
    texts = [_text_slots(text) for text in (asset.symbol, asset.name)]
    return _creation_work(
        asset.id + compiled.bytecode + arguments,
        _TOKEN + _TEXT_SLOT * (sum(texts) - len(texts)),
        slots=_TOKEN_SLOTS + sum(texts),
        code_bytes=len(compiled.deployed),
    )


def _text_slots(text: str) -> int:
    """Return the slots that Solidity keeps `text` in: a long one has one more, for its length."""
    size = len(text.encode())
    return 1 if size <= _TEXT_IN_SLOT else 1 + -(-size // 32)


def _creation_work(data: bytes, constructor: int, *, slots: int, code_bytes: int) -> Work:
    """Return what the deployment proxy does with `data`: a salt, then creation code."""
    words = -(-(len(data) - 32) // 32)
    zero = data.count(0)
    return Work(
        zero_bytes=zero,
        nonzero_bytes=len(data) - zero,
        # Copied by the proxy, hashed for its address, and 2 a word of creation code (EIP-3860).
        compute=constructor + (3 + 6 + 2) * words + expansion(words) + COLD_SLOT * slots,
        new=slots,
        created=1,
        code_bytes=code_bytes,
    )
