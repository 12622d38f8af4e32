"""What the schema guards by itself, and what else a database may be."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from ledger import DatabaseFileError, FieldError, Hash32, Ledger
from ledger.tables import metadata
from tests.ledger.support import TABLES, create, dump, economy, raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRIGGERS = """
    SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
"""
APPEND_ONLY = ("token_ledger", "token_seals", "token_batches", "token_events")


def test_text_is_in_code_point_order_on_postgresql(postgres_url: str) -> None:
    create(postgres_url).close()
    with raw(postgres_url) as database:
        collations = database.run(
            "SELECT table_name, column_name, collation_name FROM information_schema.columns "
            "WHERE data_type = 'text' AND table_schema = 'public'"
        )
    assert len(collations) > 15
    assert {collation for _, _, collation in collations} == {"C"}


def test_triggers_guard_what_is_append_only(database_url: str) -> None:
    create(database_url).close()
    with raw(database_url) as database:
        if database.postgresql:
            kinds = {
                (table, f"{table}_no_{what}", "O")
                for table in APPEND_ONLY
                for what in ("change", "truncate")
            }
            kinds |= {("token_holds", f"token_holds_no_{it}", "O") for it in ("delete", "truncate")}
            assert set(database.run(TRIGGERS)) == kinds
            return
        query = "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'trigger'"
        assert set(database.run(query)) == {
            *(
                (table, f"{table}_no_{what}")
                for table in APPEND_ONLY
                for what in ("update", "delete")
            ),
            ("token_holds", "token_holds_no_delete"),
        }


def test_every_table_is_in_the_dump() -> None:
    assert set(TABLES) == set(metadata.tables)
    assert all(name.startswith("token_") for name in metadata.tables)


def test_sqlite_keeps_what_it_is_told(sqlite_url: str) -> None:
    """WAL belongs to the file; the rest is each connection's own."""
    with economy(sqlite_url, "alice") as ledger:
        with ledger._transactions.reading() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "recursive_triggers")
            }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "recursive_triggers": 1}


def test_postgresql_sessions_are_set(postgres_url: str) -> None:
    with economy(postgres_url, "alice", lock_timeout=7) as ledger:
        with ledger._transactions.reading() as connection:
            shown = {
                name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
                for name in ("transaction_isolation", "synchronous_commit", "lock_timeout")
            }
        assert shown == {
            "transaction_isolation": "read committed",
            "synchronous_commit": "on",
            "lock_timeout": "7s",
        }


# --- a database that cannot be used ---


def file_of(url: str) -> Path:
    return Path(str(make_url(url).database))


def test_a_newer_schema_is_refused(database_url: str) -> None:
    economy(database_url, "alice").close()
    with raw(database_url) as database:
        database.run("UPDATE token_schema SET version_num = '9999'")
    before = dump(database_url)
    with pytest.raises(DatabaseFileError, match=r"9999.*install"):
        Ledger.open(database_url)
    with pytest.raises(DatabaseFileError, match="holds a ledger"):
        Ledger.create(database_url)
    assert dump(database_url) == before


def test_a_database_without_a_ledger_is_not_opened(database_url: str) -> None:
    with raw(database_url) as database:
        database.run("CREATE TABLE notes (note TEXT)")
    with pytest.raises(DatabaseFileError, match="evm-ledger init"):
        Ledger.open(database_url)


def test_a_ledger_that_lost_its_settings_is_not_opened(database_url: str) -> None:
    create(database_url).close()
    with raw(database_url) as database:
        database.run("DELETE FROM token_settings")
    with pytest.raises(DatabaseFileError, match="settings"):
        Ledger.open(database_url)


@pytest.mark.parametrize("content", [b"", b"x", b"not a database " * 1_000], ids=len)
@pytest.mark.parametrize("call", [Ledger.open, Ledger.create])
def test_a_file_that_is_no_database_stays_as_it_is(
    sqlite_url: str, content: bytes, call: Callable[[str], Ledger]
) -> None:
    path = file_of(sqlite_url)
    path.write_bytes(content)
    if content == b"" and call == Ledger.create:
        with call(sqlite_url) as ledger:  # an empty file is an empty database
            assert ledger.audit().ok
        return
    with pytest.raises(DatabaseFileError, match=r"no ledger|no SQLite database"):
        call(sqlite_url)
    assert path.read_bytes() == content
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_not_there_is_not_made_by_opening_it(sqlite_url: str) -> None:
    with pytest.raises(DatabaseFileError, match=r"does not exist.*evm-ledger init"):
        Ledger.open(sqlite_url)
    assert not file_of(sqlite_url).exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseFileError, match=r"folder of .* does not exist"):
        Ledger.create(f"sqlite:///{tmp_path}/none/ledger.db")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    for call in (Ledger.open, Ledger.create):
        with pytest.raises(DatabaseFileError):
            call(f"sqlite:///{tmp_path}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["", "ledger.db", "mysql://x/y", "sqlite://", "sqlite:///:memory:",
     "sqlite:///file:x?mode=memory&uri=true"],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    for call in (Ledger.open, Ledger.create):
        with pytest.raises(FieldError, match="database"):
            call(url)


def test_a_server_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    for call in (Ledger.open, Ledger.create):
        with pytest.raises(DatabaseFileError, match="does not answer"):
            call(f"postgresql://postgres@/ledger?host={tmp_path}")


def test_a_database_that_is_not_there_is_said_so(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(DatabaseFileError, match="create it first"):
        Ledger.open(url)


# --- read-only ---


@contextmanager
def as_somebody_who_may_not_write(*paths: Path) -> Iterator[None]:
    """Take the right to write; root, who always has it, becomes nobody for the block."""
    root = os.geteuid() == 0
    for path in paths:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222 | 0o444)
    if root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in paths:
            path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o200)


def test_a_read_only_file_is_read_and_not_written() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "ledger.db"
        url = f"sqlite:///{path}"
        economy(url, "alice", "bob").close()
        before = path.read_bytes()
        with as_somebody_who_may_not_write(path, folder):
            with pytest.raises(DatabaseFileError, match="cannot be written; check its permissions"):
                Ledger.create(f"sqlite:///{folder}/other.db")
            with (
                pytest.raises(DatabaseFileError, match=r"cannot be written|no ledger"),
                Ledger.open(url) as ledger,
            ):
                ledger.transfer("alice", "bob", 1)
        assert path.read_bytes() == before
        assert [entry.name for entry in folder.iterdir()] == ["ledger.db"]


def test_a_role_that_may_only_read_cannot_post(postgres_url: str) -> None:
    economy(postgres_url, "alice", "bob").close()
    with raw(postgres_url) as database:
        database.run("DROP ROLE IF EXISTS reader")
        database.run("CREATE ROLE reader LOGIN")
        database.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    before = dump(postgres_url)
    url = make_url(postgres_url).set(username="reader").render_as_string(hide_password=False)
    with Ledger.open(url) as ledger:
        assert ledger.get_balance("alice") == 1_000
        assert ledger.audit().ok
        with pytest.raises(DatabaseFileError, match="cannot be written; check its permissions"):
            ledger.transfer("alice", "bob", 1)
        with pytest.raises(DatabaseFileError, match="permissions"):
            ledger.seal()
    with raw(postgres_url) as database:
        database.run("DROP OWNED BY reader")
        database.run("DROP ROLE reader")
    assert dump(postgres_url) == before


# --- what else is in the database; creating twice ---


def test_tables_of_other_programs_are_left_alone(database_url: str) -> None:
    with raw(database_url) as database:
        database.run("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.run("INSERT INTO alembic_version VALUES ('theirs')")
        database.run("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance REAL)")
        database.run("INSERT INTO accounts VALUES (1, 2.5)")
    with economy(database_url, "alice") as ledger:
        assert ledger.audit().ok
    with raw(database_url) as database:
        assert database.run("SELECT * FROM alembic_version") == [("theirs",)]
        assert database.run("SELECT * FROM accounts") == [(1, 2.5)]


def test_a_table_of_the_same_name_is_not_touched(database_url: str) -> None:
    with raw(database_url) as database:
        database.run("CREATE TABLE token_accounts (theirs TEXT)")
        database.run("INSERT INTO token_accounts VALUES ('x')")
    with pytest.raises(DatabaseFileError, match="another program has tables of these names"):
        create(database_url)
    with raw(database_url) as database:
        assert database.run("SELECT * FROM token_accounts") == [("x",)]
        tables = (
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            if database.postgresql
            else "SELECT name FROM sqlite_schema WHERE type = 'table'"
        )
        assert database.run(tables) == [("token_accounts",)]


def test_a_second_create_is_refused_and_harmless(database_url: str) -> None:
    economy(database_url, "alice").close()
    before = dump(database_url)
    with pytest.raises(DatabaseFileError, match="holds a ledger already"):
        create(database_url)
    assert dump(database_url) == before
    with Ledger.open(database_url) as ledger:
        assert ledger.audit().ok


def test_of_many_creates_at_once_one_wins(database_url: str) -> None:
    def attempt(_: int) -> Hash32 | str:
        try:
            with Ledger.create(database_url) as ledger:
                return ledger.identity.ledger_id
        except DatabaseFileError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attempt, range(8)))
    [made] = [result for result in results if isinstance(result, Hash32)]
    refused = {result for result in results if isinstance(result, str)}
    assert refused == {
        "this database holds a ledger already; open that, or name another with --database"
    }
    with Ledger.open(database_url) as ledger:
        assert ledger.identity.ledger_id == made
        assert ledger.audit().ok


def test_a_create_that_fails_leaves_no_file(sqlite_url: str) -> None:
    def broken() -> int:
        raise RuntimeError("no clock")

    with pytest.raises(RuntimeError, match="no clock"):
        create(sqlite_url, clock=broken)
    assert list(file_of(sqlite_url).parent.iterdir()) == []


def test_a_create_that_fails_keeps_the_file_that_was_there(sqlite_url: str) -> None:
    with sqlite3.connect(file_of(sqlite_url)) as connection:
        connection.execute("CREATE TABLE notes (note TEXT)")
    connection.close()
    before = file_of(sqlite_url).read_bytes()

    def broken() -> int:
        raise RuntimeError("no clock")

    with pytest.raises(RuntimeError, match="no clock"):
        create(sqlite_url, clock=broken)
    assert file_of(sqlite_url).read_bytes() == before


def test_the_ledger_opens_without_a_home_and_elsewhere(sqlite_url: str, tmp_path: Path) -> None:
    economy(sqlite_url, "alice").close()
    code = f"from ledger import Ledger; print(Ledger.open({sqlite_url!r}).get_balance('alice'))"
    environment = {"PATH": "", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("1000\n", 0), done.stderr
