"""Gas of replaying an entry: as a ratio to a bare `Transfer` event, and to one transfer sent alone.

The payload is that of design section 9: 2,000 entries over 400 accounts that have a balance, then
4,000 over the same, for what one more entry costs. Amounts are 0.01 to 9,999.99 tokens.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Final

from ledger.model import Record
from tests.contracts.people import ALICE, BOB
from tests.contracts.token import Token, address, mint, new_token
from tests.support.guardian import Guardian
from tests.support.nodes import start_anvil

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.model import Address

LOG3: Final = 375 + 3 * 375 + 8 * 32
"""A log with three topics and 32 bytes of data: the floor of a genuine `Transfer`."""
ENTRIES: Final = 2_000
ACCOUNTS: Final = 400
CENT: Final = 10**16
"""Base units, at 18 decimals."""


def measure(token: Token) -> list[dict[str, object]]:
    """Return each number beside its baseline."""
    holders = [address(10**40 + 7919 * number) for number in range(ACCOUNTS)]
    token.replay(*(mint(holder, 10**9 * CENT) for holder in holders))
    chance = random.Random(1)
    few = _gas(token, _entries(chance, holders, ENTRIES))
    many = _gas(token, _entries(chance, holders, 2 * ENTRIES))
    alone = _transfer_gas(token)
    each, marginal = few / ENTRIES, (many - few) / ENTRIES
    return [
        _row("replay: gas per entry, 2,000 entries, 400 accounts / LOG3", each, LOG3),
        _row("replay: gas of one more entry / LOG3", marginal, LOG3),
        _row("replay: gas per entry / one transfer a transaction", each, alone),
    ]


def _row(name: str, value: float, baseline: float) -> dict[str, object]:
    ratio = round(value / baseline, 4)
    return {
        "name": name,
        "value": round(value, 1),
        "baseline": baseline,
        "ratio": ratio,
        "unit": "gas",
    }


def _entries(chance: random.Random, holders: Sequence[Address], count: int) -> list[Record]:
    """Return entries between random holders, each of whom moves something."""
    payers = [*holders, *chance.choices(holders, k=count - len(holders))]
    return [
        Record(payer, chance.choice(holders), chance.randrange(1, 10**6) * CENT) for payer in payers
    ]


def _gas(token: Token, records: Sequence[Record]) -> int:
    return int(token.replay(*records)["gasUsed"], 16)


def _transfer_gas(token: Token) -> int:
    """Return the gas of one transfer in a transaction of its own, to a holder of a balance."""
    token.replay(*(mint(bytes.fromhex(who.address[2:]), 10**6 * CENT) for who in (ALICE, BOB)))
    token.finalize()
    sent = token.send("transfer", BOB.address, 123_45 * CENT, sender=ALICE.address)
    return int(sent["gasUsed"], 16)


def results() -> list[dict[str, object]]:
    """Measure on an Anvil with Osaka's rules."""
    guardian = Guardian()
    try:
        node = start_anvil(guardian, "--hardfork", "osaka", "--enable-tx-gas-limit")
        return measure(new_token(node))
    finally:
        guardian.close()


if __name__ == "__main__":
    for row in results():
        print(json.dumps(row))
