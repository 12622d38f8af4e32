"""Posting and audit: entries a second, beside the bare rows written by the driver alone.

Every entry has its own idempotency key, every commit is durable, every index is in place. The
baseline writes the same rows (read back from the ledger) into the same, empty table of another
database, in the same number of commits: COPY on PostgreSQL, executemany on SQLite.
"""

from __future__ import annotations

import random
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.measure import Result, Watch
from ledger import Ledger, Movement, OpenAccount, RefusedError
from ledger.store import write_entries
from tests.support.guardian import Guardian
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SYMBOL: Final = "BEN"
HOT: Final = "account-0"

# run size, entries measured
_RUNS: Final = ((5_000, 40_000), (500, 20_000), (100, 5_000), (1, 500))


def movements(accounts: int, count: int, *, hot: bool = False, start: int = 0) -> list[Movement]:
    """Return `count` small payments among `accounts` accounts; `hot`: all from one of them."""
    dice = random.Random(start + accounts)
    found = []
    for number in range(start, start + count):
        payer, payee = dice.sample(range(accounts), 2)
        if hot:
            payer, payee = 0, max(payer, 1)
        found.append(
            Movement(
                f"account-{payer}",
                f"account-{payee}",
                dice.randrange(1, 10**9),
                SYMBOL,
                reason=f"pay:{number % 7}",
                reference_type="order",
                reference_id=str(number),
                idempotency_key=f"key-{number}",
            )
        )
    return found


def populated(url: str, accounts: int) -> Ledger:
    """Return a new ledger with `accounts` endowed accounts."""
    ledger = Ledger.create(url)
    ledger.create_asset(SYMBOL, "Benchmark")
    ledger.post_many(OpenAccount(f"account-{number}") for number in range(accounts))
    return ledger


def posted(ledger: Ledger, items: Sequence[Movement], run: int) -> float:
    """Return the seconds that posting `items` takes, `run` a call."""
    watch = Watch()
    for start in range(0, len(items), run):
        with watch.running():
            results = ledger.post_many(items[start : start + run])
        assert not any(isinstance(result, RefusedError) for result in results)
    return watch.seconds


def bare(source: Ledger, url: str, first: int, run: int) -> float:
    """Return the seconds that writing the rows of `source` from seq `first` takes, bare."""
    entries = list(source.entries(SYMBOL, first))
    watch = Watch()
    with Ledger.create(url) as target:
        target.create_asset(SYMBOL, "Benchmark")
        for start in range(0, len(entries), run):
            with watch.running(), target.connection() as connection:
                write_entries(connection, entries[start : start + run], {SYMBOL: 1})
    return watch.seconds


def batches(name: str, new_url: Callable[[], str]) -> Iterator[Result]:
    """Measure `post_many` at each run size, with few and many accounts."""
    for accounts in (1_000, 10_000):
        for run, count in _RUNS:
            with populated(new_url(), accounts) as ledger:
                first = ledger.head(SYMBOL).seq + 1
                seconds = posted(ledger, movements(accounts, count), run)
                baseline = bare(ledger, new_url(), first, run)
            yield Result(
                f"{name}: post_many, {run} a call, {accounts} accounts, to the bare rows",
                count / seconds,
                count / baseline,
                "entries/s",
            )


def singles(name: str, new_url: Callable[[], str]) -> Iterator[Result]:
    """Measure single transfers from many threads, spread and hot, to one thread's."""
    with populated(new_url(), 1_000) as ledger:
        alone = 300 / posted(ledger, movements(1_000, 300), 1)
        start = 300
        for threads in (16, 64):
            for hot in (False, True):
                items = movements(1_000, 3_200, hot=hot, start=start)
                start += len(items)
                seconds = _together(ledger, items, threads)
                load = "one hot account" if hot else "spread"
                yield Result(
                    f"{name}: singles, {threads} threads, {load}, to one thread",
                    len(items) / seconds,
                    alone,
                    "entries/s",
                )


def _together(ledger: Ledger, items: Sequence[Movement], threads: int) -> float:
    """Return the seconds that `threads` threads take to post `items`, one a call."""
    shares = [items[number::threads] for number in range(threads)]
    workers = [threading.Thread(target=posted, args=(ledger, share, 1)) for share in shares]
    watch = Watch()
    with watch.running():
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return watch.seconds


def audits(name: str, new_url: Callable[[], str]) -> Iterator[Result]:
    """Measure an audit, beside reading the same entries without checking them."""
    with populated(new_url(), 1_000) as ledger:
        posted(ledger, movements(1_000, 50_000), 5_000)
        while ledger.seal():
            pass
        reading, auditing = Watch(), Watch()
        with reading.running():
            count = sum(1 for _ in ledger.entries(SYMBOL))
        with auditing.running():
            assert ledger.audit().ok
    yield Result(
        f"{name}: audit, to reading the same entries",
        count / auditing.seconds,
        count / reading.seconds,
        "entries/s",
    )


def measure() -> Iterator[Result]:
    """Measure everything on SQLite and on a durable PostgreSQL."""
    guardian = Guardian()
    try:
        server = PostgresServer(guardian, durable=True)
        with tempfile.TemporaryDirectory() as folder:
            numbers = iter(range(1_000))

            def sqlite() -> str:
                return f"sqlite:///{Path(folder) / f'{next(numbers)}.db'}"

            def postgresql() -> str:
                return server.url(server.create_database())

            for name, new_url in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
                for benchmark in (batches, singles, audits):
                    yield from benchmark(name, new_url)
        server.stop()
    finally:
        guardian.close()
