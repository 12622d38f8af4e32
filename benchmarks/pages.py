"""First pages of a statement, and balances of the past, of the account with half of the entries."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.loads import HOT, SYMBOL, account
from ledger import Filters

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger import Ledger

REPEATS: Final = 11
NEVER: Final = "never"


def kinds(ledger: Ledger) -> dict[str, Callable[[], object]]:
    """Return what is read, by name."""
    last = ledger.head(SYMBOL).seq
    middle = next(iter(ledger.entries(SYMBOL, last // 2, last // 2)))
    at = datetime.fromtimestamp(middle.timestamp / 1e6, UTC)
    filters = {
        "since the middle": Filters(since=at),
        "until the middle": Filters(until=at),
        "of a reason": Filters(reason_prefix="pay:3"),
        "of a reason that never was": Filters(reason_prefix=NEVER),
        "of one reference": Filters(reference_type="order", reference_id=middle.reference_id),
        "of a reference that never was": Filters(reference_type="order", reference_id=NEVER),
        "with one account": Filters(counterparty=account(1)),
        "with an account that never paid": Filters(counterparty=NEVER),
    }
    page = partial(ledger.statement_page, HOT)
    return {
        "page, oldest first": page,
        "page, newest first": partial(page, newest_first=True),
        **{f"page, {name}": partial(page, filters=chosen) for name, chosen in filters.items()},
        **{
            f"page, {name}, newest first": partial(page, filters=chosen, newest_first=True)
            for name, chosen in filters.items()
            if "never" in name
        },
        "balance": partial(ledger.get_balance, HOT),
        "balance as of a seq": partial(ledger.balance_at, HOT, last // 2),
        "balance as of an instant": partial(ledger.balance_at, HOT, at),
    }


def milliseconds(read: Callable[[], object]) -> float:
    """Return the median time of a read, after one that is not counted."""
    read()
    laps = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        read()
        laps.append(time.perf_counter() - start)
    return 1_000 * median(laps)
