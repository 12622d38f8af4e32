"""A made-up economy of agents, always the same: what the demo books. Values only."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

from ledger import ISSUER, Movement

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNTS = 84
ENTRIES = 22_912
"""All entries, the endowments of the accounts included."""

SEED = 17_173_049
UNIT = 10**18
ENDOWMENT = 1_000 * UNIT

_POOLS = ("treasury", "rewards/debates", "market/compute", "guild/reviewers")

# reason, what it references, share of all entries in per mille, largest amount in milli-tokens
_EARN = ("earn:debate", "debate_session", 260, 25_000)
_PEER = (
    ("tip", "article", 230, 5_000),
    ("pay:review", "review", 190, 12_000),
    ("pay:translation", "job", 90, 40_000),
)
_SPEND = (
    ("spend:compute", "job", 130, 18_000),
    ("fee:listing", "listing", 60, 2_000),
)
_BURN = ("burn:penalty", "ruling", 15, 8_000)
_MINT = ("mint:grant", "grant", 25, 300_000)


def account_ids() -> list[str]:
    """Return the ids of the accounts: four pools and eighty agents."""
    return [*_POOLS, *(f"agent-{number:04x}" for number in range(ACCOUNTS - len(_POOLS)))]


def movements(symbol: str) -> Iterator[Movement]:
    """Return the entries after the endowments; none of them is refused.

    The generator keeps its own balances (integers, one dictionary), so that the ledger's can be
    compared with them in the end: `expected_balances`.
    """
    dice = random.Random(SEED)  # noqa: S311 (a fixed seed is the point)
    held = dict.fromkeys(account_ids(), ENDOWMENT)
    for number in range(ENTRIES - ACCOUNTS):
        movement = _movement(dice, held, number, symbol)
        held[movement.from_account] = held.get(movement.from_account, 0) - movement.amount
        held[movement.to_account] = held.get(movement.to_account, 0) + movement.amount
        yield movement


def expected_balances(symbol: str) -> Counter[str]:
    """Return what each account must have in the end, computed apart from any ledger."""
    held: Counter[str] = Counter(dict.fromkeys(account_ids(), ENDOWMENT))
    for movement in movements(symbol):
        held[movement.from_account] -= movement.amount
        held[movement.to_account] += movement.amount
    del held[ISSUER]
    return held


def _movement(dice: random.Random, held: dict[str, int], number: int, symbol: str) -> Movement:
    """Return one movement that the balances `held` allow."""
    agents = account_ids()[len(_POOLS) :]
    kinds = (_EARN, *_PEER, *_SPEND, _BURN, _MINT)
    reason, reference, _, largest = dice.choices(kinds, [kind[2] for kind in kinds])[0]
    amount = dice.randrange(1, largest) * UNIT // 1_000 + dice.choice(
        (0, 0, 0, dice.randrange(UNIT))
    )
    payer, payee = dice.sample(agents, 2)
    if reason == _EARN[0]:
        payer = _POOLS[1]
    elif reason == _MINT[0]:
        payer, payee = ISSUER, dice.choice(_POOLS)
    elif reason == _BURN[0]:
        payee = ISSUER
    elif reason in {kind[0] for kind in _SPEND}:
        payee = _POOLS[2] if reason.startswith("spend") else _POOLS[0]
    if payer != ISSUER and held[payer] < amount:
        payer, payee, reason, reference = ISSUER, payer, _MINT[0], _MINT[1]
    return Movement(
        payer,
        payee,
        amount,
        symbol,
        reason=reason,
        reference_type=reference,
        reference_id=f"{reference[:4]}-{dice.randrange(4_000):04d}",
        memo="first of its kind" if number % 997 == 0 else "",
        idempotency_key=f"demo-{number}",
    )
