"""Single entries from many threads of one process, spread and on one hot account."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.loads import Load, populated, post_singly, shares
from benchmarks.measure import Result, bar, together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.databases import Database
    from benchmarks.sizes import Sizes
    from ledger import Ledger

LOADS: Final = (("spread", 0.0), ("one hot account", 1.0))
"""The share of payments that move one account."""

THREADS: Final = {"SQLite": (16,), "PostgreSQL": (16, 64)}


def posted(ledger: Ledger, load: Load, count: int, threads: int, hot: float) -> float:
    """Return the seconds that `threads` threads need for `count` payments, one a call."""
    items = load.take(count, hot=hot)
    return together([partial(post_singly, ledger, share) for share in shares(items, threads)])


def measure(database: Database, sizes: Sizes) -> Iterator[Result]:
    """Measure each number of threads beside one thread, in turns."""
    ledger = populated(database.new_url(), sizes.accounts[0])
    load = Load(sizes.accounts[0])
    single = max(sizes.round // 8, 1)
    for threads in THREADS[database.name]:
        for name, hot in LOADS:
            what = f"{database.name}: singles, {threads} threads, {name}"
            posted(ledger, load, threads, threads, hot)  # connects, outside the clock
            many = one = 0.0
            for _ in bar(range(sizes.rounds), what):
                many += posted(ledger, load, sizes.round, threads, hot)
                one += posted(ledger, load, single, 1, hot)
            rate, alone = sizes.rounds * sizes.round / many, sizes.rounds * single / one
            yield Result(what, rate, "one thread", alone, "entries/s")
    ledger.close()
