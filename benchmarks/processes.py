"""One and eight processes, each with a ledger of its own on the same database."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks.loads import Load, populated, post
from benchmarks.measure import Result, bar
from ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.databases import Database
    from benchmarks.sizes import Sizes

PROCESSES: Final = 8
RUNS: Final = (1, 20)
"""Entries a call."""

# Each process is forked from one that has imported everything, and opened nothing.
_fresh = multiprocessing.get_context("forkserver")
_fresh.set_forkserver_preload([__name__])


def work(url: str, tag: str, accounts: int, count: int, run: int, start: Any, done: Any) -> None:  # noqa: ANN401, PLR0917 (a barrier and a queue of a context; called by keyword)
    """Post `count` payments, `run` a call, once every process is ready; tell when."""
    load = Load(accounts, tag)
    with Ledger.open(url) as ledger:
        post(ledger, load.take(1))
        laps = list(load.runs(count, run))
        start.wait()
        began = time.monotonic()
        for items in laps:
            post(ledger, items)
        done.put((began, time.monotonic()))


def posted(url: str, tag: str, *, processes: int, accounts: int, count: int, run: int) -> float:
    """Return the seconds from the first process's start to the last one's end."""
    start, done = _fresh.Barrier(processes), _fresh.Queue()
    workers = [
        _fresh.Process(
            target=work,
            kwargs={
                "url": url,
                "tag": f"{tag}-{number}-",
                "accounts": accounts,
                "count": count // processes,
                "run": run,
                "start": start,
                "done": done,
            },
            daemon=True,
        )
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(f"processes ended with {[worker.exitcode for worker in workers]}")
    times = [done.get() for _ in workers]
    return float(max(end for _, end in times) - min(began for began, _ in times))


def measure(database: Database, sizes: Sizes) -> Iterator[Result]:
    """Measure eight processes beside one, with one entry a call and with a few."""
    accounts = sizes.accounts[0]
    url = database.new_url()
    populated(url, accounts).close()
    for run in RUNS:
        count = sizes.round * (2 if run > 1 else 1)
        rates = {
            processes: count
            / posted(
                url,
                f"{run}-{processes}",
                processes=processes,
                accounts=accounts,
                count=count,
                run=run,
            )
            for processes in bar((1, PROCESSES), f"{database.name}: processes")
        }
        what = f"{database.name}: {PROCESSES} processes, {run} a call, spread"
        yield Result(what, rates[PROCESSES], "one process", rates[1], "entries/s")
