"""The code keeps to the house's rules: import directions, sizes, exceptions with a reason."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
MAX_FUNCTION: Final = 70
MAX_FILE: Final = 400

PRODUCT: Final = sorted(path for top in ("ledger", "bridge") for path in (ROOT / top).rglob("*.py"))
PYTHON: Final = sorted(
    {
        *PRODUCT,
        *(
            path
            for top in ("tests", "migrations", "benchmarks")
            for path in (ROOT / top).rglob("*.py")
        ),
    }
)

_EXCEPTION: Final = re.compile(r"#\s*(noqa|type:\s*ignore|pragma)\b.*")
_REASONED: Final = re.compile(
    r"#\s*(?:noqa: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)*|type: ignore\[[a-z, -]+\]  #|pragma: no [a-z]+)"
    r" (?:\(\S.*\S\)|\S.*\S)$"
)
_MARKS: Final = {"skip", "skipif", "xfail", "importorskip"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_imports_point_down() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", PRODUCT, ids=_name)
def test_a_file_has_one_idea(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_FILE, f"{_name(path)} has {lines} lines: which second idea moves out?"


@pytest.mark.parametrize("path", PRODUCT, ids=_name)
def test_a_function_fits_a_screen(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    sizes = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION} == {}


@pytest.mark.parametrize("path", PYTHON, ids=_name)
def test_an_exception_names_its_rule_and_its_reason(path: Path) -> None:
    with path.open("rb") as source:
        comments = [it for it in tokenize.tokenize(source.readline) if it.type == tokenize.COMMENT]
    bare = [
        f"line {it.start[0]}: {found[0]}"
        for it in comments
        if (found := _EXCEPTION.search(it.string)) and not _REASONED.match(found[0])
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("comment", "is_reasoned"),
    [
        ("# noqa: S608 (the name is ours)", True),
        ("# noqa: S608, B023 (the name is ours)", True),
        ("# type: ignore[no-untyped-call]  # eth_abi has no types", True),
        ("# pragma: no cover (another platform)", True),
        ("# noqa", False),
        ("# noqa: S608", False),
        ("# type: ignore", False),
        ("# type: ignore[attr-defined]", False),
    ],
)
def test_what_a_reason_looks_like(comment: str, *, is_reasoned: bool) -> None:
    assert bool(_REASONED.match(comment)) is is_reasoned


def _calls_and_marks(tree: ast.AST) -> list[tuple[int, str, ast.Call | None]]:
    """Return the line, name and call of everything that looks like a skip."""
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return [
        (node.lineno, node.attr, called.get(id(node)))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in _MARKS and "pytest" in ast.unparse(node)
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=_name)
def test_a_skip_says_why(path: Path) -> None:
    for line, name, call in _calls_and_marks(ast.parse(path.read_text(encoding="utf-8"))):
        reasons = [it for it in call.keywords if it.arg == "reason"] if call else []
        is_said = bool(reasons) or (call is not None and name == "skip" and bool(call.args))
        assert is_said, f"{_name(path)}:{line}: {name} without a reason"
