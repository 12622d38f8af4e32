"""Gas of whole histories, replayed exactly and in a deferral: the table of docs/deferred.md.

    python -m benchmarks.deferred_gas            small histories, measured on Anvil
    python -m benchmarks.deferred_gas --large    larger ones too, by the figures the planner uses

Every account gets an endowment first; then payers and payees are drawn evenly, or so that a few
accounts are in most entries. Amounts are 0.01 to 9,999.99 tokens at 18 decimals. Exact batches are
cut where sealing cuts them; a deferral replays the same batches.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.batches import cut, weigh
from bridge.deferral import Row, announce, changes, deferred_gas
from ledger.model import ZERO_HASH, Address, Record
from ledger.payload import encode_payload
from tests.contracts.deferred import DeferredToken, new_deferred
from tests.contracts.token import address, mint
from tests.support.guardian import Guardian
from tests.support.nodes import start_anvil

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CENT: Final = 10**16
ENDOWMENT: Final = 10**9 * CENT
EVEN, SKEWED = 1.0, 4.0
"""The power of a uniform number that draws an account: higher, and fewer are in most entries."""


class History(NamedTuple):
    """What is measured."""

    entries: int
    accounts: int
    power: float = EVEN

    @property
    def name(self) -> str:
        """Say how large it is, and how it is drawn."""
        drawn = "evenly" if self.power == EVEN else "skewed"
        return f"{self.entries:,} entries, {self.accounts:,} accounts, {drawn}"


SMALL: Final = (
    History(10_000, 1_000),
    History(10_000, 1_000, SKEWED),
    History(10_000, 5_000),
    History(20_000, 100),
)
LARGE: Final = (
    *SMALL,
    History(100_000, 1_000),
    History(100_000, 1_000, SKEWED),
    History(100_000, 30_000),
    History(100_000, 30_000, SKEWED),
    History(1_000_000, 1_000),
    History(1_000_000, 100_000),
    History(1_000_000, 100_000, SKEWED),
)


class _Entry(NamedTuple):
    """What a weight asks of an entry."""

    from_account: str
    to_account: str
    amount: int
    balance_after_from: int
    balance_after_to: int


def drawn(history: History) -> Iterator[Record]:
    """Yield a history's records."""
    chance = random.Random(history.entries * history.accounts)
    holders = [address(chance.randrange(2**160)) for _ in range(history.accounts)]
    yield from (mint(holder, ENDOWMENT) for holder in holders)
    for _ in range(history.entries - history.accounts):
        payer = payee = 0
        while payer == payee:
            payer, payee = _pick(chance, history), _pick(chance, history)
        yield Record(holders[payer], holders[payee], chance.randrange(1, 10**6) * CENT)


def _pick(chance: random.Random, history: History) -> int:
    return int(history.accounts * chance.random() ** history.power)


def batches(records: Iterable[Record]) -> Iterator[tuple[list[Record], int]]:
    """Yield the batches of a history, each with what it weighs when it is replayed exactly."""
    listed, held = list(records), Counter[Address]()
    entries = [_entry(record, held) for record in listed]
    done = 0
    for size in cut(entries):  # type: ignore[arg-type]  # (these have all that a weight asks for)
        end = done + size
        yield listed[done:end], weigh(entries[done:end]).gas  # type: ignore[arg-type]  # (same)
        done = end


def _entry(record: Record, held: Counter[Address]) -> _Entry:
    """Book a record; the issuer's balance is the supply."""
    from_, to, amount = record
    held[from_] -= amount
    held[to] += amount
    return _Entry(from_.hex(), to.hex(), amount, abs(held[from_]), held[to])


def estimated(history: History) -> tuple[int, int]:
    """Return the gas of both modes by the planner's figures."""
    exact, payloads, net = 0, list[bytes](), dict[Address, int]()
    for batch, gas in batches(drawn(history)):
        exact += gas
        payloads.append(encode_payload(batch))
        changes(batch, net)
    rows = [Row(account, 0, balance) for account, balance in net.items() if balance]
    return exact, deferred_gas(payloads, rows)


def measured(history: History, exact: DeferredToken, deferred: DeferredToken) -> tuple[int, int]:
    """Return the gas of both modes on two new tokens."""
    found = [batch for batch, _ in batches(drawn(history))]
    rows = deferred.begin(found).rows
    begin = int(_last_gas(deferred), 16)
    plan = announce(ZERO_HASH, 1, (Row(account, 0, balance) for account, balance in rows))
    settling = [deferred.replay(*batch) for batch in found]
    for call in plan.settle_calls(plan.settlement):
        end = call.first + call.rows
        settling.append(deferred.settle(rows[call.first : end], rows[end:]))
    replaying = [exact.replay(*batch) for batch in found]
    for account, balance in rows:
        assert exact.balance(account) == deferred.balance(account) == balance
    return _sum(replaying), begin + _sum(settling)


def _last_gas(token: DeferredToken) -> str:
    block = token.node.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 (JSON-RPC is positional)
    return str(block["gasUsed"])


def _sum(receipts: Sequence[dict[str, str]]) -> int:
    return sum(int(receipt["gasUsed"], 16) for receipt in receipts)


def _row(history: History, how: str, exact: int, deferred: int) -> dict[str, object]:
    return {
        "name": f"{history.name} ({how}): gas an entry, exact / deferred",
        "value": round(exact / history.entries, 1),
        "baseline": round(deferred / history.entries, 1),
        "ratio": round(exact / deferred, 2),
        "unit": "gas",
    }


def results(*, large: bool = False) -> Iterator[dict[str, object]]:
    """Yield each history's figures: on an Anvil with Osaka's rules, or as a planner says."""
    guardian = Guardian()
    try:
        node = start_anvil(guardian, "--hardfork", "osaka", "--enable-tx-gas-limit")
        for number, history in zip(count(), SMALL, strict=False):
            tokens = (new_deferred(node, symbol=f"{how}{number}") for how in "ED")
            yield _row(history, "measured", *measured(history, *tokens))
    finally:
        guardian.close()
    if large:
        for history in LARGE:
            yield _row(history, "estimated", *estimated(history))


if __name__ == "__main__":
    for line in results(large="--large" in sys.argv[1:]):
        print(json.dumps(line), flush=True)
