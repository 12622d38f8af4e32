"""Several writers: nothing is lost, read stale, written twice, or waited for without an end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from ledger import (
    BusyError,
    DatabaseFileError,
    Ledger,
    Movement,
    OpenAccount,
    Receipt,
    RefusedError,
    Rule,
)
from ledger.memory import Memory
from ledger.posting import post
from tests.ledger.support import accepted, economy, libpq, raw, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ledger.requests import Item

PATIENCE = 120.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as it:
        yield it


@contextmanager
def posted_but_not_committed(ledger: Ledger, items: Sequence[Item]) -> Iterator[None]:
    """Post items and commit them only at the end of the block."""
    with ledger._transactions._begun() as connection:
        for result in post(connection, ledger._prepared(items)).results:
            accepted(result)
        yield


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def wait_for_waiters(url: str, count: int, *futures: Future[Any]) -> None:
    """Wait until `count` sessions wait for a lock (SQLite does not tell: a moment must do)."""
    if make_url(url).get_backend_name() == "sqlite":
        time.sleep(0.2)
    else:
        with raw(url) as database:
            query = (
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            wait_until(lambda: database.run(query) == [(count,)])
    assert not any(future.done() for future in futures)


# --- stale reads and lost updates ---


def test_who_waited_sees_what_was_posted_meanwhile(
    database_url: str, pool: ThreadPoolExecutor
) -> None:
    """Two connections, one balance: it is spent once. (The trap itself is shown below.)"""
    with (
        economy(database_url, "alice", "bob", "carol") as one,
        Ledger.open(database_url) as two,
    ):
        with posted_but_not_committed(one, [Movement("alice", "bob", 1_000)]):
            spent_twice = pool.submit(two.transfer, "alice", "carol", 1_000)
            earned = pool.submit(one.transfer, "bob", "carol", 2_000)
            wait_for_waiters(database_url, 2, spent_twice, earned)
        with pytest.raises(RefusedError) as refusal:
            spent_twice.result(PATIENCE)
        assert refusal.value.rule == Rule.INSUFFICIENT_AVAILABLE
        assert earned.result(PATIENCE).balance_after_to == 3_000
        assert [b.balance for b in two.balances()] == [0, 0, 3_000]
        assert two.audit().ok


def test_locking_and_reading_in_one_statement_would_read_stale(
    postgres_url: str, pool: ThreadPoolExecutor
) -> None:
    """The reason for the order in `posting`: this statement is what it must never become."""
    merged = (
        "SELECT j.seq, b.balance FROM token_journals j JOIN token_balances b "
        "ON b.asset = j.asset AND b.account_id = 'alice' WHERE j.asset = 1 FOR UPDATE OF j"
    )
    with economy(postgres_url, "alice", "bob") as ledger, raw(postgres_url) as database:
        with posted_but_not_committed(ledger, [Movement("alice", "bob", 1_000)]):
            stale = pool.submit(database.run, merged)
            wait_for_waiters(postgres_url, 1, stale)
        assert stale.result(PATIENCE) == [(3, 1_000)]  # the new seq beside the old balance
        assert database.run(merged) == [(3, 0)]


def test_reading_does_not_wait_for_a_writer(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as one, Ledger.open(database_url) as two:
        with posted_but_not_committed(one, [Movement("alice", "bob", 1_000)]):
            assert two.get_balance("alice") == 1_000
            assert two.head().seq == 2
            assert two.audit().ok
        assert two.get_balance("alice") == 0


# --- keys that cross ---


def test_a_key_in_flight_is_waited_for_and_then_known(
    postgres_url: str, pool: ThreadPoolExecutor
) -> None:
    """On two assets no head is shared: the key itself is where they meet."""
    with economy(postgres_url, "alice", "bob") as one, Ledger.open(postgres_url) as two:
        one.create_asset("B", "B")
        one.mint("alice", 10, asset="B")
        first = Movement("alice", "bob", 1, "SCI", idempotency_key="k")
        with posted_but_not_committed(one, [first]):
            second = pool.submit(two.transfer, "alice", "bob", 1, asset="B", idempotency_key="k")
            wait_for_waiters(postgres_url, 1, second)
        with pytest.raises(RefusedError) as refusal:
            second.result(PATIENCE)
        assert refusal.value.rule == Rule.KEY_REUSED
        assert two.retries == 1
        assert one.head("B").seq == 1


def test_an_account_in_flight_is_waited_for_and_then_known(
    postgres_url: str, pool: ThreadPoolExecutor
) -> None:
    with economy(postgres_url) as one, Ledger.open(postgres_url) as two:
        with posted_but_not_committed(one, [OpenAccount("alice", 0)]):
            again = pool.submit(two.create_account, "alice", 0)
            wait_for_waiters(postgres_url, 1, again)
        with pytest.raises(RefusedError) as refusal:
            again.result(PATIENCE)
        assert refusal.value.rule == Rule.ACCOUNT_EXISTS
        assert two.retries == 0  # the accounts' stream has a lock of its own


def test_crossed_keys_end_in_one_entry_each(database_url: str, pool: ThreadPoolExecutor) -> None:
    rounds, keys = 5, [f"k{number}" for number in range(40)]
    with economy(database_url, "alice", "bob") as one, Ledger.open(database_url) as two:
        one.create_asset("B", "B")
        one.mint("alice", 1_000, asset="B")
        start = threading.Barrier(2)

        def post_all(
            ledger: Ledger, asset: str, order: list[str], turn: int
        ) -> list[Receipt | RefusedError]:
            start.wait()
            return ledger.post_many(
                Movement("alice", "bob", 1, asset, idempotency_key=f"{turn}/{key}") for key in order
            )

        for turn in range(rounds):
            mine = pool.submit(post_all, one, "SCI", keys, turn)
            theirs = pool.submit(post_all, two, "B", keys[::-1], turn)
            pairs = zip(mine.result(PATIENCE), theirs.result(PATIENCE)[::-1], strict=True)
            for pair in pairs:
                [loser] = [result for result in pair if isinstance(result, RefusedError)]
                assert loser.rule == Rule.KEY_REUSED
        assert one.head("SCI").seq - 2 + one.head("B").seq - 1 == rounds * len(keys)
        assert one.audit().ok


def test_crossed_accounts_end_in_one_each(database_url: str, pool: ThreadPoolExecutor) -> None:
    with economy(database_url) as one, Ledger.open(database_url) as two:
        one.create_asset("B", "B")
        names = [f"account {number}" for number in range(60)]
        items = [OpenAccount(name, 1, "SCI") for name in names]
        others = [OpenAccount(name, 1, "B") for name in reversed(names)]
        mine, theirs = pool.submit(one.post_many, items), pool.submit(two.post_many, others)
        results = [*mine.result(PATIENCE), *theirs.result(PATIENCE)]
        assert sum(isinstance(result, Receipt) for result in results) == len(names)
        assert sum(1 for _ in one.accounts()) == len(names) + 1
        assert one.audit().ok


def test_a_deadlock_is_run_again_and_counted(postgres_url: str, pool: ThreadPoolExecutor) -> None:
    """Another program takes the keys in the other order; the ledger is the one who gives way."""
    insert = "INSERT INTO token_keys VALUES (%s, decode(repeat('00', 32), 'hex'), '{}', 0)"
    items = [Movement("alice", "bob", 1, idempotency_key=key) for key in ("a", "b")]
    with (
        economy(postgres_url, "alice", "bob") as ledger,
        psycopg.connect(libpq(postgres_url)) as other,
    ):
        other.execute("SET deadlock_timeout = '60s'")
        other.execute(insert, ("b",))
        posting = pool.submit(ledger.post_many, items)
        wait_for_waiters(postgres_url, 1, posting)
        other.execute(insert, ("a",))  # both wait, until the ledger notices
        other.rollback()
        assert all(isinstance(result, Receipt) for result in posting.result(PATIENCE))
        assert ledger.retries >= 1
        assert ledger.audit().ok


# --- threads and processes ---


def test_threads_share_one_ledger(database_url: str, pool: ThreadPoolExecutor) -> None:
    names = [f"account {number}" for number in range(8)]
    with economy(database_url, *names) as ledger:

        def work(number: int) -> list[int]:
            return [
                ledger.transfer(
                    names[number], names[(number + step) % 8], 1, idempotency_key=f"{number}/{step}"
                ).seq
                for step in range(1, 26)
                if step % 8
            ]

        seqs = [seq for done in pool.map(work, range(8)) for seq in done]
        assert sorted(seqs) == list(range(9, 9 + len(seqs)))
        assert ledger.get_total_supply() == 8_000 == sum(b.balance for b in ledger.balances())
        assert ledger.audit().ok


def test_threads_that_each_spend_the_last_unit(database_url: str, pool: ThreadPoolExecutor) -> None:
    with economy(database_url, "alice", "bob", balance=10) as ledger:

        def spend(_: int) -> bool:
            try:
                return ledger.transfer("alice", "bob", 1).amount == 1
            except RefusedError:
                return False

        assert sum(pool.map(spend, range(40))) == 10
        assert (ledger.get_balance("alice"), ledger.get_balance("bob")) == (0, 20)


def test_threads_may_make_assets_while_others_post(
    database_url: str, pool: ThreadPoolExecutor
) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        posting = [pool.submit(ledger.transfer, "alice", "bob", 1, asset="SCI") for _ in range(100)]
        made = [pool.submit(ledger.create_asset, f"B{number}", "B") for number in range(20)]
        assert {future.result(PATIENCE).amount for future in posting} == {1}
        assert sorted(f.result(PATIENCE).number for f in made) == list(range(2, 22))
        assert ledger.audit().ok


WORKER = """
import json, sys
from ledger import Ledger

url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Ledger.open(url, lock_timeout=30) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        pair = ("alice", "bob") if number % 2 else ("bob", "alice")
        entry = ledger.transfer(*pair, 1, idempotency_key=f"{name}/{number}", memo="x" * 500)
        print(json.dumps([entry.seq, str(entry.id)]), flush=True)
"""


class Worker:
    """A process that posts; it says of each entry that it was acknowledged."""

    def __init__(self, url: str, name: str, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, url, name, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self._line() == "ready\n"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.close()

    def read(self, count: int) -> list[tuple[int, str]]:
        """Return the next acknowledged entries, fewer at the end."""
        lines = [self._line() for _ in range(count)]
        return [(seq, id_) for seq, id_ in map(json.loads, filter(str.strip, lines))]

    def kill(self) -> list[tuple[int, str]]:
        """End it between two instructions; return what it still said before."""
        self._process.kill()
        return self.finish()

    def finish(self) -> list[tuple[int, str]]:
        assert self._process.stdout is not None
        rest = [line for line in self._process.stdout if line.endswith("]\n")]
        self._process.stdout.close()
        self._process.wait()
        return [(seq, id_) for seq, id_ in map(json.loads, rest)]


def test_processes_share_one_database(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        workers = [Worker(database_url, f"w{number}", 40) for number in range(3)]
        for worker in workers:
            worker.start()
        here = [ledger.transfer("alice", "bob", 1) for _ in range(20)]
        said = [entry for worker in workers for entry in worker.finish()]
        said += [(entry.seq, str(entry.id)) for entry in here]
        stored = [(entry.seq, str(entry.id)) for entry in ledger.entries(first=3)]
        assert sorted(said) == stored
        assert len(stored) == 3 * 40 + 20
        assert (ledger.get_balance("alice"), ledger.get_balance("bob")) == (980, 1_020)
        assert ledger.audit().ok


def test_what_was_acknowledged_survives_kill_9(database_url: str) -> None:
    """I11, as far as a process goes: each is killed while it posts, at another moment."""
    with economy(database_url, "alice", "bob") as ledger:
        acknowledged: list[tuple[int, str]] = []
        for turn in range(4):
            worker = Worker(database_url, f"w{turn}", 10_000)
            worker.start()
            acknowledged += worker.read(5 + 7 * turn)
            time.sleep(0.002 * turn)
            acknowledged += worker.kill()
            report = ledger.audit()
            assert report.ok, report.finding
        stored = {(entry.seq, str(entry.id)) for entry in ledger.entries()}
        assert len(acknowledged) >= 5 + 12 + 19 + 26
        assert set(acknowledged) <= stored
        assert len(stored) - 2 <= len(acknowledged) + 4  # at most one not acknowledged each
        assert ledger.transfer("alice", "bob", 1).seq == len(stored) + 1


def interrupted(act: Callable[[], object]) -> None:
    """Act, and be interrupted."""
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    act()


def test_who_is_interrupted_while_waiting_posts_nothing(
    sqlite_url: str, pool: ThreadPoolExecutor
) -> None:
    with economy(sqlite_url, "alice", "bob") as ledger:
        with raw(sqlite_url) as other:
            other.run("BEGIN IMMEDIATE")
            posting = [pool.submit(ledger.transfer, "alice", "bob", 1) for _ in range(2)]
            wait_for_waiters(sqlite_url, 1, *posting)
            before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
            with pytest.raises(KeyboardInterrupt):
                interrupted(lambda: ledger.transfer("alice", "bob", 500))
            signal.signal(signal.SIGUSR1, before)
            other.run("ROLLBACK")
        assert sorted(future.result(PATIENCE).seq for future in posting) == [3, 4]
        assert ledger.transfer("alice", "bob", 1).seq == 5
        assert ledger.get_balance("bob") == 1_003


# --- waiting ends ---


def test_postgresql_says_who_holds_the_journal(postgres_url: str) -> None:
    with (
        economy(postgres_url, "alice", "bob", lock_timeout=0.2) as ledger,
        psycopg.connect(libpq(postgres_url), application_name="nightly report") as other,
    ):
        other.execute("SELECT * FROM token_journals FOR UPDATE")
        pid = other.info.backend_pid
        expected = rf"try again .*held by pid {pid} \(nightly report\), idle in transaction"
        with pytest.raises(BusyError, match=expected):
            ledger.transfer("alice", "bob", 1)
        other.rollback()
        other.execute("SELECT * FROM token_settings FOR UPDATE")
        with pytest.raises(BusyError, match=rf"seal: .*held by pid {pid}"):
            ledger.seal()
        with pytest.raises(BusyError, match=rf"create the asset: .*held by pid {pid}"):
            ledger.create_asset("B", "B")
        other.rollback()
        assert ledger.transfer("alice", "bob", 1).seq == 3


def test_a_writer_of_the_ledger_is_named_as_such(postgres_url: str) -> None:
    with (
        economy(postgres_url, "alice", "bob", lock_timeout=0.2) as one,
        Ledger.open(postgres_url, lock_timeout=0.2) as two,
    ):
        with (
            posted_but_not_committed(one, [Movement("alice", "bob", 1)]),
            pytest.raises(BusyError, match=r"held by pid \d+ \(evm-ledger\)"),
        ):
            two.transfer("alice", "bob", 1)
        assert two.transfer("alice", "bob", 1).seq == 4


def test_a_locked_sqlite_database_is_waited_for_and_then_said_so(
    sqlite_url: str, pool: ThreadPoolExecutor
) -> None:
    with economy(sqlite_url, "alice", "bob", lock_timeout=0.3) as ledger:
        with raw(sqlite_url) as other:
            other.run("BEGIN IMMEDIATE")
            before = time.monotonic()
            with pytest.raises(BusyError, match=r"another writer .*try again .*locked"):
                ledger.transfer("alice", "bob", 1)
            assert time.monotonic() - before >= 0.3
            assert ledger.get_balance("alice") == 1_000  # reading does not wait
            other.run("ROLLBACK")
            other.run("BEGIN IMMEDIATE")
            waiting = pool.submit(Ledger.open(sqlite_url).transfer, "alice", "bob", 1)
            wait_for_waiters(sqlite_url, 1, waiting)
            other.run("ROLLBACK")
        assert waiting.result(PATIENCE).seq == 3


def test_other_isolation_is_refused_by_name(postgres_url: str) -> None:
    with economy(postgres_url, "alice", "bob") as ledger:
        engine = ledger._transactions.engine
        ledger._transactions.engine = engine.execution_options(isolation_level="REPEATABLE READ")
        ledger._transactions.memory = Memory()  # a guess is one statement, a transaction of its own
        with pytest.raises(DatabaseFileError, match=r"READ COMMITTED.*REPEATABLE READ"):
            ledger.transfer("alice", "bob", 1)
        ledger._transactions.engine = engine
        assert ledger.head().seq == 2


def test_a_session_that_was_ended_posts_nothing(postgres_url: str) -> None:
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'evm-ledger' AND datname = current_database()"
    )
    with economy(postgres_url, "alice", "bob") as ledger, raw(postgres_url) as administrator:
        with (
            unchanged(postgres_url),
            pytest.raises(DBAPIError),
            posted_but_not_committed(ledger, [Movement("alice", "bob", 5)]),
        ):
            administrator.run(end)
        administrator.run(end)  # those that wait in the pool, too
        assert ledger.transfer("alice", "bob", 5).seq == 3
        assert ledger.audit().ok
