"""An audit of a ledger that others post to finds nothing, whatever it reads between commits."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ledger import Movement, RefusedError
from ledger.model import HoldState, Status
from ledger.requests import PlaceHold, PostHold, Reverse, SetLimits, SetStatus, VoidHold
from tests.ledger.support import economy

if TYPE_CHECKING:
    from ledger import Hash32, Ledger

ACCOUNTS = [f"a{number}" for number in range(20)]
BATCHES = 25
STATUSES = (Status.FROZEN, Status.OPEN, Status.OPEN, Status.CLOSED)


def drawn(chance: random.Random, holds: list[Hash32], entries: list[Hash32]) -> Any:  # noqa: ANN401 (any item)
    """Return something to post."""
    one, other = chance.sample(ACCOUNTS, 2)
    symbol = chance.choice(["SCI", "B"])
    kind = chance.randrange(40)
    if kind < 12 and holds:
        hold = holds.pop(chance.randrange(len(holds)))
        amount, keep = chance.choice([(None, False), (1, True), (1, False)])
        post = PostHold(hold, amount, keep_rest=keep, to_account=other)
        return VoidHold(hold) if kind < 5 else post
    if kind < 22:
        soon = datetime.now(UTC) + timedelta(milliseconds=chance.randrange(1, 300))
        to = chance.choice(["", other])
        return PlaceHold(one, chance.randrange(1, 9), to, symbol, chance.choice([None, soon]))
    if kind < 26 and entries:
        return Reverse(entries.pop(chance.randrange(len(entries))))
    if kind in (26, 27):
        limit, status = chance.randrange(5, 50), chance.choice(STATUSES)
        return SetLimits(one, symbol, limit) if kind == 26 else SetStatus(one, status)
    return Movement(one, other, chance.randrange(1, 9), symbol)


def work(ledger: Ledger, seed: int) -> int:
    """Post at random; return how much was taken."""
    chance, taken = random.Random(seed), 0
    holds: list[Hash32] = []
    entries: list[Hash32] = []
    for _ in range(BATCHES):
        for result in ledger.post_many([drawn(chance, holds, entries) for _ in range(20)]):
            if isinstance(result, RefusedError):
                continue
            taken += 1
            if result.hold is not None and result.hold.state == HoldState.PENDING:
                holds.append(result.hold.id)
            entries += [entry.id for entry in result.entries[:1]]
    return taken


def test_an_audit_finds_nothing_while_others_post(database_url: str) -> None:
    with economy(database_url, *ACCOUNTS, clock=None) as ledger:
        ledger.create_asset("B", "Beta", 0)
        ledger.post_many([Movement("system", name, 1_000, "B") for name in ACCOUNTS])
        with ThreadPoolExecutor(3) as pool:
            workers = [pool.submit(work, ledger, number) for number in range(3)]
            while not all(worker.done() for worker in workers):
                report = ledger.audit()
                assert report.ok, report.finding
        assert sum(worker.result() for worker in workers) > BATCHES
        report = ledger.audit()
        assert report.ok, report.finding
