"""A deferral: what is announced before a long history is replayed, and settled after it. Pure.

The contract is LedgerTokenDeferred; docs/deferred.md says what is proved, and how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.codec import REPLAY, encode_call
from ledger.hashing import keccak
from ledger.model import ZERO_ADDRESS, ZERO_HASH, Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ledger.model import Record
    from ledger.results import Asset

VERSIONS: Final = frozenset({"LedgerTokenDeferred/1"})
"""Token versions that can defer balances."""

WORTH: Final = 0.9
"""A deferral checks less (docs/deferred.md), so it has to save a tenth of the gas."""

LIMIT: Final = 2**254 - 1
"""The most that the entries of a deferral may move in all, and the greatest supply."""

ROW_BYTES: Final = 52
_MOST_A_ROW: Final = 25_000
_MOST_A_CALL: Final = 100_000
_CALL_BYTES: Final = 500
"""The rest of a signed transaction, ABI and all."""


def rows_a_call(gas: int = 2**24, transaction_bytes: int = 2**17) -> int:
    """Return how many rows a transaction with such limits surely settles."""
    return min((gas - _MOST_A_CALL) // _MOST_A_ROW, (transaction_bytes - _CALL_BYTES) // ROW_BYTES)


ROWS_A_CALL: Final = rows_a_call()
"""With Ethereum's limits."""

_BEGIN: Final = "beginDeferral(bytes32,uint64,bytes32)"
_SETTLE: Final = "settle(bytes,bytes32)"


def can_defer(asset: Asset) -> bool:
    """Tell whether the asset's token can defer balances."""
    return asset.token_version in VERSIONS


class Row(NamedTuple):
    """An account whose balance changes."""

    account: Address
    before: int
    """Base units; on the chain when the deferral begins."""
    balance: int
    """What it is to be."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the contract is told before the first batch."""

    final_history: Hash32
    final_seq: int
    rows: tuple[Row, ...]
    links: tuple[Hash32, ...]
    """links[i] is the commitment to rows[i:], so that links[0] is announced; one more than rows."""

    @property
    def settlement(self) -> Hash32:
        """The commitment to all rows."""
        return self.links[0]

    def begin_call(self) -> bytes:
        """Return the calldata of `beginDeferral`."""
        return encode_call(_BEGIN, self.final_history, self.final_seq, self.settlement)

    def settle_calls(self, after: Hash32, most: int = ROWS_A_CALL) -> Iterator[SettleCall]:
        """Yield the calls of `settle` that are still to come when the contract is at a link.

        Raises:
            ValueError: `after` is none of the links.
        """
        first = self.links.index(after)
        if first == len(self.rows):
            yield SettleCall(first, 0, _settle_data((), after))
        for start in range(first, len(self.rows), most):
            rows = self.rows[start : start + most]
            end = start + len(rows)
            yield SettleCall(start, len(rows), _settle_data(rows, self.links[end]))


class SettleCall(NamedTuple):
    """One transaction that settles rows."""

    first: int
    """The index of its first row."""
    rows: int
    data: bytes


def announce(final_history: Hash32, final_seq: int, rows: Iterable[Row]) -> Announcement:
    """Return what to announce: that entries up to `final_seq` come to these rows."""
    ordered = tuple(sorted(rows))
    return Announcement(final_history, final_seq, ordered, commitments(ordered))


def changes(records: Iterable[Record], net: dict[Address, int]) -> int:
    """Add what `records` change of each account to `net`; return the sum of their amounts."""
    volume = 0
    for from_, to, amount in records:
        volume += amount
        if from_ != ZERO_ADDRESS:
            net[from_] = net.get(from_, 0) - amount
        if to != ZERO_ADDRESS:
            net[to] = net.get(to, 0) + amount
    return volume


def rows_between(before: Mapping[Address, int], after: Mapping[Address, int]) -> Iterator[Row]:
    """Yield a row for each account whose balance is another after than before, in no order."""
    for account in before.keys() | after.keys():
        old, new = before.get(account, 0), after.get(account, 0)
        if old != new and account != ZERO_ADDRESS:
            yield Row(account, old, new)


def pack(rows: Iterable[Row]) -> bytes:
    """Return rows as `settle` takes them: address (20 bytes) || new balance (32 bytes), each."""
    return b"".join(row.account + row.balance.to_bytes(32, "big") for row in rows)


def commitments(rows: Sequence[Row]) -> tuple[Hash32, ...]:
    """Return c_0 .. c_n: c_n = 0, c_(i-1) = keccak(row_i || c_i)."""
    links: list[Hash32] = [ZERO_HASH]
    for row in reversed(rows):
        links.append(Hash32(keccak(pack((row,)) + links[-1])))
    return tuple(reversed(links))


def _settle_data(rows: Sequence[Row], rest: Hash32) -> bytes:
    """Return the calldata of `settle`."""
    return encode_call(_SETTLE, pack(rows), rest)


# --- what it costs ---

_TRANSACTION: Final = 21_000
_ZERO, _NONZERO = 4, 16
_BEGIN_GAS: Final = 130_000
_BATCH: Final = 45_500
_FIRST_BATCH: Final = 51_300
"""The storage slots of fingerprint, volume and counters are new."""
_RECORD: Final = 2_211
_ACCOUNT: Final = 372
"""An account in the table of a batch: one hash, no storage."""
_BALANCE, _NEW_BALANCE = 5_000, 22_100
"""What it costs more without a deferral: a balance read and written."""
_SETTLE_CALL: Final = 33_000
_ROW: Final = 22_800
_NO_NEW_SLOT: Final = 17_100
"""What a row costs less that replaces a balance; nothing is counted for slots that are cleared."""


def deferred_gas(payloads: Iterable[bytes], rows: Sequence[Row], *, most: int = ROWS_A_CALL) -> int:
    """Return the gas, by today's rules, of replaying `payloads` in one deferral and settling it.

    `payloads` are those of the batches, in order (payload v1); `rows` the accounts whose balances
    are others after than before (`rows_between`). Everything is counted, calldata and the 21,000 of
    each transaction too. What clearing storage gives back is not. To be compared with the sum of
    what the same batches cost without: `sum(weigh(entries).gas for entries in batches)`.
    """
    return sum(map(batch_gas, payloads)) + settling_gas(rows, most=most)


def settling_gas(rows: Sequence[Row], *, most: int = ROWS_A_CALL, begins: bool = True) -> int:
    """Return the gas of a deferral without its batches: of settling `rows`.

    And of what `begins` it: its announcement, and the storage that its first batch needs.
    """
    plan = announce(ZERO_HASH, 0, rows)
    calls = sum(
        _TRANSACTION + calldata_gas(call.data) + _SETTLE_CALL
        for call in plan.settle_calls(plan.settlement, most)
    )
    written = sum(_ROW - _NO_NEW_SLOT * (row.before > 0) for row in rows)
    return (_BEGIN_GAS + _FIRST_BATCH if begins else 0) + calls + written


def exact_gas(payload: bytes, net: Mapping[Address, int], held: Mapping[Address, int]) -> int:
    """Return the gas of replaying a payload against balances.

    `net` is what it changes, `held` what accounts have before it.
    """
    written = sum(
        _NEW_BALANCE if moved and not held.get(account, 0) else _BALANCE
        for account, moved in net.items()
    )
    return batch_gas(payload) + written


def batch_gas(payload: bytes) -> int:
    """Return the gas of replaying one payload in a deferral, not the first of a new contract."""
    accounts = int.from_bytes(payload[2:4], "big")
    records = int.from_bytes(payload[4:8], "big")
    data = encode_call(REPLAY, *[Hash32(b"\x01" * 32)] * 3, payload)
    words = 2 * accounts + len(payload) // 32
    memory = 3 * words + words * words // 512
    execution = _BATCH + _RECORD * records + _ACCOUNT * accounts + memory
    return _TRANSACTION + calldata_gas(data) + execution


def calldata_gas(data: bytes) -> int:
    """Return what calldata costs (EIP-2028): 4 a zero byte, 16 any other."""
    zeros = data.count(0)
    return _ZERO * zeros + _NONZERO * (len(data) - zeros)
