"""Measure everything, print it as a table, keep it in `results.json`. Run with `make bench`."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

from benchmarks import posting, replay_gas

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Print each result as soon as it is there; write them all at the end."""
    rows: list[dict[str, object]] = []
    for row in chain(replay_gas.results(), (result.row() for result in posting.measure())):
        rows.append(row)
        print(f"{row['ratio']:>9} {row['value']:>12} {row['unit']:<10} {row['name']}", flush=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
