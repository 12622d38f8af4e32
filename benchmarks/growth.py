"""How everything changes while a ledger grows: measured, grown, measured again.

The ledger has many endowed accounts; half of the payments move one of them. What its growth is
beside is the same measurement at its first size.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks import bare_files, children, pages
from benchmarks.batches import Race
from benchmarks.loads import SYMBOL, Load, populated, post
from benchmarks.measure import Result, Watch, bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.databases import Bare, Database
    from benchmarks.sizes import Sizes
    from ledger import Ledger

BEFORE: Final = "before growth"
RUN: Final = 5_000
RACES: Final = 6
"""Runs that are raced against the driver after growth."""
_POSTED: Final = ((RUN, 4), (100, 10), (1, 100))
"""(entries a call, calls) at each size."""
_READ: Final = 200_000
"""Rows that the driver reads at most."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The numbers of one size, each with its unit, and what stands beside some of them."""

    numbers: dict[str, tuple[float, str]]
    megabytes: dict[str, float]
    reading: float
    """Rows a second that the driver reads."""
    table: float
    """Bytes a row, without indexes."""
    bare_files: dict[str, float]
    """Entries a second whose files the system alone writes (`export`) or reads (`import`)."""
    exported: float
    """Bytes an entry of an export's files."""


class Growing:
    """A ledger that is measured while it grows."""

    def __init__(self, database: Database, accounts: int) -> None:
        self._database = database
        self._url = database.new_url()
        self.ledger: Ledger = populated(self._url, accounts)
        database.check_durable(self.ledger)
        self._bare: Bare = database.bare(self._url)
        self._load = Load(accounts)
        self._grown = 0

    def grow(self, entries: int, run: int) -> None:
        """Post payments until there are `entries` of them."""
        missing = entries - self._grown
        laps = self._load.runs(missing, run, hot=0.5)
        what = f"{self._database.name}: growing to {entries:,} entries"
        for items in bar(laps, what, total=-(-missing // run)):
            post(self.ledger, items)
        self._grown = max(entries, self._grown)

    def measure(self, run: int) -> Measured:
        """Measure everything at the size that the ledger has now; what is posted comes last."""
        name = self._database.name
        read = bar(pages.kinds(self.ledger).items(), f"{name}: pages")
        numbers = {what: (pages.milliseconds(act), "ms") for what, act in read}
        rows = self.ledger.head(SYMBOL).seq
        table, indexes, everything = self._bare.sizes()
        numbers["bytes a row, indexes"] = indexes / rows, "bytes"
        numbers["bytes an entry, everything"] = everything / rows, "bytes"
        numbers["seal"] = self._sealing(), "entries/s"
        works, bare, exported = self._children()
        for work, outcome in works.items():
            numbers[work] = outcome.entries / outcome.seconds, "entries/s"
        reading = self._reading()
        for size, calls in _POSTED:
            posted = self._posting(min(size, run), calls)
            numbers[f"post_many, {size:,} a call"] = posted, "entries/s"
        megabytes = {work: outcome.megabytes for work, outcome in works.items()}
        return Measured(numbers, megabytes, reading, table / rows, bare, exported)

    def _posting(self, run: int, calls: int) -> float:
        laps = list(self._load.runs(run * calls, run, hot=0.5))
        watch = Watch()
        with watch.running():
            for items in laps:
                post(self.ledger, items)
        self._grown += run * calls
        return run * calls / watch.seconds

    def _sealing(self) -> float:
        watch, count = Watch(), 0
        with watch.running():
            for sealed in bar(iter(self.ledger.seal, None), f"{self._database.name}: sealing"):
                count += sum(batch.batch.size for batch in sealed.batches)
        return count / watch.seconds

    def _children(self) -> tuple[dict[str, children.Outcome], dict[str, float], float]:
        with TemporaryDirectory(prefix="evm-ledger-export-") as folder:
            target = Path(folder, "export")
            works = {
                work: children.run(work, self._url, target)
                for work in ("audit", "statement", "export")
            }
            works["import"] = children.run("import", self._database.new_url(), target)
            bare = {
                "export": works["export"].entries
                / bare_files.writing(target, Path(folder, "bare")),
                "import": works["import"].entries / bare_files.reading(target),
            }
            exported = bare_files.size(target) / works["export"].entries
        return works, bare, exported

    def _reading(self) -> float:
        last = min(self.ledger.head(SYMBOL).seq, _READ)
        watch = Watch()
        with watch.running():
            count = sum(1 for _ in self._bare.all_rows(last))
        return count / watch.seconds

    def race(self, run: int, laps: int) -> Result:
        """Measure `post_many` beside the driver, whose table has as many rows as the ledger's."""
        name, entries = self._database.name, run * laps
        with closing(Race(self._database, self._url, self.ledger)) as race:
            mirror = race.mirror()
            runs = bar(self._load.runs(entries, run, hot=0.5), f"{name}: racing", total=laps)
            ours, theirs = race.run(runs, post, {self._database.bulk_name: mirror.bulk})
        beside, seconds = theirs.popitem()
        what = f"{name}: post_many, 5,000 a call, after growth"
        return Result(what, entries / ours, beside, entries / seconds, "entries/s")

    def close(self) -> None:
        """Close every connection."""
        self.ledger.close()
        self._bare.close()


def measure(database: Database, sizes: Sizes) -> Iterator[Result]:
    """Measure at the first size and at the last, one beside the other."""
    run = min(RUN, sizes.first)
    growing = Growing(database, sizes.accounts[-1])
    growing.grow(sizes.first, run)
    young = growing.measure(run)
    growing.grow(sizes.entries, run)
    old = growing.measure(run)
    yield growing.race(run, RACES)
    growing.close()

    name = database.name
    for what, (value, unit) in old.numbers.items():
        yield Result(f"{name}: {what}", value, BEFORE, young.numbers[what][0], unit)
    for work, value in old.megabytes.items():
        yield Result(f"{name}: memory, {work}", value, BEFORE, young.megabytes[work], "MB")
    audit = old.numbers["audit"][0]
    yield Result(
        f"{name}: audit", audit, "the driver reading the same rows", old.reading, "entries/s"
    )
    for work, rate in old.bare_files.items():
        beside = f"the system {'writing' if work == 'export' else 'reading'} the same files"
        yield Result(f"{name}: {work}", old.numbers[work][0], beside, rate, "entries/s")
    yield Result(
        f"{name}: bytes an entry, files of an export", old.exported, BEFORE, young.exported, "bytes"
    )
    indexes = old.numbers["bytes a row, indexes"][0]
    yield Result(f"{name}: bytes a row, indexes", indexes, "the table", old.table, "bytes")
