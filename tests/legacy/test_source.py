"""Old ledgers are read out of SQLite and PostgreSQL, and stay as they are to the last byte."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest

from ledger import DatabaseFileError, FieldError, Ledger
from ledger.legacy import import_legacy
from ledger.legacy_model import DefectKind, Target
from ledger.legacy_plan import make_plan
from ledger.legacy_source import read_tables
from tests.ledger.support import libpq
from tests.legacy.old_ledger import SCHEMA, OldLedger, generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.legacy_model import OldTables, Plan

NOW = 1_790_000_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for old databases alone."""
    path = tmp_path / "old"
    path.mkdir()
    return path


def plan_of(tables: OldTables) -> Plan:
    return make_plan(tables, Target("SCI", 18, NOW))


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


# --- SQLite ---


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_an_old_file_stays_as_it_is(folder: Path, sqlite_url: str, mode: str) -> None:
    source = generate(8, 120).write_sqlite(folder / "old.db")
    with closing(sqlite3.connect(source)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
    before = contents(folder)
    (folder / "old.db").chmod(0o400)
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("SCI", "Science")
        assert import_legacy(ledger, source).booked == 120
    assert contents(folder) == before


def test_what_is_still_in_the_log_is_read(folder: Path) -> None:
    source = folder / "old.db"
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.executescript(SCHEMA)
        writer.execute("INSERT INTO token_accounts (account_id) VALUES ('in the log')")
        writer.commit()
        [account] = read_tables(str(source)).accounts
    assert account.account_id == "in the log"


def test_a_file_is_named_by_its_path_or_by_a_url(folder: Path) -> None:
    old = generate(4, 20)
    odd = old.write_sqlite(folder / "50% of #1 & more?.db")
    plain = old.write_sqlite(folder / "old.db")
    assert read_tables(odd) == read_tables(plain) == read_tables(f"sqlite:///{plain}")


def test_text_that_is_no_utf_8_is_a_defect(folder: Path) -> None:
    old = generate(4, 20)
    source = old.write_sqlite(folder / "old.db")
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("UPDATE token_ledger SET memo = CAST(x'61ff62' AS TEXT) WHERE rowid = 9")
        connection.execute("UPDATE token_ledger SET id = CAST(x'ff' AS TEXT) WHERE rowid = 10")
        connection.execute(
            "UPDATE token_accounts SET account_id = CAST(x'ff' AS TEXT) WHERE rowid = 4"
        )
    plan = plan_of(read_tables(source))
    found = {(it.kind, it.row, it.field) for it in plan.defects}
    assert (DefectKind.TEXT_INVALID, 9, "memo") in found
    assert (DefectKind.ID_UNUSABLE, 10, "id") in found
    assert (DefectKind.ACCOUNT_INVALID, 4, "account_id") in found
    assert [it.movement.memo for it in plan.postings][8] == "a?b"


def _text(path: Path) -> None:
    path.write_text("id,timestamp,amount\n" * 99)


def _short(path: Path) -> None:
    path.write_text("x")


def _empty(path: Path) -> None:
    path.touch()


def _other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE points (id TEXT)")


def _no_accounts(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(SCHEMA.split(";")[0])


def _no_amount(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA.replace("amount REAL,", ""))


def _a_view(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA.replace("TABLE token_ledger", "TABLE lines"))
        connection.execute("CREATE VIEW token_ledger AS SELECT * FROM lines")


def _own(path: Path) -> None:
    Ledger.create(f"sqlite:///{path}").close()


def _cut(path: Path) -> None:
    generate(4, 400).write_sqlite(path)
    path.write_bytes(path.read_bytes()[:20_000])


def _folder(path: Path) -> None:
    path.mkdir()


def _nothing(_: Path) -> None: ...


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_text, "not a database"),
        (_short, "no table token_ledger"),
        (_empty, "no table token_ledger"),
        (_other_tables, "no table token_ledger"),
        (_no_accounts, "no table token_accounts"),
        (_no_amount, "token_ledger has no column amount"),
        (_a_view, "is a view"),
        (_own, "is a ledger of this program"),
        (_cut, "malformed"),
        (_folder, "no such file"),
        (_nothing, "no such file"),
    ],
)
def test_a_file_that_is_no_old_ledger(folder: Path, make: object, message: str) -> None:
    path = folder / "old.db"
    assert callable(make)
    make(path)
    before = sorted(folder.iterdir())
    with pytest.raises(DatabaseFileError, match=message) as refused:
        read_tables(str(path))
    assert str(path) in str(refused.value)
    assert sorted(folder.iterdir()) == before


def test_a_file_that_somebody_writes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.legacy_source._OLD_WAIT", 0.1)
    source = generate(4, 20).write_sqlite(folder / "old.db")
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseFileError, match="locked"):
            read_tables(source)


@pytest.mark.parametrize(
    "source",
    ["mysql://localhost/old", "://", "sqlite://", "http://x/y", "postgresql://u:secret@h:port/x"],
)
def test_another_kind_of_source(source: str) -> None:
    with pytest.raises(FieldError) as refused:
        read_tables(source)
    assert refused.value.field == "source"
    assert "secret" not in str(refused.value)


# --- PostgreSQL ---


@pytest.fixture(scope="module")
def old() -> OldLedger:
    return generate(12, 900)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.create(f"sqlite:///{tmp_path / 'target.db'}") as ledger:
        ledger.create_asset("SCI", "Science")
        yield ledger


def test_postgresql_gives_what_sqlite_gives(
    postgres_url: str, old: OldLedger, folder: Path, target: Ledger
) -> None:
    there = read_tables(old.write_postgresql(postgres_url))
    here = read_tables(old.write_sqlite(folder / "old.db"))
    assert plan_of(there) == plan_of(here)
    assert import_legacy(target, postgres_url).booked == 900
    assert import_legacy(target, str(folder / "old.db")).booked == 0
    assert target.audit().ok


def test_postgresql_is_read_in_a_transaction_that_cannot_write(
    postgres_url: str, old: OldLedger
) -> None:
    old.write_postgresql(postgres_url)
    with psycopg.connect(libpq(postgres_url), autocommit=True) as connection:
        database = connection.info.dbname
        sql = f'ALTER DATABASE "{database}" SET default_transaction_read_only = on'
        connection.execute(sql.encode())
    assert len(read_tables(postgres_url).entries) == 900


def test_numbers_of_four_bytes_are_what_they_show(postgres_url: str) -> None:
    old = generate(4, 60)
    old.write_postgresql(postgres_url, "real")
    tables = read_tables(postgres_url)
    assert tables.bits == 24
    plan = plan_of(tables)
    assert plan.defects == ()
    for posting, row in zip(plan.postings, old.entries, strict=True):
        amount, written = Decimal(posting.movement.amount).scaleb(-18), Decimal(str(row["amount"]))
        assert abs(amount - written) <= written * Decimal("6e-8")
        assert len(amount.normalize().as_tuple().digits) <= 9


def test_numbers_and_times_that_postgresql_has_and_sqlite_has_not(postgres_url: str) -> None:
    generate(4, 20).write_postgresql(postgres_url)
    with psycopg.connect(libpq(postgres_url)) as connection:
        connection.execute("UPDATE token_ledger SET amount = 'NaN' WHERE id = 'tx-000019'")
        connection.execute("UPDATE token_ledger SET amount = 'Infinity' WHERE id = 'tx-000020'")
    plan = plan_of(read_tables(postgres_url))
    assert [it.kind for it in plan.defects].count(DefectKind.NOT_FINITE) == 2


def test_columns_of_postgresqls_own_types(postgres_url: str) -> None:
    old = generate(4, 60)
    old.write_postgresql(postgres_url)
    before = plan_of(read_tables(postgres_url))
    with psycopg.connect(libpq(postgres_url)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table, column, kind in (
            ("token_ledger", "timestamp", "timestamptz"),
            ("token_accounts", "created_at", "timestamptz"),
            ("token_ledger", "amount", "numeric"),
        ):
            sql = f"ALTER TABLE {table} ALTER {column} TYPE {kind} USING {column}::{kind}"
            connection.execute(sql.encode())
    assert plan_of(read_tables(postgres_url)).postings == before.postings


def test_an_old_ledger_beside_the_new_one_in_a_schema_of_its_own(
    postgres_url: str, old: OldLedger
) -> None:
    old.write_postgresql(postgres_url)
    with psycopg.connect(libpq(postgres_url)) as connection:
        connection.execute("CREATE SCHEMA old")
        for table in ("token_ledger", "token_accounts"):
            connection.execute(f"ALTER TABLE {table} SET SCHEMA old".encode())
    with Ledger.create(postgres_url) as ledger:
        ledger.create_asset("SCI", "Science")
        source = f"{postgres_url}&options=-csearch_path%3Dold"
        assert import_legacy(ledger, source).booked == 900


def test_a_postgresql_database_that_is_no_old_ledger(postgres_url: str) -> None:
    with pytest.raises(DatabaseFileError, match="no table token_ledger"):
        read_tables(postgres_url)
    Ledger.create(postgres_url).close()
    with pytest.raises(DatabaseFileError, match="is a ledger of this program"):
        read_tables(postgres_url)
    with pytest.raises(DatabaseFileError, match="does not exist"):
        read_tables(postgres_url.replace("/ledger_", "/no_ledger_"))


def test_a_password_is_in_no_error() -> None:
    with pytest.raises(DatabaseFileError) as refused:
        read_tables("postgresql://somebody:secret@127.0.0.1:1/old?connect_timeout=1")
    assert "secret" not in str(refused.value)
