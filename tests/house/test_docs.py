"""What the pages in docs/ show is what happens: their Python and their commands are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import pytest

from bridge.api.problems import Code
from ledger import LedgerError, Rule

if TYPE_CHECKING:
    from tests.support.warm import WarmProgram

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted((ROOT / "docs").glob("*.md"))

# A block of Python, the text after it that shows what it prints, and a comment before it that
# names the test which runs it, where it needs more than an empty folder.
_BLOCK: Final = re.compile(
    r"^(?:<!-- run by (?P<test>\S+) -->\n)?```python\n(?P<code>.*?)^```$"
    r"(?:\n\n?```text\n(?P<shown>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
_BETWEEN: Final = "=== next block ==="

# A block of commands and the text after it; a page has such a session if its first block names the
# ledger that the others use.
_COMMANDS: Final = re.compile(
    r"^```sh\n(?P<code>.*?)^```$(?:\n\n?```text\n(?P<shown>.*?)^```$)?", re.DOTALL | re.MULTILINE
)
_BEGIN: Final = "```sh\nexport EVM_LEDGER_DATABASE="
SESSIONS: Final = [page for page in PAGES if _BEGIN in page.read_text(encoding="utf-8")]


def examples(page: Path, test: str | None = None) -> list[tuple[str, str]]:
    """Return code and shown output of the blocks of `page` that `test` runs, or this one."""
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [(it["code"], it["shown"] or "") for it in found if it["test"] == test]


def pattern(shown: str) -> str:
    """Return a pattern in which `...` stands for anything within a line."""
    return re.escape(shown).replace(r"\.\.\.", ".*")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if examples(page)], ids=lambda page: str(page.name)
)
def test_the_examples_of_a_page_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    # One program a page, because an example may go on from the one above it.
    codes, shown = zip(*examples(page), strict=True)
    program = f"print({_BETWEEN!r})\n".join(codes)
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    printed = ran.stdout.split(_BETWEEN + "\n")
    assert len(printed) == len(shown)
    for there, here in zip(printed, shown, strict=True):
        assert re.fullmatch(pattern(here), there), f"it prints\n{there}\nthe page shows\n{here}"


@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: str(page.name))
def test_the_commands_of_a_page_print_what_it_shows(
    page: Path, tmp_path: Path, warm_program: WarmProgram
) -> None:
    found = list(_COMMANDS.finditer(page.read_text(encoding="utf-8")))
    script = f"echo '{_BETWEEN}'\n".join(it["code"] for it in found)
    ran = subprocess.run(
        ["/bin/sh", "-euc", script],
        cwd=tmp_path,
        env={"PATH": warm_program.path, "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    for there, it in zip(ran.stdout.split(_BETWEEN + "\n"), found, strict=True):
        here = it["shown"] or ""
        assert re.fullmatch(pattern(here), there), f"it prints\n{there}\nthe page shows\n{here}"


def test_an_example_that_is_run_elsewhere_names_the_test() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = list(_BLOCK.finditer(text))
        assert len(blocks) == text.count("```python"), f"{page.name}: a block is not read"
        for test in filter(None, (block["test"] for block in blocks)):
            source = (ROOT / test).read_text(encoding="utf-8")
            assert page.name in source, f"{test} does not mention {page.name}"


def test_the_page_of_refusals_lists_every_rule_in_its_order() -> None:
    page = (ROOT / "docs" / "refusals.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    names = [row[0].strip("`") for row in rows if row[0].isupper()]
    assert names == [str(rule) for rule in Rule]
    errors = {row[0].strip("`") for row in rows if row[0].endswith("Error`")}
    plain = {it.__name__ for it in LedgerError.__subclasses__() if it.__module__ == "ledger.errors"}
    assert errors | {"RefusedError"} == plain
    assert [row for row in rows if len(row) != 3] == []


def test_every_refusal_that_a_page_names_is_one() -> None:
    known = {str(rule) for rule in Rule} | set(get_args(Code))
    for page in PAGES:
        named = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", page.read_text(encoding="utf-8")))
        variables = {name for name in named if name.startswith("EVM_LEDGER_")}
        assert named - variables - known == set(), page.name


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"(docs/{page.name})" not in readme] == []
