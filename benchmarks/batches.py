"""`post_many` beside the driver writing the same rows: as many a commit, into the same table.

They take turns, lap by lap, so that whatever slows the machine slows both. The driver's table
holds the rows that the ledger's held when the lap began.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from benchmarks.loads import SYMBOL, Load, populated, post, post_singly
from benchmarks.measure import Result, Watch, bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from benchmarks.databases import Bare, Database, Row
    from benchmarks.sizes import Sizes
    from ledger import Ledger, Movement

ALONE: Final = "the same row inserted alone"
_LAP: Final = 20
"""Commits in a lap, where a commit is one row."""


class Race:
    """A ledger and the driver's bare connections, writing the same rows in turns."""

    def __init__(self, database: Database, url: str, ledger: Ledger) -> None:
        database.check_durable(ledger)
        self._database = database
        self._ledger = ledger
        self._bare = database.bare(url)
        self._mirrors: list[Bare] = []

    @property
    def _head(self) -> int:
        return self._ledger.head(SYMBOL).seq

    def mirror(self) -> Bare:
        """Return a bare connection to a table with the same rows; keep up all there are."""
        self._mirrors.append(self._database.mirror(self._bare, self._head))
        return self._mirrors[-1]

    def run(
        self,
        laps: Iterable[Sequence[Movement]],
        ours: Callable[[Ledger, Sequence[Movement]], None],
        others: Mapping[str, Callable[[Sequence[Row]], None]],
    ) -> tuple[float, dict[str, float]]:
        """Let the ledger post each lap, then the others write its rows; return the seconds."""
        own, theirs = Watch(), {name: Watch() for name in others}
        for items in laps:
            first = self._head + 1
            with own.running():
                ours(self._ledger, items)
            rows = self._bare.rows(first, self._head)
            assert len(rows) == len(items)
            for name, write in others.items():
                with theirs[name].running():
                    write(rows)
        return own.seconds, {name: watch.seconds for name, watch in theirs.items()}

    def close(self) -> None:
        """Close the driver's connections."""
        for bare in (self._bare, *self._mirrors):
            bare.close()


def measure(database: Database, sizes: Sizes) -> Iterator[Result]:
    """Measure `post_many` at each run size, with few and many accounts."""
    for accounts in sizes.accounts:
        url = database.new_url()
        with populated(url, accounts) as ledger, closing(Race(database, url, ledger)) as race:
            yield from _runs(database, race, accounts, sizes)


def _runs(database: Database, race: Race, accounts: int, sizes: Sizes) -> Iterator[Result]:
    """Measure each run size, from small to large."""
    load, mirror = Load(accounts), race.mirror()
    largest = max(run for run, _ in sizes.batches)
    for run, entries in sizes.batches:
        others = {database.bulk_name: mirror.bulk} if run > 1 else {ALONE: mirror.one_by_one}
        if run == largest and database.bulk_name != "executemany":
            others["executemany"] = race.mirror().many
        what = f"{database.name}: post_many, {run:,} a call, {accounts:,} accounts"
        lap = max(run, _LAP)
        laps = bar(load.runs(entries, lap), what, total=entries // lap)
        ours, theirs = race.run(laps, post if run > 1 else post_singly, others)
        for name, seconds in theirs.items():
            yield Result(what, entries / ours, name, entries / seconds, "entries/s")


def alone(database: Database, sizes: Sizes) -> Iterator[Result]:
    """Measure one thread that posts one entry a commit."""
    accounts, count, url = sizes.accounts[0], sizes.alone, database.new_url()
    with populated(url, accounts) as ledger, closing(Race(database, url, ledger)) as race:
        laps = bar(Load(accounts).runs(count, _LAP), "singles", total=count // _LAP)
        ours, theirs = race.run(laps, post_singly, {ALONE: race.mirror().one_by_one})
    what = f"{database.name}: singles, one thread"
    yield Result(what, count / ours, ALONE, count / theirs[ALONE], "entries/s")
