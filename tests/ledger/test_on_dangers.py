"""What can go wrong inside an application's transaction, each by name; all of it ends."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from ledger import (
    BusyError,
    ConflictError,
    FieldError,
    Group,
    Ledger,
    Movement,
    NotFoundError,
    RefusedError,
    Rule,
)
from tests.ledger.applications import application, order, three_assets
from tests.ledger.support import Anything, economy, refused_by, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with three_assets(database_url) as it:
        yield it


@pytest.fixture
def engine(ledger: Ledger, database_url: str) -> Iterator[Engine]:  # noqa: ARG001 (is there first)
    with application(database_url) as it:
        yield it


def at_once(act: Callable[[], object]) -> None:
    """Fail unless `act` raises BusyError without a wait."""
    began = time.monotonic()
    with pytest.raises(BusyError, match="this thread holds"):
        act()
    assert time.monotonic() - began < 8  # a wait would take 10 seconds or more


# --- the own thread, waiting for itself -----------------------------------------------------------

WAITING: dict[str, Callable[[Ledger], object]] = {
    "transfer": lambda it: it.transfer("alice", "bob", 1, asset="SCI"),
    "create_account": lambda it: it.create_account("carol", 5, asset="SCI"),
    "hold": lambda it: it.hold("alice", 1, asset="SCI"),
    "set_limits": lambda it: it.set_limits("alice", asset="SCI", max_debit=1),
    "freeze_account": lambda it: it.freeze_account("alice"),
    "group": lambda it: it.post_many(
        [Group((Movement("alice", "bob", 1, "GEM"), Movement("alice", "bob", 1, "SCI")))]
    ),
    "dry_run": lambda it: it.transfer("alice", "bob", 1, asset="SCI", dry_run=True),
    "post_past": lambda it: it.post_past([(2**62, Movement("alice", "bob", 1, "SCI"))]),
    "create_asset": lambda it: it.create_asset("NEW", "New", 0),
}


@pytest.mark.parametrize("call", WAITING)
def test_the_own_thread_never_waits_for_itself(
    database_url: str, ledger: Ledger, engine: Engine, call: str
) -> None:
    with Ledger.open(database_url) as other, engine.connect() as connection:
        ledger.on(connection, "SCI", accounts=True).transfer("alice", "bob", 1, asset="SCI")
        for each in (ledger, other):
            at_once(partial(WAITING[call], each))
        assert ledger.get_balance("bob", "SCI") == 1_000  # reading does not wait
        connection.rollback()
        ledger.transfer("alice", "bob", 1, asset="SCI")


@pytest.mark.parametrize("call", ["seal", "set_operator", "connection"])
def test_on_sqlite_nothing_else_is_written_meanwhile(sqlite_url: str, call: str) -> None:
    def write(ledger: Ledger) -> None:
        match call:
            case "seal":
                ledger.seal()
            case "set_operator":
                ledger.set_operator("SCI", ledger.identity.registrar)
            case _:
                with ledger.connection():
                    pass

    with (
        economy(sqlite_url, "alice", "bob") as ledger,
        application(sqlite_url) as engine,
        engine.begin() as connection,
    ):
        ledger.on(connection).transfer("alice", "bob", 1)
        at_once(lambda: write(ledger))


def test_a_second_connection_of_the_same_thread_does_not_wait(
    ledger: Ledger, engine: Engine
) -> None:
    with engine.connect() as connection, engine.connect() as second:
        ledger.on(connection, "SCI").transfer("alice", "bob", 1, asset="SCI")
        at_once(lambda: ledger.on(second, "SCI").transfer("alice", "bob", 1, asset="SCI"))
        connection.commit()
        ledger.on(second, "SCI").transfer("alice", "bob", 1, asset="SCI")
        second.commit()
    assert ledger.get_balance("bob", "SCI") == 1_002


@pytest.mark.parametrize("end", ["commit", "rollback", "close", "invalidate", "detach"])
def test_whatever_ends_the_transaction_ends_the_holding(
    ledger: Ledger, engine: Engine, end: str
) -> None:
    connection = engine.connect()
    ledger.on(connection, "SCI").transfer("alice", "bob", 1, asset="SCI")
    if end == "detach":
        connection.detach()
        connection.close()
    else:
        getattr(connection, end)()
    ledger.transfer("alice", "bob", 1, asset="SCI")
    connection.close()


def test_a_commit_behind_sqlalchemy_ends_it_too(ledger: Ledger, engine: Engine) -> None:
    with engine.connect() as connection:
        ledger.on(connection, "SCI").transfer("alice", "bob", 1, asset="SCI")
        connection.exec_driver_sql("COMMIT")
        ledger.transfer("alice", "bob", 1, asset="SCI")


def test_other_assets_are_free_on_postgresql(postgres_url: str) -> None:
    with economy(postgres_url, "alice", "bob") as ledger, application(postgres_url) as engine:
        ledger.create_asset("GEM", "Gems", 0)
        with engine.begin() as connection:
            ledger.on(connection, "SCI").transfer("alice", "bob", 1, asset="SCI")
            assert ledger.mint("alice", 1, asset="GEM").seq == 1
            assert ledger.create_account("carol", 1, asset="GEM").account_id == "carol"
            assert ledger.seal() is not None


def test_another_ledger_with_the_same_id_is_free(database_url: str, tmp_path: Path) -> None:
    with (
        economy(database_url, "alice", "bob") as one,
        economy(f"sqlite:///{tmp_path / 'copy.db'}", "alice", "bob") as copy,
        application(database_url) as engine,
        engine.begin() as connection,
    ):
        one.on(connection).transfer("alice", "bob", 1)
        assert copy.transfer("alice", "bob", 2).balance_after_to == 1_002


def test_another_thread_waits_as_ever(ledger: Ledger, engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            ledger.on(connection, "SCI").transfer("alice", "bob", 1, asset="SCI")
            waiting = pool.submit(ledger.transfer, "alice", "bob", 1, asset="SCI")
            time.sleep(0.3)
            assert not waiting.done()
        assert waiting.result(20).balance_after_to == 1_002


# --- the order of locks ---------------------------------------------------------------------------


@pytest.mark.parametrize("later", ["SCI", "ORE"], ids=["lower", "higher"])
def test_what_was_not_named_is_refused(ledger: Ledger, engine: Engine, later: str) -> None:
    with engine.begin() as connection:
        on = ledger.on(connection, "GEM")
        on.transfer("alice", "bob", 1, asset="GEM")
        for _ in range(2):
            rule = refused_by(lambda: on.transfer("alice", "bob", 1, asset=later))
            assert rule == Rule.LOCK_ORDER
        on.transfer("alice", "bob", 1, asset="GEM")
    assert ledger.get_balance("bob", "GEM") == 2


def test_a_refused_order_says_what_to_write(ledger: Ledger, engine: Engine) -> None:
    with engine.connect() as connection:
        on = ledger.on(connection, "GEM")
        with pytest.raises(RefusedError, match=r"Ledger.on\(connection, 'SCI', \.\.\.\)"):
            on.hold("alice", 1, asset="SCI")
        for act in (
            partial(on.create_account, "carol", 0, asset="GEM"),
            partial(on.freeze_account, "alice"),
        ):
            with pytest.raises(RefusedError, match="accounts=True") as refusal:
                act()
            assert refusal.value.rule == Rule.LOCK_ORDER


def test_a_status_concerns_every_asset(ledger: Ledger, engine: Engine) -> None:
    with engine.begin() as connection:
        on = ledger.on(connection, "SCI", accounts=True)
        on.create_account("carol", 1, asset="SCI")
        assert refused_by(lambda: on.freeze_account("alice")) == Rule.LOCK_ORDER
    with engine.begin() as connection:
        every = ledger.on(connection, "SCI", "GEM", "ORE", accounts=True)
        assert every.freeze_account("alice").account_id == "alice"


def test_a_second_on_cannot_add_assets(ledger: Ledger, engine: Engine) -> None:
    with engine.connect() as connection:
        ledger.on(connection, "GEM", "ORE").transfer("alice", "bob", 1, asset="GEM")
        ledger.on(connection, "ORE").transfer("alice", "bob", 1, asset="ORE")
        other = ledger.on(connection, "SCI")
        assert refused_by(lambda: other.transfer("alice", "bob", 1, asset="SCI")) == Rule.LOCK_ORDER
        connection.rollback()
        other.transfer("alice", "bob", 1, asset="SCI")


def test_what_is_held_by_id_needs_its_asset_too(ledger: Ledger, engine: Engine) -> None:
    hold, entry = ledger.hold("alice", 5, asset="GEM"), ledger.mint("bob", 5, asset="ORE")
    with engine.begin() as connection:
        on = ledger.on(connection, "SCI")
        assert refused_by(lambda: on.void_hold(hold.id)) == Rule.LOCK_ORDER
        assert refused_by(lambda: on.reverse(entry.id)) == Rule.LOCK_ORDER


def test_crossed_assets_cannot_deadlock(ledger: Ledger, engine: Engine) -> None:
    def work(*symbols: str) -> None:
        for number in range(15):
            with engine.begin() as connection:
                on = ledger.on(connection, *symbols)
                for symbol in symbols:
                    on.transfer("alice", "bob", 1, asset=symbol)
                if number % 5 == 0:
                    connection.rollback()

    ways = [("SCI", "GEM"), ("GEM", "SCI"), ("ORE", "SCI", "GEM"), ("GEM", "ORE")]
    with ThreadPoolExecutor(len(ways)) as pool:
        for done in [pool.submit(work, *symbols) for symbols in ways]:
            done.result(60)
    assert ledger.get_balance("bob", "GEM") == 4 * 12
    assert ledger.audit().finding is None


def test_which_assets_is_said_where_there_are_several(ledger: Ledger, engine: Engine) -> None:
    with engine.connect() as connection:
        on = ledger.on(connection)
        assert refused_by(lambda: on.mint("alice", 1, asset="GEM")) == Rule.ASSET_REQUIRED
        with pytest.raises(NotFoundError) as unknown:
            ledger.on(connection, "GEM", "NONE").mint("alice", 1, asset="GEM")
        assert unknown.value.rule == Rule.UNKNOWN_ASSET
        number: Anything = 5
        with pytest.raises(FieldError, match="symbol"):
            ledger.on(connection, number)


# --- conflicts ------------------------------------------------------------------------------------


def test_an_application_row_against_the_head_is_a_conflict(postgres_url: str) -> None:
    """One locks a row and then posts, the other posts and then wants the row."""
    barrier = threading.Barrier(2, timeout=120)

    def row_first(connection: Connection, ledger: Ledger) -> None:
        connection.execute(text("UPDATE orders SET note = 'one' WHERE id = 1"))
        barrier.wait()
        ledger.on(connection).transfer("alice", "bob", 1)

    def head_first(connection: Connection, ledger: Ledger) -> None:
        ledger.on(connection).transfer("alice", "bob", 10)
        barrier.wait()
        connection.execute(text("UPDATE orders SET note = 'other' WHERE id = 1"))

    def run(
        engine: Engine, work: Callable[[Connection, Ledger], object], ledger: Ledger
    ) -> str | None:
        try:
            with engine.begin() as connection:
                work(connection, ledger)
        except (ConflictError, OperationalError) as error:
            return str(error)
        return None

    with (
        economy(postgres_url, "alice", "bob") as ledger,
        application(postgres_url) as engine,
        ThreadPoolExecutor(2) as pool,
    ):
        with engine.begin() as connection:
            order(connection, 1)
        futures = [pool.submit(run, engine, work, ledger) for work in (row_first, head_first)]
        first, second = (future.result(30) for future in futures)
        assert (first is None) != (second is None)
        if first is not None:
            assert "roll back, and run yours again" in first
        else:  # the application's own statement was chosen, and failed as it always does
            assert "deadlock detected" in str(second)
        assert ledger.get_balance("bob") == (1_010 if first else 1_001)
        assert run(engine, lambda connection, it: it.on(connection).mint("bob", 1), ledger) is None
        assert ledger.audit().finding is None


def test_a_read_that_is_too_old_to_write_is_a_conflict(sqlite_url: str) -> None:
    with (
        economy(sqlite_url, "alice", "bob") as ledger,
        application(sqlite_url, begins=True) as engine,
        engine.connect() as connection,
    ):
        on = ledger.on(connection)
        assert on.get_balance("bob") == 1_000
        ledger.transfer("alice", "bob", 1)
        with unchanged(sqlite_url), pytest.raises(ConflictError, match="roll back"):
            on.transfer("alice", "bob", 1)
        connection.rollback()
        on.transfer("alice", "bob", 1)
        connection.commit()
        assert ledger.get_balance("bob") == 1_002


def test_nobody_posts_between_the_read_and_the_entry(sqlite_url: str) -> None:
    """SQLAlchemy's own engine reads before any transaction: only the lock makes it safe."""
    with (
        economy(sqlite_url, "alice", "bob") as ledger,
        application(sqlite_url) as engine,
        engine.begin() as connection,
    ):
        on = ledger.on(connection)
        assert on.get_balance("bob") == 1_000
        ledger.transfer("alice", "bob", 1_000)
        assert refused_by(lambda: on.transfer("alice", "bob", 1)) == Rule.INSUFFICIENT_AVAILABLE


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ", "AUTOCOMMIT"])
def test_other_isolation_is_refused_by_name(postgres_url: str, level: Anything) -> None:
    with (
        economy(postgres_url, "alice", "bob") as ledger,
        application(postgres_url, isolation_level=level) as engine,
        engine.connect() as connection,
        unchanged(postgres_url),
    ):
        on = ledger.on(connection)
        assert refused_by(lambda: on.transfer("alice", "bob", 1)) == Rule.ISOLATION
        connection.rollback()


def test_autocommit_on_sqlite_is_refused_by_name(sqlite_url: str) -> None:
    with (
        economy(sqlite_url, "alice", "bob") as ledger,
        application(sqlite_url, isolation_level="AUTOCOMMIT") as engine,
        engine.connect() as connection,
        unchanged(sqlite_url),
    ):
        on = ledger.on(connection)
        assert on.get_balance("alice") == 1_000
        assert refused_by(lambda: on.transfer("alice", "bob", 1)) == Rule.ISOLATION


def test_a_transaction_that_failed_is_rolled_back_first(postgres_url: str) -> None:
    with (
        economy(postgres_url, "alice", "bob") as ledger,
        application(postgres_url) as engine,
        engine.connect() as connection,
    ):
        on = ledger.on(connection)
        on.transfer("alice", "bob", 1)
        with pytest.raises(Exception, match="division by zero"):
            connection.execute(text("SELECT 1 / 0"))
        for act in (lambda: on.transfer("alice", "bob", 1), lambda: on.get_balance("bob")):
            with pytest.raises(ConflictError, match="roll back"):
                act()
        connection.rollback()
        on.transfer("alice", "bob", 1)


def test_a_key_that_another_commits_meanwhile_is_refused(postgres_url: str) -> None:
    with (
        economy(postgres_url, "alice", "bob") as ledger,
        application(postgres_url) as engine,
        ThreadPoolExecutor(1) as pool,
    ):
        ledger.create_asset("GEM", "Gems", 0)

        def post_gem() -> Rule:
            with engine.begin() as second:
                on = ledger.on(second, "GEM")
                rule = refused_by(lambda: on.mint("bob", 1, asset="GEM", idempotency_key="k"))
                on.mint("bob", 1, asset="GEM", idempotency_key="other")
            return rule

        with engine.begin() as connection:
            ledger.on(connection, "SCI").mint("bob", 1, asset="SCI", idempotency_key="k")
            waiting = pool.submit(post_gem)
            time.sleep(0.5)
            assert not waiting.done()
        assert waiting.result(20) == Rule.KEY_REUSED
        assert ledger.get_balance("bob", "GEM") == 1
