"""A run as lines, as `results.json` and as `docs/benchmarks.md`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.goals import GOALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.measure import Result
    from benchmarks.sizes import Sizes

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results.json"
DOCUMENT: Final = ROOT / "docs" / "benchmarks.md"

_READING: Final = """\
* Every entry has its own idempotency key, every commit is durable (checked before anything is
  measured), every index of the schema is in place. Requests are made before the clock starts.
* **COPY** and **executemany** are the driver alone: the rows that the ledger has just
  written, whole, from Python values, as many a commit, into the same table with the same rows
  and indexes in another database. They write no key, no balance and no head.
* **The same row inserted alone** is one INSERT by the driver in a commit of its own, in one
  round trip.
* **Spread** is {few} accounts at random; **one hot account** is in every payment.
* **pgledger** is a double-entry ledger of PostgreSQL functions (without idempotency keys and
  without ids that are hashes), on the same server, from as many threads of the same program,
  in turns with the ledger. It is measured with `--pgledger`.
* **Before growth** is the same ledger with {first} entries, after growth it has {last}, both
  after the endowments of {many} accounts; half of the payments move one account, which the
  pages and balances are of. A ratio near 1 means: growth changed nothing. Pages have 50
  entries; their times are medians of 11.
* **The same files** are those of the export just measured: **writing** is one pass of `write` and a
  flush of each file, **reading** is one pass of `read` while all of them are in the system's cache.
  An export also reads the ledger, makes ids' payloads and logs, and hashes every file; an import
  recomputes every id, head, balance and root, makes every file again, and writes the database.
* **HTTP** is asked over connections that each wait for their answer before they ask again, by a
  client in Python on the same machine. **The bare endpoint** is one of the same framework and
  server that does nothing; **one commit a request** inserts a row with three columns and commits,
  without keys, balances or ids. Both work in threads, as endpoints of that framework do.
* **Memory** is the largest resident set of a process that does only this, Python and its
  libraries included.
* **Gas** is on Anvil under Osaka's rules; LOG3 is the 1,756 gas of a bare `Transfer` event.
"""


def line(result: Result) -> str:
    """Return a result as the terminal shows it."""
    shown = f"{result.ratio:>9.3f}  {number(result.value):>10} {result.unit:<10}  {result.name}"
    return f"{shown}  [{verdict(result)}]" if result.goal else shown


def number(value: float) -> str:
    """Return a number with as many digits as it deserves."""
    if value >= 100:  # noqa: PLR2004 (three digits before the point are enough)
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004 (as above)


def verdict(result: Result) -> str:
    """Say whether a result reached its goal."""
    if result.goal is None:
        return ""
    reached = result.goal.reached(result.value, result.ratio)
    return f"{'reached' if reached else 'missed'}: {result.goal}"


def write_results(results: Iterable[Result], path: Path) -> None:
    """Write every result as JSON: name, value, baseline, ratio, unit, and the goal if any."""
    rows = [result.row() for result in results]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def write_document(results: Sequence[Result], facts: Mapping[str, str], sizes: Sizes) -> None:
    """Write `docs/benchmarks.md`."""
    DOCUMENT.write_text(document(results, facts, sizes), encoding="utf-8")


def document(results: Sequence[Result], facts: Mapping[str, str], sizes: Sizes) -> str:
    """Return the page that shows a run."""
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`, which measures all of it in one run; do not edit it by hand.",
            "A rate depends on the machine: compare the **ratios**, whose two sides were measured",
            "in turns on the same machine, the same server and the same disk.",
            "",
            "## The machine",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in facts.items()),
            "",
            "## The goals",
            "",
            "| what | beside | goal | measured | |",
            "|---|---|---|---|---|",
            *_goals(results),
            "",
            "## How to read it",
            "",
            *_reading(sizes),
            "",
            "## Everything",
            "",
            *_tables(results),
        ]
    )


def _goals(results: Sequence[Result]) -> list[str]:
    """Return the rows of the table of goals; what this run did not measure says so."""
    by_name = {result.name: result for result in results}
    rows = []
    for name, goal in GOALS.items():
        what, _, beside = name.partition(" / ")
        result = by_name.get(name)
        if result is None:
            rows.append(f"| {what} | {beside} | {goal} | not measured | |")
            continue
        unit = f" {result.unit}" if goal.on == "value" else ""
        measured = number(result.ratio if goal.on == "ratio" else result.value) + unit
        mark = "reached" if goal.reached(result.value, result.ratio) else "**missed**"
        rows.append(f"| {what} | {beside} | {goal} | {measured} | {mark} |")
    return rows


def _reading(sizes: Sizes) -> list[str]:
    """Return what has to be known about the measurements."""
    values = {
        "first": f"{sizes.first:,}",
        "last": f"{sizes.entries:,}",
        "few": f"{sizes.accounts[0]:,}",
        "many": f"{sizes.accounts[-1]:,}",
    }
    return _READING.format(**values).splitlines()


def _tables(results: Sequence[Result]) -> list[str]:
    """Return every result, in a table for each of what stands before the colon."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.what.partition(": ")[0], []).append(result)
    lines = []
    for group, members in groups.items():
        lines += [f"### {group}", "", "| what | value | beside | baseline | ratio |"]
        lines += ["|---|---|---|---|---|"]
        for it in members:
            what = it.what.partition(": ")[2]
            values = f"{number(it.value)} {it.unit} | {it.beside} | {number(it.baseline)} {it.unit}"
            lines.append(f"| {what} | {values} | {it.ratio:.3f} |")
        lines.append("")
    return lines
