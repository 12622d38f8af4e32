"""The connections that `Ledger.on` takes and refuses: settings, waits, losses, other databases."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session

from ledger import (
    BusyError,
    DatabaseFileError,
    FieldError,
    Hash32,
    Ledger,
    LedgerError,
    Rule,
)
from tests.ledger.applications import application, order, orders, three_assets
from tests.ledger.support import Anything, economy, raw, refused_by, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from ledger import Joined
    from tests.support.postgres import PostgresServer


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with three_assets(database_url) as it:
        yield it


@pytest.fixture
def engine(ledger: Ledger, database_url: str) -> Iterator[Engine]:  # noqa: ARG001 (is there first)
    with application(database_url) as it:
        yield it


def test_a_wait_ends_and_names_who_holds_it(database_url: str) -> None:
    with (
        economy(database_url, "alice", "bob", lock_timeout=0.3) as ledger,
        application(database_url) as engine,
        application(database_url) as others,
        ThreadPoolExecutor(1) as pool,
    ):
        holder = others.connect()
        pool.submit(ledger.on(holder).transfer, "alice", "bob", 1).result(20)
        with engine.begin() as connection:
            began = time.monotonic()
            with pytest.raises(BusyError) as busy:
                ledger.on(connection).transfer("alice", "bob", 1)
            assert time.monotonic() - began < 8  # without the limit it would be 10 or more
            assert "held by" in str(busy.value) or database_url.startswith("sqlite")
            pool.submit(holder.close).result(20)
            ledger.on(connection).transfer("alice", "bob", 5)
            order(connection, 1)
        assert (ledger.get_balance("bob"), orders(database_url)) == (1_005, [1])


def test_the_settings_of_the_connection_are_put_back(ledger: Ledger, engine: Engine) -> None:
    names = (
        ("SHOW lock_timeout", "SHOW enable_seqscan")
        if engine.dialect.name == "postgresql"
        else ("PRAGMA busy_timeout",)
    )

    def settings(connection: Connection) -> list[Any]:
        return [connection.exec_driver_sql(name).scalar_one() for name in names]

    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1234ms'")
        before = settings(connection)
        on = ledger.on(connection, "SCI")
        on.transfer("alice", "bob", 1, asset="SCI")
        assert settings(connection) == before
        assert refused_by(lambda: on.transfer("alice", "x", 1, asset="SCI")) == Rule.UNKNOWN_ACCOUNT
        assert refused_by(lambda: on.mint("alice", 1, asset="GEM")) == Rule.LOCK_ORDER
        assert settings(connection) == before


def test_a_connection_with_settings_of_its_own_posts_the_same(postgres_url: str) -> None:
    options = (
        "-c TimeZone=Asia/Tokyo -c DateStyle=German -c plan_cache_mode=force_generic_plan"
        " -c bytea_output=escape -c statement_timeout=60s -c extra_float_digits=0"
        " -c search_path=elsewhere,public -c synchronous_commit=off"
    )
    with (
        economy(postgres_url, "alice", "bob") as ledger,
        application(postgres_url, connect_args={"options": options, "prepare_threshold": 0}) as it,
    ):
        with it.begin() as connection:
            on = ledger.on(connection, accounts=True)
            on.mint("alice", 2**250 + 1)
            on.set_limits("bob", max_debit=2**200 + 1)
            on.create_account("carol", 3)
            on.void_hold(on.hold("alice", 2**100 + 1).id)
            assert on.get_balance("alice") == 2**250 + 1_001
        assert ledger.get_balance("alice") == 2**250 + 1_001
        assert ledger.audit().finding is None


def test_a_lost_connection_says_so(postgres_url: str) -> None:
    with (
        economy(postgres_url, "alice", "bob") as ledger,
        application(postgres_url) as engine,
        engine.connect() as connection,
    ):
        on = ledger.on(connection)
        with unchanged(postgres_url):
            on.transfer("alice", "bob", 1)
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with raw(postgres_url) as database:
                database.run("SELECT pg_terminate_backend(?)", pid)
            for _ in range(2):
                with pytest.raises(DatabaseFileError):
                    on.transfer("alice", "bob", 1)
            ledger.transfer("alice", "bob", 1, dry_run=True)
        connection.rollback()
        on.transfer("alice", "bob", 1)
        connection.commit()
        assert ledger.get_balance("bob") == 1_001


def test_the_ledgers_own_writers_go_on_beside_it(ledger: Ledger, engine: Engine) -> None:
    def joined(worker: int) -> None:
        for number in range(12):
            with engine.begin() as connection:
                on = ledger.on(connection, "SCI")
                on.transfer("alice", "bob", 1, asset="SCI", idempotency_key=f"{worker}.{number}")
                order(connection, worker * 100 + number)

    def own() -> None:
        for _ in range(12):
            ledger.transfer("bob", "alice", 1, asset="SCI")

    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(joined, n) for n in range(3)] + [pool.submit(own) for _ in range(3)]
        for future in futures:
            future.result(120)
    assert ledger.head("SCI").seq == 2 + 72
    assert ledger.audit().finding is None


def test_what_the_ledger_remembers_is_right_after_it(ledger: Ledger, engine: Engine) -> None:
    def post(target: Ledger | Joined) -> None:
        target.transfer("alice", "bob", 1, asset="SCI")

    committed = 0
    for ending in ("commit", "rollback", "commit", "rollback", "rollback", "commit"):
        for _ in range(10):  # enough to guess again after a wrong guess
            post(ledger)
        with engine.connect() as connection:
            on = ledger.on(connection, "SCI")
            post(on)
            on.set_limits("bob", asset="SCI", max_balance=2**90)
            on.hold("alice", 1, asset="SCI")
            getattr(connection, ending)()
        committed += ending == "commit"
        post(ledger)
        assert ledger.head("SCI").seq == ledger.get_balance("bob", "SCI") - 1_000 + 2
        assert ledger.balance("alice", "SCI").total_staked == committed
    assert ledger.audit().finding is None


def test_a_transaction_may_be_handed_to_another_thread(postgres_url: str) -> None:
    with (
        economy(postgres_url, "alice", "bob") as ledger,
        application(postgres_url) as engine,
        ThreadPoolExecutor(1) as pool,
        engine.begin() as connection,
    ):
        on = ledger.on(connection)
        on.transfer("alice", "bob", 1)
        pool.submit(on.transfer, "alice", "bob", 1).result(20)
        busy = pool.submit(ledger.transfer, "alice", "bob", 1).exception(20)
        assert isinstance(busy, BusyError)
        assert "this thread holds" in str(busy)


def test_what_cannot_be_joined_says_what_to_pass(ledger: Ledger, engine: Engine) -> None:
    def wrong(value: Anything, match: str) -> None:
        with pytest.raises(FieldError, match=match) as refusal:
            ledger.on(value, "SCI")
        assert refusal.value.field == "connection"

    wrong(engine, r"engine.begin\(\)")
    wrong(None, "NoneType; pass a connection")
    wrong(sqlite3, "pass a connection of SQLAlchemy")
    module = {"__module__": "sqlalchemy.ext.asyncio.engine"}  # which needs greenlet to import
    wrong(type("AsyncConnection", (), module)(), "create_engine")
    with Session(engine) as session:
        wrong(session, r"session.connection\(\)")
    with engine.connect() as connection:
        wrong(connection.connection, "pass a connection of SQLAlchemy")
        wrong(connection.connection.driver_connection, "pass a connection of SQLAlchemy")
        on = ledger.on(connection.execution_options(schema_translate_map={None: "x"}), "SCI")
        with pytest.raises(FieldError, match="schema_translate_map"):
            on.get_balance("alice", "SCI")
    closed = engine.connect()
    closed.close()
    with pytest.raises(FieldError, match="closed"):
        ledger.on(closed, "SCI").get_balance("alice", "SCI")


def test_another_ledger_and_no_ledger_are_refused(
    database_url: str, ledger: Ledger, tmp_path: Path
) -> None:
    assert database_url
    other_url, empty_url = (f"sqlite:///{tmp_path / name}.db" for name in ("other", "empty"))
    economy(other_url, "alice", "bob", ledger_id=Hash32(b"\x07" * 32)).close()
    for url, says in ((other_url, "another ledger"), (empty_url, "no ledger")):
        with application(url) as engine, engine.connect() as connection:
            on = ledger.on(connection, "SCI")
            for act in (
                partial(on.transfer, "alice", "bob", 1, asset="SCI"),
                partial(on.get_balance, "alice", "SCI"),
            ):
                with pytest.raises(FieldError, match=says):
                    act()
            connection.rollback()


def test_a_ledger_that_is_only_attached_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """SQLite does not commit two files together where one writes ahead."""
    engine = create_engine(f"sqlite:///{tmp_path / 'application.db'}")
    with economy(sqlite_url, "alice", "bob") as ledger, engine.connect() as connection:
        path = make_url(sqlite_url).database
        connection.exec_driver_sql(f"ATTACH '{path}' AS books")
        with pytest.raises(FieldError, match="attached"):
            ledger.on(connection).transfer("alice", "bob", 1)
    engine.dispose()


def test_without_tables_postgresql_says_so_too(
    postgres_server: PostgresServer, ledger: Ledger
) -> None:
    name = postgres_server.create_database()
    with application(postgres_server.url(name)) as engine, engine.connect() as connection:
        with pytest.raises(FieldError, match="no ledger"):
            ledger.on(connection, "SCI").get_balance("alice", "SCI")
        connection.rollback()
    postgres_server.drop_database(name)


def test_every_error_is_of_the_ledger(ledger: Ledger, engine: Engine) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        on = ledger.on(connection, "SCI")
        transaction.rollback()
        with pytest.raises(LedgerError, match="roll"):
            on.transfer("alice", "bob", 1, asset="SCI")
