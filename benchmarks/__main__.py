"""Measure, print each result as soon as it is there, keep the last full run. `make bench`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tqdm import tqdm

from benchmarks import report
from benchmarks.plan import DATABASES, SECTIONS, Plan
from benchmarks.sizes import FULL, QUICK

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECTIONS: Final = "\n".join(f"  {name:<10} {what}" for name, what in SECTIONS.items())

_HELP: Final = f"""\
Measure the ledger, each number beside something measured in the same run: the driver writing the
same rows bare, one thread, one process, the same ledger while it was small, another ledger. Starts
its own durable PostgreSQL and Anvil, and removes everything afterwards.

sections:
{_SECTIONS}
"""

_EXAMPLES: Final = """\
examples:
  make bench                                              everything, about 25 minutes
  python -m benchmarks --quick                            everything, small, to see that it works
  python -m benchmarks --only batches singles --database PostgreSQL
  python -m benchmarks --entries 200000                   grow to 200,000 entries, not 1,000,000
  python -m benchmarks --pgledger ../pgledger/pgledger.sql

A run of everything at full size writes benchmarks/results.json and docs/benchmarks.md; any other
run only prints, unless --results names a file. Leave the machine alone meanwhile.
"""


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: minutes, and noise")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=SECTIONS, help="these sections (see above)"
    )
    parser.add_argument("--database", choices=DATABASES, help="only this one; both unless given")
    parser.add_argument(
        "--entries", type=_positive, metavar="N", help="grow to N entries (1,000,000; quick 10,000)"
    )
    parser.add_argument(
        "--pgledger",
        type=Path,
        metavar="PATH",
        help="a copy of pgledger.sql, with uuid-to-ulid.sql in its folder or below it",
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="write the results there, as JSON"
    )
    return parser.parse_args(given)


def _positive(text: str) -> int:
    """Return a count given on the command line, with or without separators."""
    count = int(text.replace(",", "_"))
    if count < 1:
        raise ValueError(text)
    return count


def main(given: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    arguments = _arguments(given)
    sizes = QUICK if arguments.quick else FULL
    if arguments.entries is not None:
        sizes = sizes.grown(arguments.entries)
    if arguments.pgledger is not None and not arguments.pgledger.is_file():
        sys.exit(f"--pgledger: {arguments.pgledger} is no file; name a copy of pgledger.sql")
    plan = Plan(
        sizes,
        frozenset(arguments.only or SECTIONS),
        frozenset([arguments.database] if arguments.database else DATABASES),
        arguments.pgledger,
    )
    start = time.monotonic()
    print(f"{'ratio':>9}  {'value':>10} {'unit':<10}  what / beside what  [goal]", flush=True)
    results = []
    for result in plan.run():
        results.append(result)
        tqdm.write(report.line(result))
        sys.stdout.flush()
    print(f"{len(results)} results in {(time.monotonic() - start) / 60:.1f} minutes")
    if arguments.results is not None:
        report.write_results(results, arguments.results)
    if plan.is_whole and not arguments.quick:
        report.write_results(results, report.RESULTS)
        report.write_document(results, plan.facts, sizes)


if __name__ == "__main__":
    main()
