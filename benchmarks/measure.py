"""What every benchmark shares: a result beside its baseline, and a clock around a block."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Result:
    """One number, and what was measured beside it in the same run."""

    name: str
    value: float
    baseline: float
    unit: str

    @property
    def ratio(self) -> float:
        """The value as a share of the baseline."""
        return self.value / self.baseline

    def row(self) -> dict[str, object]:
        """Return the result as `results.json` has it."""
        return {
            "name": self.name,
            "value": round(self.value, 1),
            "baseline": round(self.baseline, 1),
            "ratio": round(self.ratio, 3),
            "unit": self.unit,
        }


@dataclass(slots=True)
class Watch:
    """Seconds spent in the blocks it was put around."""

    seconds: float = 0.0
    laps: list[float] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of a block."""
        start = time.perf_counter()
        yield
        self.laps.append(time.perf_counter() - start)
        self.seconds += self.laps[-1]
