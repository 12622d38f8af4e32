from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Callable

READS = ["supply"]
WRITES = ["mint", "bob", "1"]


def file_of(shell: Shell) -> Path:
    return Path(shell.database.removeprefix("sqlite:///"))


def settle(shell: Shell) -> Path:
    """Return the file of a ledger, with all of it in that one file."""
    path = file_of(shell)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


def text(path: Path) -> None:
    path.write_text("this is no database, and long enough to be read as one" * 20)


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE invoices (number integer)")


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    """Make what a reader would wait at for ever."""
    os.mkfifo(path)


@pytest.mark.parametrize("words", [READS, WRITES, ["audit"], ["seal"], ["account", "list"]])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (text, "the file is no SQLite database; name another"),
        (nothing, "no ledger in this database; make one with `evm-ledger init`"),
        (other_tables, "no ledger in this database; make one with `evm-ledger init`"),
        (folder, "ledger.db is no file, but a folder or a device; name a file"),
        (pipe, "ledger.db is no file, but a folder or a device; name a file"),
    ],
)
def test_a_file_that_is_no_ledger(
    shell: Shell, make: Callable[[Path], None], says: str, words: list[str]
) -> None:
    path = file_of(shell)
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    assert says in shell.fails(*words)
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.parametrize("words", [["init"], ["import", "export"]])
def test_a_file_that_is_no_database_is_not_written_over(stocked: Shell, words: list[str]) -> None:
    stocked.run("export", "export")
    other = Shell("sqlite:///letter.txt")
    text(Path("letter.txt"))
    before = Path("letter.txt").read_bytes()
    assert "the file is no SQLite database; name another" in other.fails(*words)
    assert Path("letter.txt").read_bytes() == before


@pytest.mark.parametrize(
    "words", [READS, WRITES, ["audit"], ["export", "out"], ["chain", "verify"]]
)
def test_no_database(shell: Shell, words: list[str]) -> None:
    assert shell.fails(*words).endswith("ledger.db does not exist; make it with `evm-ledger init`")
    assert not file_of(shell).exists()
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "is no database URL"),
        ("", "is no database URL"),
        ("mysql://localhost/books", "'mysql' is neither sqlite nor postgresql"),
        ("sqlite://", "a ledger in memory would be lost; name a file"),
        ("sqlite:///:memory:", "a ledger in memory would be lost; name a file"),
        ("sqlite:///no/such/folder/ledger.db", "does not exist"),
        ("postgresql://nobody@127.0.0.1:1/books", "the database does not answer"),
    ],
)
def test_a_url_that_leads_nowhere(url: str, says: str) -> None:
    for words in ([*READS, "--database", url], ["init", "--database", url]):
        assert says in Shell("sqlite:///unused.db").fails(*words)


def test_a_postgresql_server_without_the_database(postgres_url: str) -> None:
    assert "no ledger in this database" in Shell(postgres_url).fails("supply")
    missing = postgres_url.replace("/ledger_", "/no_such_")
    assert "no such database; create it first" in Shell(missing).fails("supply")


def test_a_newer_schema(stocked: Shell) -> None:
    path = settle(stocked)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE token_schema SET version_num = '9999'")
        connection.commit()
    before = path.read_bytes()
    for words in (READS, WRITES, ["audit"]):
        error = stocked.fails(*words)
        assert "the schema is revision 9999" in error
        assert "install the version of evm-ledger that wrote it, or a newer one" in error
    assert path.read_bytes() == before


def test_a_read_only_file_is_read_and_not_written(stocked: Shell) -> None:
    path = settle(stocked)
    with path.open("r+b") as file:
        file.seek(18)  # the file format's write version: one that SQLite does not know is read-only
        file.write(b"\x7f")
    before = path.read_bytes()
    assert stocked.run(*READS) == "1005 SCI\n"
    for words in (WRITES, ["seal"], ["account", "create", "carol"]):
        assert "the database cannot be written; check its permissions" in stocked.fails(*words)
    assert path.read_bytes() == before


@pytest.mark.parametrize("words", [WRITES, ["seal"], ["asset", "create", "GOLD"]])
def test_a_locked_database_is_waited_for_and_then_named(stocked: Shell, words: list[str]) -> None:
    before = stocked.json("audit")
    with closing(sqlite3.connect(file_of(stocked), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        error = stocked.fails(*words, "--lock-timeout", "0.3")
        assert time.monotonic() - start >= 0.3
        assert "another writer held the journal for too long; try again" in error
        assert stocked.run(*READS) == "1005 SCI\n"
        other.execute("ROLLBACK")
    assert stocked.json("audit") == before


def test_an_import_waits_as_long_as_it_is_told(stocked: Shell) -> None:
    stocked.run("export", "out")
    copy = Shell("sqlite:///copy.db")
    with closing(sqlite3.connect("copy.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        error = copy.fails("import", "out", "--lock-timeout", "0.3")
        assert 0.3 <= time.monotonic() - start < 50  # without the option it would be 60
        assert "another writer held the journal for too long; try again" in error
        other.execute("ROLLBACK")
    assert copy.run("import", "out").startswith("imported ")


def test_a_lock_that_is_given_back_in_time_is_no_error(stocked: Shell) -> None:
    other = sqlite3.connect(file_of(stocked), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    later = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    later.start()
    assert stocked.run(*WRITES, "--lock-timeout", "20").startswith("1 SCI")
    later.join()
    other.close()


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "86401", "soon"])
def test_a_wait_that_cannot_be(stocked: Shell, seconds: str) -> None:
    assert "'--lock-timeout'" in stocked.fails("seal", f"--lock-timeout={seconds}")


def test_a_damaged_file_is_named(stocked: Shell) -> None:
    path = settle(stocked)
    copy = path.with_name("damaged.db")
    shutil.copy(path, copy)
    with copy.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    assert "database" in Shell(f"sqlite:///{copy}").fails("audit")
