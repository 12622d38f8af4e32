"""Long work in a process of its own, for its peak memory: audit, export, import, a statement.

Run as `python -m benchmarks.children WORK URL FOLDER`; prints one line of JSON.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from tqdm import tqdm

from benchmarks.loads import HOT
from bridge.export import export
from bridge.imports import import_ledger
from ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.progress import Progress

ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a child did."""

    entries: int
    seconds: float
    megabytes: float
    """The most memory that the process ever had (its resident set)."""


def run(work: str, url: str, folder: Path) -> Outcome:
    """Do `work` in a new process and return what it says.

    Raises:
        RuntimeError: it failed; what it said is on the error output.
    """
    command = [sys.executable, "-m", "benchmarks.children", work, url, str(folder)]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:4])} ended with {ended.returncode}")
    return Outcome(**json.loads(ended.stdout))


def peak_megabytes() -> float:
    """Return the most memory that this process had.

    Linux says it of this program alone; `getrusage` counts what it was forked from, too.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        if found:
            return int(found[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _audit(url: str, _: Path) -> int:
    with Ledger.open(url) as ledger, _bar("audit") as bar:

        def show(entries: int) -> None:
            bar.update(entries)

        report = ledger.audit(progress=show)
        assert report.ok, report
        return _entries(ledger)


def _export(url: str, folder: Path) -> int:
    with Ledger.open(url) as ledger, _bar("export") as bar:
        return export(ledger, folder, progress=_shown(bar)).entries


def _import(url: str, folder: Path) -> int:
    with (
        _bar("import") as bar,
        import_ledger(folder, url, progress=_shown(bar)) as ledger,
    ):
        return _entries(ledger)


def _statement(url: str, _: Path) -> int:
    with Ledger.open(url) as ledger:
        return _count(ledger.statement(HOT))


def _entries(ledger: Ledger) -> int:
    return sum(ledger.head(asset.symbol).seq for asset in ledger.assets())


def _count(entries: Iterable[object]) -> int:
    """Return how many there are, as somebody would read them who keeps none."""
    return sum(1 for _ in tqdm(entries, "statement", leave=False, disable=None))


def _bar(work: str) -> tqdm[NoReturn]:
    return tqdm(desc=work, leave=False, disable=None)


def _shown(bar: tqdm[NoReturn]) -> Callable[[Progress], None]:
    def show(progress: Progress) -> None:
        bar.total, bar.n = progress.total, progress.done
        bar.set_description(progress.step)

    return show


WORKS: Final = {"audit": _audit, "export": _export, "import": _import, "statement": _statement}


def main() -> None:
    """Do what the command line says."""
    work, url, folder = sys.argv[1:]
    start = time.perf_counter()
    entries = WORKS[work](url, Path(folder))
    outcome = Outcome(entries, time.perf_counter() - start, peak_megabytes())
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
