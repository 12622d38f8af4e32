"""What a deferral does, for a plan: its announcement, its batches, its settlement. Pure.

As in `bridge.plan_gas`, the constants are what the compiled contract takes; a test measures them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.batches import run_calldata
from bridge.deferral import (
    LIMIT,
    ROW_BYTES,
    WORTH,
    Row,
    announce,
    can_defer,
    changes,
    rows_a_call,
)
from bridge.plan_gas import PAYLOAD_WORD, expansion
from bridge.plan_rules import COLD_SLOT, NONZERO_BYTE, TODAY, Work
from ledger.model import ZERO_HASH
from ledger.payload import decode_payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.batches import Limits, Run
    from bridge.deferral import Announcement
    from ledger.model import Address
    from ledger.results import Asset

BEGIN: Final = 26_700
BATCH: Final = 27_220
"""A call of `replay`: five slots read and written, `BatchReplayed`, the fingerprint."""
RECORD: Final = 2_211
ACCOUNT: Final = 350
"""A row of the table: copied, and weighed."""
SETTLE: Final = 16_190
ROW: Final = 2_967
"""A row of the settlement: committed, read and weighed."""
LAST: Final = 9_000
"""More for the call that ends it."""
_BEGIN_SLOTS: Final = 4
_END_SLOTS: Final = 7
"""Slots that an announcement fills, and that the end of the deferral clears."""


class PlannedCall(NamedTuple):
    """One transaction of a deferral."""

    first_seq: int
    last_seq: int
    """The entries that it is about."""
    work: Work


class PlannedDeferral:
    """A deferral of all entries of an asset, onto a contract that has nothing yet."""

    def __init__(self, limits: Limits) -> None:
        self._most = most_rows(limits)
        self._calls: list[PlannedCall] = []
        self._net: dict[Address, int] = {}
        self._volume = 0
        self._history = ZERO_HASH

    def take(self, runs: Iterable[Run]) -> None:
        """Add the next runs."""
        for run in runs:
            self._volume += changes(decode_payload(run.payload), self._net)
            self._history = run.after.history
            work = _batch_work(run, is_first=not self._calls)
            self._calls.append(PlannedCall(run.batch.first_seq, run.batch.last_seq, work))

    @property
    def gas(self) -> int:
        """What it takes, by today's rules."""
        return sum(call.work.price(TODAY).used for call in self.calls())

    def pays(self, exact: int) -> bool:
        """Tell whether `replay` will defer, if without a deferral the runs take `exact` gas."""
        return self._volume <= LIMIT and self.gas < WORTH * exact

    def calls(self) -> Iterator[PlannedCall]:
        """Yield every transaction, in order."""
        first_seq, last_seq = self._calls[0].first_seq, self._calls[-1].last_seq
        rows = (Row(account, 0, balance) for account, balance in self._net.items() if balance)
        ours = announce(self._history, last_seq, rows)
        begin = _with_calldata(ours.begin_call(), BEGIN, new=_BEGIN_SLOTS)
        yield PlannedCall(first_seq, last_seq, begin)
        yield from self._calls
        for work in _settling(ours, self._most):
            yield PlannedCall(first_seq, last_seq, work)


def most_rows(limits: Limits) -> int:
    """Return how many new balances one transaction surely settles."""
    gas, rules = min(limits.gas, limits.block_gas), limits.rules
    today = rows_a_call(gas, limits.transaction_bytes)
    if rules == TODAY:
        return today
    row = ROW + COLD_SLOT + rules.slot_new + NONZERO_BYTE * ROW_BYTES
    slots = _END_SLOTS * (COLD_SLOT + rules.slot_new)
    own = rules.base + SETTLE + LAST + slots + 3 * rules.slot_state
    by_cap = (gas - own) // row
    by_block = (limits.block_gas - own) // (row + rules.slot_state)
    return max(1, min(today, by_cap, by_block))


def _settling(ours: Announcement, most: int) -> Iterator[Work]:
    """Yield what each call of `settle` does, of at most so many rows."""
    for call in ours.settle_calls(ours.settlement, most):
        is_first, is_last = call.first == 0, call.first + call.rows == len(ours.rows)
        yield _with_calldata(
            call.data,
            SETTLE + ROW * call.rows + LAST * is_last,
            # The supply, the last account, what is left of fingerprint and settlement.
            new=call.rows + is_first + (is_first and not is_last),
            changed=(not is_first) + (0 if is_last else 2 + (not is_first)),
            cleared=_END_SLOTS if is_last else 0,
        )


def planned_deferrals(assets: Iterable[Asset], limits: Limits) -> dict[str, PlannedDeferral]:
    """Return an empty plan for each asset that can defer, by symbol."""
    return {asset.symbol: PlannedDeferral(limits) for asset in assets if can_defer(asset)}


def _batch_work(run: Run, *, is_first: bool) -> Work:
    """Return what the transaction does that replays `run` in a deferral."""
    payload = run.payload
    accounts, records = int.from_bytes(payload[2:4], "big") - 1, len(decode_payload(payload))
    words = -(-len(payload) // 32)
    compute = BATCH + RECORD * records + ACCOUNT * accounts
    compute += PAYLOAD_WORD * words + expansion(2 * (accounts + 1) + max(6 + words, 37))
    new = (run.batch.number == 1) + 2 * is_first  # the counters; fingerprint and volume
    return _with_calldata(run_calldata(run), compute, new=new, changed=5 - new)


def _with_calldata(
    data: bytes, compute: int, *, new: int = 0, changed: int = 0, cleared: int = 0
) -> Work:
    """Return the work of a call with `data`."""
    zero = data.count(0)
    return Work(zero, len(data) - zero, compute, changed=changed, new=new, cleared=cleared)
