"""`evm-ledger import-legacy`: its words, its exit codes, and the page that explains it."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from ledger import Ledger
from ledger.legacy_model import FATAL, DefectKind
from tests.cli.shell import Shell
from tests.ledger.support import unchanged
from tests.legacy import plants
from tests.legacy.old_ledger import OldLedger, generate

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer
    from tests.support.warm import WarmProgram

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "import-legacy.md").read_text(encoding="utf-8")


@pytest.fixture
def shell(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    shell = Shell(database_url)
    shell.run("init", "--symbol", "SCI", "--decimals", "6")
    return shell


def write(old: OldLedger) -> str:
    return old.write_sqlite(Path("old.db"))


def spoilt(*names: str) -> OldLedger:
    old = generate(8, 120)
    for name in names:
        (plants.ACCEPTED | plants.FATAL)[name](old)
    return old


def test_a_clean_ledger_is_imported_once(shell: Shell) -> None:
    source = write(generate(8, 120))
    booked = shell.run("import-legacy", source).splitlines()
    assert booked[0] == "old.db: 120 entries, 8 accounts"
    assert booked[-1].startswith("booked 120 entries; minted ")
    with unchanged(shell.database):
        again = shell.run("import-legacy", source).splitlines()
    assert again[-1].startswith("booked 0 entries, 120 were booked before; minted ")
    assert shell.run("audit").startswith("ok: 120 entries, 9 accounts")


def test_a_dry_run_writes_nothing(shell: Shell) -> None:
    source = write(generate(8, 120))
    with unchanged(shell.database):
        shown = shell.run("import-legacy", source, "--dry-run")
        assert shown.splitlines()[-1].startswith("would book 120 entries; ")
        assert shell.json("import-legacy", source, "--dry-run")["planned"] == 120


def test_defects_end_with_1_and_nothing_is_written(shell: Shell) -> None:
    source = write(spoilt("id twice", "balance too high"))
    with unchanged(shell.database):
        shown = shell.run("import-legacy", source, code=1)
        shell.run("import-legacy", source, "--dry-run", code=1)
        shell.run("import-legacy", source, "--accept-kind", "duplicate-id", code=1)
    assert "duplicate-id: token_ledger row 121 (tx-000001) id: " in shown
    assert shown.endswith("nothing was written: 2 defects (balance-differs 1, duplicate-id 1)\n")
    kinds = ("--accept-kind", "duplicate-id", "--accept-kind", "balance-differs")
    assert "booked 124 entries" in shell.run("import-legacy", source, *kinds)


def test_the_report_as_json(shell: Shell) -> None:
    source = write(spoilt("balance too high", "account twice"))
    report: Any = shell.json("import-legacy", source, "--accept", code=1)
    assert (report["ok"], report["booked"], report["planned"]) == (False, 0, 123)
    assert [(it["kind"], it["row"], it["accepted"]) for it in report["defects"]] == [
        ("balance-differs", 9, True),
        ("duplicate-account", 10, False),
    ]
    assert report["defects"][0]["if_accepted"] == "makes it 22.25"
    assert report["defects"][1]["if_accepted"] is None
    [correction] = report["corrections"]
    assert correction["amount"] == {"tokens": "7.25", "base_units": "7250000"}
    assert (correction["from_account"], correction["to_account"]) == ("system", "spoilt-8")
    assert report["roundings"][0].keys() == {"account_id", "row", "field", "stored", "exact"}


def test_what_cannot_be_accepted_says_so(shell: Shell) -> None:
    shown = shell.run("import-legacy", write(spoilt("account twice")), "--accept", code=1)
    assert "(cannot be accepted: repair it in a copy)" in shown
    for kind in FATAL:
        assert "is not one of" in shell.fails("import-legacy", "old.db", "--accept-kind", kind)


def test_long_lists_are_cut_for_people_alone(shell: Shell) -> None:
    old = generate(8, 120)
    for row in old.entries[60:]:
        row["memo"] = "m" * 5_000
    source = write(old)
    shown = shell.run("import-legacy", source, code=1)
    assert shown.count("\ntext-invalid: token_ledger row") == 20
    assert "\ntext-invalid: ... and 40 more (--json has all)\n" in shown
    assert len(shell.json("import-legacy", source, code=1)["defects"]) == 60


def test_what_a_terminal_would_act_on_is_shown_as_an_escape(shell: Shell) -> None:
    old = generate(8, 120)
    old.entries[5]["id"] = "\x1b[2J" + "i" * 300
    old.entries[6]["timestamp"] = "\x1b[2J"
    assert "\x1b" not in shell.run("import-legacy", write(old), code=1)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.db", "nowhere.db: there is no such file"),
        (
            "mysql://localhost/old",
            "INVALID_FIELD: source: 'mysql' is neither sqlite nor postgresql",
        ),
    ],
)
def test_what_cannot_be_read_ends_with_2(shell: Shell, source: str, message: str) -> None:
    assert shell.fails("import-legacy", source) == message


def test_a_journal_of_others_ends_with_2(shell: Shell) -> None:
    shell.run("account", "create", "alice")
    assert "not of this import (seq 1)" in shell.fails("import-legacy", write(generate(8, 120)))


def test_a_ledger_without_an_asset_says_how_to_make_one(sqlite_url: str, tmp_path: Path) -> None:
    Ledger.create(sqlite_url).close()
    source = generate(8, 120).write_sqlite(tmp_path / "old.db")
    assert "asset create SYMBOL" in Shell(sqlite_url).fails("import-legacy", source)


def test_the_password_of_the_old_database_is_not_repeated(
    shell: Shell, postgres_server: PostgresServer
) -> None:
    name = postgres_server.create_database()
    source = generate(8, 120).write_postgresql(postgres_server.url(name))
    secret = make_url(source).set(password="s3cret").render_as_string(hide_password=False)
    said = shell.run("import-legacy", secret)
    postgres_server.drop_database(name)
    assert "s3cret" not in said
    assert said.startswith(f"postgresql+psycopg://postgres:***@/{name}?")


# --- the page ---


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, language
    return found[1]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Return a folder with the page's old.db."""
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(block("sql"))
    return tmp_path


def ran(*command: str, folder: Path, path: str = "/usr/bin:/bin") -> str:
    environment = {"PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_commands_print_what_the_page_says(example: Path, warm_program: WarmProgram) -> None:
    lines = [re.escape(line).replace(r"\.\.\.", ".*") for line in block("text").splitlines()]
    printed = ran("/bin/sh", "-euc", block("sh"), folder=example, path=warm_program.path)
    assert re.fullmatch("\n".join(lines) + "\n", printed), printed


def test_the_python_of_the_page_runs(example: Path) -> None:
    printed = ran(sys.executable, "-c", block("python"), folder=example)
    assert printed.startswith("6 ['token_ledger row 3 (a3) amount: bob is short by 5'")


def test_every_kind_of_defect_is_explained_once() -> None:
    table = PAGE[PAGE.index("| kind |") : PAGE.index("Another key is")]
    rows = [line.split("|") for line in table.splitlines()[2:] if line]
    explained = [kind for row in rows for kind in re.findall(r"`([a-z-]+)`", row[1])]
    assert sorted(explained) == sorted(DefectKind)
    impossible = {
        kind
        for row in rows
        if "not possible" in row[3]
        for kind in re.findall(r"`([a-z-]+)`", row[1])
    }
    assert impossible == FATAL
