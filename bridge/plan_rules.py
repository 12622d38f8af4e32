"""What gas is charged for, by the rules of today and by those that are planned. Pure.

Sources: today's are Ethereum's since Osaka (EIP-2028, 2929, 3529, 7623, 7825). The planned ones
are drafts, in review and scheduled together for the next upgrade (EIP-7773, "Glamsterdam"), read in
ethereum/EIPs at f767a1e8 (2026-08-22): 7976 (2026-07-08) and 8037 (2026-07-31), with what belongs
to 8037: 2780 and 8038 (both 2026-08-04) and 7778 (2026-07-10). They may still change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ZERO_BYTE: Final = 4
NONZERO_BYTE: Final = 16
"""Calldata (EIP-2028)."""
COLD_SLOT: Final = 2_100
WARM: Final = 100
"""The first and any other use of a storage slot in a transaction (EIP-2929; 8038 keeps both)."""
LOG3: Final = 375 + 3 * 375 + 8 * 32
"""A log with three topics and 32 bytes of data: the floor of a genuine `Transfer`."""
GAS_CAP: Final = 2**24
"""The most gas that a transaction may have (EIP-7825); state gas is not counted (EIP-8037)."""
MAX_REFUND: Final = 5
"""At most a fifth of a transaction's gas is refunded (EIP-3529)."""

_STATE_BYTE: Final = 1_530
_STATE_SLOT: Final = 64 * _STATE_BYTE
_STATE_ACCOUNT: Final = 120 * _STATE_BYTE


@dataclass(frozen=True, slots=True)
class GasRules:
    """Prices in gas, of what a replay does. Of a slot: it has been read before, so it is warm."""

    name: str
    eips: tuple[int, ...]
    """The proposals that set these prices."""
    base: int
    """A transaction that calls a contract and sends no value."""
    floor_zero: int
    floor_nonzero: int
    """The least that a transaction pays for a byte of calldata, whatever it does."""
    slot_change: int
    """A slot that was not zero gets another value, or zero."""
    slot_new: int
    """A slot that was zero gets a value."""
    clear_refund: int
    """Refunded for a slot that becomes zero."""
    create: int
    """CREATE2."""
    code_byte: int
    """A byte of code that stays on the chain."""
    code_word: int
    """32 bytes of it: that they are hashed."""
    slot_state: int = 0
    create_state: int = 0
    code_byte_state: int = 0
    """State gas (EIP-8037), over and above the three: paid for, but under no transaction's cap."""
    blocks_count_refunds: bool = False
    """Whether gas that is refunded fills a block all the same (EIP-7778)."""


TODAY: Final = GasRules(
    name="today",
    eips=(7623, 7825),
    base=21_000,
    floor_zero=10,
    floor_nonzero=40,
    slot_change=2_900,
    slot_new=20_000,
    clear_refund=4_800,
    create=32_000,
    code_byte=200,
    code_word=0,
)

PLANNED: Final = GasRules(
    name="EIP-7976/8037",
    eips=(2780, 7778, 7976, 8037, 8038),
    base=12_000 + 3_000,
    floor_zero=64,
    floor_nonzero=64,
    slot_change=WARM + 10_000,
    slot_new=WARM + 10_000,
    clear_refund=11_616,
    create=9_000 + 3_000,
    code_byte=0,
    code_word=6,
    slot_state=_STATE_SLOT,
    create_state=_STATE_ACCOUNT,
    code_byte_state=_STATE_BYTE,
    blocks_count_refunds=True,
)


RULES: Final = {"today": TODAY, "planned": PLANNED}
"""The names by which commands take them."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction does, as far as rules price it differently."""

    zero_bytes: int
    nonzero_bytes: int
    """Of its calldata."""
    compute: int
    """Gas of everything that no rule here changes: opcodes, memory, hashes, logs, reads."""
    changed: int = 0
    new: int = 0
    cleared: int = 0
    """Storage slots that were not zero and get another value, were zero, become zero."""
    created: int = 0
    """Contracts."""
    code_bytes: int = 0
    """Of their code."""

    @property
    def calldata_bytes(self) -> int:
        """Bytes of calldata."""
        return self.zero_bytes + self.nonzero_bytes

    def price(self, rules: GasRules) -> Gas:
        """Return what that takes by `rules`."""
        code_words = -(-self.code_bytes // 32)
        return Gas(
            execution=rules.base
            + ZERO_BYTE * self.zero_bytes
            + NONZERO_BYTE * self.nonzero_bytes
            + self.compute
            + rules.slot_change * (self.changed + self.cleared)
            + rules.slot_new * self.new
            + rules.create * self.created
            + rules.code_byte * self.code_bytes
            + rules.code_word * code_words,
            state=rules.slot_state * self.new
            + rules.create_state * self.created
            + rules.code_byte_state * self.code_bytes,
            refunds=rules.clear_refund * self.cleared,
            floor=rules.base
            + rules.floor_zero * self.zero_bytes
            + rules.floor_nonzero * self.nonzero_bytes,
            kept=rules.blocks_count_refunds,
        )


@dataclass(frozen=True, slots=True)
class Gas:
    """The gas of one transaction."""

    execution: int
    """Before refunds, without state gas."""
    state: int
    refunds: int
    """What it earns; at most a fifth is given."""
    floor: int
    """The least that it pays, for its calldata."""
    kept: bool
    """Whether what is refunded fills the block all the same."""

    @property
    def needed(self) -> int:
        """The gas that the transaction must be given: refunds come at its end."""
        return max(self.execution + self.state, self.floor)

    @property
    def used(self) -> int:
        """The gas that is paid for, as the receipt says it."""
        whole = self.execution + self.state
        return max(whole - min(self.refunds, whole // MAX_REFUND), self.floor)

    @property
    def capped(self) -> int:
        """What counts against a transaction's cap (EIP-7825): not the state gas."""
        return max(self.execution, self.floor)

    @property
    def in_block(self) -> int:
        """What it takes of a block's gas limit; state gas fills the same limit by itself."""
        if self.kept:
            return self.capped
        return self.used - self.state


def blocks_of(gas: Iterable[Gas], block_gas: int) -> int:
    """Return how many blocks transactions in this order need, if they had them to themselves.

    A block takes a transaction only while it has room for all the gas that it must be given; the
    two kinds of gas fill it each by itself (EIP-8037).
    """
    blocks = used = state = 0
    for one in gas:
        given = min(one.needed, GAS_CAP)
        if not blocks or given > block_gas - used or one.needed > block_gas - state:
            blocks, used, state = blocks + 1, 0, 0
        used += one.in_block
        state += one.state
    return blocks
