"""What the README shows is what happens: its library session and its commands are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.nodes import Node
    from tests.support.warm import WarmProgram

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block_after(start: str, language: str) -> str:
    """Return the first block of `language` after the text `start`."""
    found = re.search(rf"```{language}\n(.*?)```", README[README.index(start) :], re.DOTALL)
    assert found, f"no {language} block after {start!r}"
    return found[1]


def pattern(shown: str) -> str:
    """Return a pattern in which `...` stands for anything within a line."""
    lines = [re.escape(line).replace(r"\.\.\.", ".*") for line in shown.splitlines()]
    return "\n".join(rf"{line}\s*?" for line in lines)


def test_the_library_session_prints_what_the_readme_says(tmp_path: Path) -> None:
    session = block_after("as a library", "python")
    shown = block_after("as a library", "text")
    ran = subprocess.run(
        [sys.executable, "-c", session], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    assert ran.stdout == shown


def test_the_commands_print_what_the_readme_says(
    tmp_path: Path, anvil: Node, warm_program: WarmProgram
) -> None:
    commands = block_after("same from the shell", "sh")
    shown = block_after("same from the shell", "text")
    environment = {"PATH": warm_program.path, "EVM_LEDGER_RPC": anvil.url, "COLUMNS": "100"}
    ran = subprocess.run(
        ["/bin/sh", "-euc", commands],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    assert re.fullmatch(pattern(shown) + r"\n", ran.stdout), ran.stdout


def test_the_make_targets_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"^make (\w+)", block_after("See it work", "sh"), re.MULTILINE)
    assert named == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)


def test_the_documents_that_the_readme_names_exist() -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(linked) >= 6
    assert [path for path in linked if not (ROOT / path).exists()] == []
