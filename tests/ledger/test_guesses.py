"""What a process remembers of a journal is used only while it is true (PostgreSQL, and memory)."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, make_url

from ledger import (
    BusyError,
    Group,
    Ledger,
    Movement,
    OpenAccount,
    RefusedError,
    Rule,
)
from tests.ledger.support import accepted, create, economy, raw, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Wire:
    """Counts what goes to the server by way of the ledger's guesses and by way of the lock."""

    def __init__(self, ledger: Ledger) -> None:
        self.begun = 0
        event.listen(ledger._transactions.engine, "begin", self._begin)

    def _begin(self, _: object) -> None:
        self.begun += 1


@pytest.fixture
def two(postgres_url: str) -> Iterator[tuple[Ledger, Ledger]]:
    """Two ledgers of one database, as two processes have them."""
    with economy(postgres_url, "alice", "bob", clock=None) as one, Ledger.open(postgres_url) as two:
        yield one, two


def test_a_posting_that_follows_our_own_takes_no_lock_of_its_own(postgres_url: str) -> None:
    with economy(postgres_url, "alice", "bob", clock=None) as ledger:
        ledger.transfer("alice", "bob", 1)
        known = ledger._transactions.memory._known
        version = known["SCI"].journal.version
        ledger._transactions._decided = pytest.fail  # type: ignore[method-assign,assignment]  # never called
        for amount in range(1, 20):
            ledger.transfer("alice", "bob", amount, idempotency_key=f"k{amount}")
        assert known["SCI"].journal.version == version + 19
        ledger.post_many([Group((Movement("alice", "bob", 1), Movement("bob", "alice", 2)))])
    with Ledger.open(postgres_url) as ledger:
        assert ledger.head().seq == 24
        assert ledger.audit().ok


def test_a_guess_that_is_wrong_is_decided_again(two: tuple[Ledger, Ledger]) -> None:
    one, other = two
    for amount in range(1, 12):
        first, second = one.transfer("alice", "bob", amount), other.transfer("bob", "alice", 1)
        assert second.seq == first.seq + 1
        assert second.timestamp > first.timestamp
    assert one.audit().ok


CHANGES = {
    "entry": lambda it: it.transfer("alice", "bob", 995),
    "hold": lambda it: it.hold("alice", 995),
    "frozen": lambda it: it.freeze_account("alice"),
    "limit": lambda it: it.set_limits("alice", max_debit=5),
}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("entry", Rule.INSUFFICIENT_AVAILABLE),
        ("hold", Rule.INSUFFICIENT_AVAILABLE),
        ("frozen", Rule.ACCOUNT_FROZEN),
        ("limit", Rule.DEBIT_LIMIT),
    ],
)
def test_what_another_changed_counts(
    two: tuple[Ledger, Ledger], postgres_url: str, change: str, rule: Rule
) -> None:
    one, other = two
    one.transfer("alice", "bob", 1)
    one.transfer("bob", "alice", 1)  # remembered
    CHANGES[change](other)
    with unchanged(postgres_url), pytest.raises(RefusedError) as refusal:
        one.transfer("alice", "bob", 6)
    assert refusal.value.rule == rule
    assert one.audit().ok


def test_a_refusal_is_never_a_guess(two: tuple[Ledger, Ledger]) -> None:
    one, other = two
    one.transfer("alice", "bob", 999)
    other.transfer("bob", "alice", 999)  # which `one` has not seen
    assert one.transfer("alice", "bob", 1_000).balance_after_from == 0


def test_a_key_that_another_used_brings_back_its_result(two: tuple[Ledger, Ledger]) -> None:
    one, other = two
    one.transfer("alice", "bob", 1)
    one.create_asset("GOLD", "Gold")
    theirs = other.mint("bob", 5, asset="GOLD", idempotency_key="k")  # SCI has not moved
    with pytest.raises(RefusedError) as refusal:
        one.transfer("alice", "bob", 1, asset="SCI", idempotency_key="k")
    assert refusal.value.rule == Rule.KEY_REUSED
    assert one.mint("bob", 5, asset="GOLD", idempotency_key="k").id == theirs.id


def test_a_second_asset_that_another_made_is_seen(
    two: tuple[Ledger, Ledger], postgres_url: str
) -> None:
    one, other = two
    one.transfer("alice", "bob", 1)
    other.create_asset("GOLD", "Gold")
    with unchanged(postgres_url), pytest.raises(RefusedError) as refusal:
        one.transfer("alice", "bob", 1)
    assert refusal.value.rule == Rule.ASSET_REQUIRED


def test_a_database_that_was_put_back_is_not_mistaken(postgres_url: str) -> None:
    """The same number of changes, another history: the head tells them apart."""
    with economy(postgres_url, "alice", "bob", clock=None) as ledger:
        ledger.transfer("alice", "bob", 1)
        with raw(postgres_url) as database:
            database.run("UPDATE token_journals SET head = ? WHERE asset = 1", bytes(32))
        entry = ledger.transfer("alice", "bob", 1)
        assert entry.seq == 4
        found = ledger.audit().finding
        assert found is not None
        assert (found.row, found.what) == ("SCI/4", "head")


def test_threads_and_processes_share_one_history(postgres_url: str) -> None:
    economy(postgres_url, "alice", "bob", "carol", balance=10_000, clock=None).close()

    def work(name: str) -> None:
        pairs = [("alice", "bob"), ("bob", "carol"), ("carol", "alice")]
        with Ledger.open(postgres_url) as ledger, ThreadPoolExecutor(4) as pool:
            for n in range(60):
                pool.submit(ledger.transfer, pairs[n % 3][0], pairs[n % 3][1], 1, reason=name)

    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(f"worker {number}")
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    with Ledger.open(postgres_url) as ledger:
        assert ledger.head().seq == 3 + 180
        assert ledger.audit().ok


def test_a_wait_for_another_ends(postgres_url: str) -> None:
    with (
        economy(postgres_url, "alice", "bob", clock=None, lock_timeout=0.3) as ledger,
        Ledger.open(postgres_url) as other,
    ):
        ledger.transfer("alice", "bob", 1)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with other.connection() as connection:
                connection.exec_driver_sql("UPDATE token_journals SET seq = seq")
                held.set()
                done.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(10)
        with pytest.raises(BusyError):
            ledger.transfer("alice", "bob", 1)
        done.set()
        thread.join()
        assert ledger.transfer("alice", "bob", 1).seq == 4


def test_memory_serves_both_databases(database_url: str) -> None:
    with create(database_url) as ledger:
        ledger.create_asset("SCI", "Science")
        ledger.post_many([OpenAccount(f"a{n}", 100) for n in range(50)])
        for _ in range(5):
            results = ledger.post_many(
                [
                    Movement(f"a{n}", f"a{(n * 7 + 1) % 50}", 1)
                    for n in range(50)
                    if n != (n * 7 + 1) % 50
                ]
            )
            assert all(accepted(result) for result in results)
        ledger.hold("a1", 5)
        assert ledger.balance("a1").total_staked == 5
        ledger.transfer("a1", "a2", 1)
        assert ledger.balance("a1").total_staked == 5
        assert ledger.audit().ok


def test_memory_forgets_what_grows_without_bound(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.memory.MAX_REMEMBERED", 10)
    with create(database_url) as ledger:
        ledger.create_asset("SCI", "Science")
        ledger.post_many([OpenAccount(f"a{n}", 100) for n in range(30)])
        for n in range(29):
            ledger.transfer(f"a{n}", f"a{n + 1}", 1)
        assert "SCI" not in ledger._transactions.memory._known or (
            len(ledger._transactions.memory._known["SCI"].balances) <= 10
        )
        assert ledger.audit().ok


def test_an_older_copy_that_is_put_back_is_not_taken_for_what_is_remembered(
    sqlite_url: str, tmp_path: Path
) -> None:
    path = str(make_url(sqlite_url).database)
    with economy(sqlite_url, "alice", "bob", clock=None) as remembering:
        with (
            closing(sqlite3.connect(path)) as now,
            closing(sqlite3.connect(tmp_path / "c")) as copy,
        ):
            now.backup(copy)
            remembering.set_limits("alice", max_debit=1_000)
            copy.backup(now)
        with Ledger.open(sqlite_url) as other:
            other.set_limits("alice", max_debit=5)  # the same number of events, as many limits
        with pytest.raises(RefusedError) as refused:
            remembering.transfer("alice", "bob", 20)
        assert refused.value.rule == Rule.DEBIT_LIMIT
        assert remembering.audit().ok
