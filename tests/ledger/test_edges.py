"""Edges over which a caller could fall: keys and new assets, clocks, time-outs, forks."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from ledger import BusyError, FieldError, Ledger, LedgerError, RefusedError, Rule
from tests.ledger.support import START, Anything, Clock, economy, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

FORKS = """
import os, sys
from ledger import Ledger

with Ledger.open(sys.argv[1]) as ledger:
    ledger.transfer("alice", "bob", 1)
    children = []
    for child in range(3):
        children.append(os.fork())
        if children[-1] == 0:
            for number in range(15):
                ledger.transfer("alice", "bob", 1, idempotency_key=f"{child}-{number}")
            os._exit(0)
    for _ in range(15):
        ledger.transfer("bob", "alice", 1)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
"""


def test_a_key_is_answered_before_the_asset_is_asked_for(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        posted = ledger.transfer("alice", "bob", 1, idempotency_key="k")
        opened = ledger.create_account("carol", idempotency_key="open")
        ledger.create_asset("GOLD", "Gold")
        with unchanged(database_url):
            again = ledger.transfer("alice", "bob", 1, idempotency_key="k")
            named = ledger.transfer("alice", "bob", 1, asset="SCI", idempotency_key="k")
            account = ledger.create_account("carol", idempotency_key="open")
        assert again.repeated
        assert again.id == named.id == posted.id
        assert account == opened
        with pytest.raises(RefusedError) as refusal:
            ledger.transfer("alice", "bob", 1, asset="GOLD", idempotency_key="k")
        assert refusal.value.rule == Rule.KEY_REUSED


@pytest.mark.parametrize(
    ("from_account", "to_account", "field"),
    [("system", "alice", "from_account"), ("alice", "system", "to_account")],
)
def test_a_transfer_neither_mints_nor_burns(
    database_url: str, from_account: str, to_account: str, field: str
) -> None:
    with economy(database_url, "alice") as ledger, unchanged(database_url):
        with pytest.raises(FieldError) as refusal:
            ledger.transfer(from_account, to_account, 1)
        assert refusal.value.field == field


@pytest.mark.parametrize("seconds", [0, 0.0004, -1, math.inf, math.nan, True, "10", None.__class__])
def test_a_wait_that_would_not_end_is_refused(database_url: str, seconds: Anything) -> None:
    with pytest.raises(FieldError) as refusal:
        Ledger.create(database_url, lock_timeout=seconds)
    assert refusal.value.field == "lock_timeout"


def test_a_clock_ahead_neither_founds_nor_seals(database_url: str) -> None:
    ahead = 2**62
    with pytest.raises(RefusedError) as founding:
        Ledger.create(database_url, clock=lambda: ahead)
    assert founding.value.rule == Rule.CLOCK_AHEAD
    economy(database_url, "alice").close()
    with Ledger.open(database_url, clock=lambda: ahead) as ledger, unchanged(database_url):
        with pytest.raises(RefusedError) as sealing:
            ledger.seal()
        assert sealing.value.rule == Rule.CLOCK_AHEAD


@pytest.mark.parametrize("told", [1.5, True, None, -1, 2**63, "now"])
def test_a_clock_that_tells_no_microseconds_is_named(database_url: str, told: Anything) -> None:
    economy(database_url, "alice", "bob").close()
    calls: list[Callable[[Ledger], object]] = [
        lambda ledger: ledger.transfer("alice", "bob", 1),
        lambda ledger: ledger.seal(),
    ]
    with Ledger.open(database_url, clock=lambda: told) as ledger, unchanged(database_url):
        for call in calls:
            with pytest.raises(FieldError) as refusal:
                call(ledger)
            assert refusal.value.field == "clock"


def test_a_forked_process_has_connections_of_its_own(database_url: str) -> None:
    economy(database_url, "alice", "bob").close()
    ran = subprocess.run(
        [sys.executable, "-c", FORKS, database_url], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    with Ledger.open(database_url, clock=Clock(START * 2)) as ledger:
        assert ledger.get_balance("alice") == 1_000 - 1 - 45 + 15
        assert ledger.audit().ok


def stopped_by_the_server(ledger: Ledger) -> None:
    with ledger.connection() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 20"))
        connection.execute(text("SELECT pg_sleep(5), CAST(:secret AS text)"), {"secret": "hunter2"})


def test_what_the_server_stops_for_time_is_busy_and_shows_no_parameters(postgres_url: str) -> None:
    with economy(postgres_url, "alice") as ledger, pytest.raises(BusyError) as busy:
        stopped_by_the_server(ledger)
    assert "hunter2" not in f"{busy.value!s} {busy.value.__cause__!s}"


def test_an_error_nobody_has_named_is_still_one_of_the_ledgers(database_url: str) -> None:
    with (
        economy(database_url, "alice") as ledger,
        pytest.raises(LedgerError, match="refused it"),
        ledger.connection() as connection,
    ):
        connection.execute(text("SELECT 1 FROM no_such_function_at_all(1)"))


def test_sqlite_connections_have_the_settings_that_the_guarantees_need(sqlite_url: str) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "recursive_triggers": 1}
    for lock_timeout, waits in ((None, 60_000), (1.5, 1_500)):
        if lock_timeout is None:
            Ledger.create(sqlite_url).close()
        with (
            Ledger.open(sqlite_url, lock_timeout=lock_timeout) as ledger,
            ledger.connection() as connection,
        ):
            found = {
                name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
                for name in (*wanted, "busy_timeout")
            }
            driver = connection.connection.driver_connection
            assert found == {**wanted, "busy_timeout": waits}
            assert driver is not None
            assert driver.isolation_level is None  # every BEGIN is said by the ledger
