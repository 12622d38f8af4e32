"""The benchmarks run, at a size that tells nothing about speed, and write what others read."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from benchmarks import peer, report
from benchmarks.goals import GOALS
from benchmarks.measure import Result, together
from benchmarks.plan import SECTIONS, Plan
from benchmarks.sizes import QUICK, Sizes

ROOT: Final = Path(__file__).parents[2]

TINY: Final = replace(
    QUICK, batches=((1, 20), (5_000, 5_000)), alone=20, rounds=1, round=64, first=100, entries=300
)

SHOWN_BY: Final = {
    "chain": ("replay: ", "verify: "),
    "batches": ("a call, ",),
    "singles": ("one thread / ",),
    "growth": ("audit / ", "memory, "),
    "pgledger": ("pgledger",),
    "processes": (),
    "http": ("HTTP, 64",),
}
"""In which section a goal's result is measured: the words in its name."""


def goals_of(section: str) -> set[str]:
    if section != "pgledger":
        return {name for name in _named(section) if "pgledger" not in name}
    return _named(section)


def _named(section: str) -> set[str]:
    return {name for name in GOALS if any(words in name for words in SHOWN_BY[section])}


def test_every_goal_is_of_one_section() -> None:
    assert SHOWN_BY.keys() == SECTIONS.keys()
    found = [name for section in SECTIONS for name in goals_of(section)]
    assert sorted(found) == sorted(GOALS)


@pytest.mark.parametrize("section", sorted(SECTIONS.keys() - {"pgledger"}))
def test_a_section_measures_its_goals_on_both_databases(section: str, tmp_path: Path) -> None:
    sizes = TINY if section == "batches" else replace(TINY, accounts=(20, 40))
    results = list(Plan(sizes, frozenset([section])).run())
    names = [result.name for result in results]
    assert len(set(names)) == len(names)
    assert goals_of(section) <= set(names)
    if section != "chain":
        assert {name.partition(": ")[0] for name in names} == {"SQLite", "PostgreSQL"}
    report.write_results(results, tmp_path / "results.json")
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in rows] == names
    for row in rows:
        assert row["value"] > 0
        assert row["baseline"] > 0
        assert row["unit"]
        assert ("goal" in row) == ("reached" in row) == (row["name"] in GOALS)


def test_a_ratio_is_the_value_to_its_baseline_and_decides_the_goal() -> None:
    (name, goal), *_ = GOALS.items()
    what, _, beside = name.partition(" / ")
    for value, reached in ((goal.number * 100, True), (goal.number * 99, False)):
        row = Result(what, value, beside, 100, "entries/s").row()
        assert row["ratio"] == value / 100
        assert row["goal"] == str(goal)
        assert row["reached"] is reached


def test_the_page_shows_every_goal_and_every_result() -> None:
    name, missing, *_ = GOALS
    what, _, beside = name.partition(" / ")
    result = Result(what, 12_345, beside, 24_690, "entries/s")
    page = report.document([result], {"processor": "abacus"}, QUICK)
    assert "| processor | abacus |" in page
    assert page.count("| not measured | |") == len(GOALS) - 1
    assert missing.partition(" / ")[0] in page
    assert "12,345 entries/s" in page


def test_growth_starts_below_where_it_ends() -> None:
    for entries in (1, 10, 5_000, 1_000_000):
        sizes: Sizes = QUICK.grown(entries)
        assert 1 <= sizes.first <= max(entries // 10, 1)
        assert sizes.entries == entries


def test_a_thread_that_fails_fails_the_run() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(RuntimeError, match="1 of 2 threads failed"):
        together([fail, list])


def test_the_peer_says_what_it_lacks(tmp_path: Path) -> None:
    source = tmp_path / "pgledger.sql"
    source.touch()
    with pytest.raises(FileNotFoundError, match=r"uuid-to-ulid\.sql"):
        peer.ulid(source)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "uuid-to-ulid.sql").touch()
    assert peer.ulid(source).name == "uuid-to-ulid.sql"


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--help"], 0, [*SECTIONS, "--quick", "--entries N", "--pgledger PATH", "examples:"]),
        (["--only", "nothing"], 2, ["nothing"]),
        (["--entries", "0"], 2, ["--entries"]),
        (["--pgledger", "nowhere.sql"], 1, ["nowhere.sql is no file"]),
    ],
)
def test_the_command_teaches(flags: list[str], status: int, said: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == status
    assert [words for words in said if words not in ran.stdout + ran.stderr] == []
