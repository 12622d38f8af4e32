"""What every benchmark shares: a result beside its baseline, a clock, and a bar for long work."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

from benchmarks.goals import GOALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from benchmarks.goals import Goal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result:
    """One number, and what was measured beside it in the same run."""

    what: str
    value: float
    beside: str
    """What the baseline is."""
    baseline: float
    unit: str

    @property
    def name(self) -> str:
        """What was measured and beside what: no two results share it."""
        return f"{self.what} / {self.beside}"

    @property
    def ratio(self) -> float:
        """The value as a share of the baseline."""
        return self.value / self.baseline

    @property
    def goal(self) -> Goal | None:
        """What was to be reached, if anything was."""
        return GOALS.get(self.name)

    def row(self) -> dict[str, object]:
        """Return the result as `results.json` has it."""
        row: dict[str, object] = {
            "name": self.name,
            "value": round(self.value, 3),
            "baseline": round(self.baseline, 3),
            "ratio": round(self.ratio, 4),
            "unit": self.unit,
        }
        if self.goal is not None:
            row["goal"] = str(self.goal)
            row["reached"] = self.goal.reached(self.value, self.ratio)
        return row


@dataclass(slots=True)
class Watch:
    """Seconds spent in the blocks it was put around."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of a block."""
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start


def together(works: Sequence[Callable[[], object]]) -> float:
    """Run each work in a thread of its own; return the seconds from the start to the last end.

    Raises:
        RuntimeError: a work failed; its own error is the cause.
    """
    barrier = threading.Barrier(len(works) + 1)
    errors: list[Exception] = []

    def run(work: Callable[[], object]) -> None:
        barrier.wait()
        try:
            work()
        except Exception as error:  # noqa: BLE001 (raised below, by the thread that measures)
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    barrier.wait()
    watch = Watch()
    with watch.running():
        for thread in threads:
            thread.join()
    if errors:
        raise RuntimeError(f"{len(errors)} of {len(works)} threads failed") from errors[0]
    return watch.seconds


def bar(items: Iterable[T], what: str, *, total: int | None = None) -> Iterable[T]:
    """Return `items`, with a progress bar where somebody watches."""
    return tqdm(items, what, total, leave=False, file=sys.stderr, disable=None)
