"""The fuzz and invariant tests of `contracts/test`, which forge runs on the committed artifacts."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from tests.contracts.forge import run_forge
from tests.contracts.mutants import MUTANTS, Mutant
from tests.support.nodes import CONTRACTS

SOURCES: Final = sorted(CONTRACTS.glob("test/*.t.sol"))
FUZZ_RUNS: Final = 256
INVARIANT_RUNS: Final = 12
DEPTH: Final = 128
"""Calls of one run of an invariant."""


def declared() -> set[tuple[str, str]]:
    """Return (contract, function) of every test, as the sources spell them, inherited ones too."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        _, *parts = re.split(r"^contract (\w+)(?: is (\w+))?", text, flags=re.MULTILINE)
        for name, parent, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            own = re.findall(r"function ((?:test|invariant)\w*)\(", body)
            found[name] = found.get(parent, set()) | set(own)
    return {(name, function) for name, functions in found.items() for function in functions}


def size(kind: dict[str, Any]) -> tuple[str, int]:
    """Return how forge ran a test, and its number of cases or calls."""
    ((how, figures),) = kind.items()
    return how, figures.get("runs", 1) * (DEPTH if how == "Invariant" else 1)


def test_everything_holds() -> None:
    result = run_forge("test", "--json")
    assert result.stdout.startswith("{"), result.stderr
    suites = json.loads(result.stdout)
    ran = {
        (suite.partition(":")[2], name.partition("(")[0]): answer
        for suite, answers in suites.items()
        for name, answer in answers["test_results"].items()
    }
    failed = {name: answer for name, answer in ran.items() if answer["status"] != "Success"}
    assert failed == {}
    assert result.returncode == 0, result.stderr
    assert set(ran) == declared()
    expected = {"test": ("Unit", 1), "testFuzz": ("Fuzz", FUZZ_RUNS)}
    expected["invariant"] = ("Invariant", INVARIANT_RUNS * DEPTH)
    for (_, name), answer in ran.items():
        assert size(answer["kind"]) == expected[name.partition("_")[0]], name


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda it: it.about)
def test_the_mutants_are_faults_of_these_sources(mutant: Mutant) -> None:
    # `make mutants` plants them: it takes minutes.
    source = (CONTRACTS / "src" / mutant.path).read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1
    assert mutant.found_by in {name for _, name in declared()}


def test_the_invariants_are_there() -> None:
    names = {name.removeprefix("invariant_") for _, name in declared() if "invariant_" in name}
    assert names == {
        "supplyIsTheSumOfBalances",
        "supplyNeverWraps",
        "historyMovesOnlyByReplay",
        "replayIsAllOrNothing",
        "nothingButReplayBeforeFinalize",
        "nothingOfTheOperatorAfterFinalize",
        "aClaimTouchesOnlyItsOwnAddress",
        "everybodyMovesOnlyWhatIsTheirs",
        "aSignatureServesOnce",
    }
