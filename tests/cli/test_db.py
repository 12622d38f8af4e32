"""`evm-ledger db`: what it says of an older schema, a newer one and its own, and its page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from ledger.schema import NEWEST_REVISION
from tests.house.test_docs import examples
from tests.house.test_readme import pattern
from tests.ledger.schema_dumps import restore
from tests.ledger.support import raw

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.support.warm import WarmProgram

PAGE: Final = Path(__file__).parents[2] / "docs" / "schema.md"
_SESSION: Final = re.compile(r"```sh\n(evm-ledger.*?)```\n\n```text\n(.*?)```", re.DOTALL)


@pytest.fixture
def old(any_shell: Shell) -> Shell:
    """Return a shell on a ledger of the first schema, on each kind of database in turn."""
    restore("0001", any_shell.database)
    return any_shell


def test_a_current_schema(any_stocked: Shell) -> None:
    assert any_stocked.run("db", "current") == f"revision {NEWEST_REVISION}, the newest\n"
    assert any_stocked.json("db", "current") == {
        "revision": NEWEST_REVISION, "newest": NEWEST_REVISION, "upgrade_needed": False,
    }  # fmt: skip
    nothing = f"nothing to do: revision {NEWEST_REVISION} is the newest\n"
    assert any_stocked.run("db", "upgrade") == nothing
    assert any_stocked.json("db", "upgrade") == {
        "before": NEWEST_REVISION, "after": NEWEST_REVISION, "backup": None,
    }  # fmt: skip


def test_an_older_schema(old: Shell) -> None:
    assert old.fails("supply", "--asset", "SCI") == (
        "the schema is revision 0001, this package needs 0003; stop every program that uses the "
        "ledger and run `evm-ledger db upgrade`"
    )
    assert old.run("db", "current") == (
        "revision 0001; upgrade to 0003 with `evm-ledger db upgrade`\n"
    )
    assert old.json("db", "current") == {
        "revision": "0001", "newest": "0003", "upgrade_needed": True,
    }  # fmt: skip
    said = old.run("db", "upgrade").splitlines()
    assert said[0] == "upgraded: revision 0001 -> 0003"
    if old.database.startswith("sqlite"):
        assert re.fullmatch(r"as it was before: \S*ledger\.before-0003\.db", said[1])
    else:
        assert said[1:] == []
    assert old.run("supply", "--asset", "SCI").endswith(" SCI\n")
    assert old.run("audit").startswith("ok: ")


def test_an_older_schema_upgraded_without_a_copy(old: Shell) -> None:
    done = old.json("db", "upgrade", "--no-backup")
    assert done == {"before": "0001", "after": "0003", "backup": None}


def test_a_newer_schema(any_stocked: Shell) -> None:
    with raw(any_stocked.database) as database:
        database.run("UPDATE token_schema SET version_num = '9999'")
    assert "9999; this program knows" in any_stocked.run("db", "current")
    assert any_stocked.json("db", "current")["upgrade_needed"] is False
    assert "install the version of evm-ledger that wrote it" in any_stocked.fails("db", "upgrade")


def test_no_ledger(shell: Shell) -> None:
    for command in ("current", "upgrade"):
        assert "does not exist" in shell.fails("db", command)


def test_the_commands_of_the_page_print_what_it_says(
    tmp_path: Path, warm_program: WarmProgram
) -> None:
    found = _SESSION.search(PAGE.read_text(encoding="utf-8"))
    assert found
    restore("0001", f"sqlite:///{tmp_path / 'ledger.db'}")
    ran = subprocess.run(
        ["/bin/sh", "-euc", found[1]],
        cwd=tmp_path,
        env={"PATH": warm_program.path, "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert re.fullmatch(pattern(found[2]) + r"\n", ran.stdout), ran.stdout


def test_the_example_of_the_page_prints_what_it_shows(tmp_path: Path) -> None:
    [(code, shown)] = examples(PAGE, "tests/cli/test_db.py")
    restore("0001", f"sqlite:///{tmp_path / 'ledger.db'}")
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ran.stderr, ran.stdout) == ("", shown)
