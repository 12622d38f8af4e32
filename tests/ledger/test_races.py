"""The same idempotency key in two processes at once: one makes it, the other is told the same.

And what goes wrong inside one process: a fork, a thread that is interrupted, a full disk.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from ledger import (
    ConflictError,
    DatabaseFileError,
    Group,
    Ledger,
    Movement,
    OpenAccount,
    PlaceHold,
    PostHold,
    Receipt,
    RefusedError,
    Reverse,
    Rule,
    VoidHold,
)
from tests.ledger.support import accepted, economy, raw, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger.requests import Item

PATIENCE = 120.0

OTHER_PROCESS = """
import pickle, sys, time
from ledger import Ledger

with Ledger.open(sys.argv[1], lock_timeout=30) as ledger:
    while True:
        try:
            at, items = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        time.sleep(max(0, at - time.time()))
        sys.stdout.buffer.write(pickle.dumps((ledger.post_many(items), ledger.retries)))
        sys.stdout.buffer.flush()
"""


class Elsewhere:
    """A ledger in another process, which posts at a given instant."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", OTHER_PROCESS, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        self.retries = 0

    def send(self, at: float, items: list[Item]) -> None:
        assert self._process.stdin is not None
        pickle.dump((at, items), self._process.stdin)
        self._process.stdin.flush()

    def receive(self) -> list[Receipt | RefusedError]:
        assert self._process.stdout is not None
        results: list[Receipt | RefusedError]
        results, self.retries = pickle.load(self._process.stdout)  # noqa: S301 (our own process)
        return results

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(PATIENCE)


@pytest.fixture
def pair(database_url: str) -> Iterator[tuple[Ledger, Elsewhere]]:
    """Return one ledger here and in another process."""
    with economy(database_url, "alice", "bob", balance=10**6, clock=None) as ledger:
        elsewhere = Elsewhere(database_url)
        yield ledger, elsewhere
        elsewhere.close()
        report = ledger.audit()
        assert report.ok, report.finding


def both(
    pair: tuple[Ledger, Elsewhere], mine: list[Item], theirs: list[Item]
) -> tuple[list[Receipt | RefusedError], list[Receipt | RefusedError]]:
    """Post in both processes at the same instant."""
    ledger, elsewhere = pair
    at = time.time() + 0.02
    elsewhere.send(at, theirs)
    time.sleep(max(0, at - time.time()))
    return ledger.post_many(mine), elsewhere.receive()


# --- one key, two processes -------------------------------------------------------------------


def _movement(_: Ledger, key: str) -> Item:
    return Movement("alice", "bob", 1, "SCI", idempotency_key=key)


def _group(_: Ledger, key: str) -> Item:
    return Group((Movement("alice", "bob", 1, "SCI"), Movement("bob", "alice", 2, "SCI")), key)


def _place(_: Ledger, key: str) -> Item:
    return PlaceHold("alice", 5, "bob", idempotency_key=key)


def _post_hold(ledger: Ledger, key: str) -> Item:
    return PostHold(ledger.hold("alice", 5, "bob").id, 3, keep_rest=True, idempotency_key=key)


def _void_hold(ledger: Ledger, key: str) -> Item:
    return VoidHold(ledger.hold("alice", 5).id, key)


def _reverse(ledger: Ledger, key: str) -> Item:
    return Reverse(ledger.transfer("alice", "bob", 5).id, 2, idempotency_key=key)


def _account(_: Ledger, key: str) -> Item:
    return OpenAccount(f"new {key}", 5, "SCI", key)


KEYED: Final[dict[str, Callable[[Ledger, str], Item]]] = {
    "movement": _movement, "group": _group, "hold": _place, "post_hold": _post_hold,
    "void_hold": _void_hold, "reverse": _reverse, "account": _account,
}  # fmt: skip
"""Every kind of request that has a key."""


def other(ledger: Ledger, item: Any) -> Item:  # noqa: ANN401 (of any keyed kind)
    """Return another request with the same key, of the same kind."""
    changed: Item
    if isinstance(item, Group):
        changed = replace(item, movements=(*item.movements, Movement("alice", "bob", 9, "SCI")))
    elif isinstance(item, OpenAccount):
        changed = replace(item, account_id=f"{item.account_id}, too")
    elif isinstance(item, VoidHold):
        changed = replace(item, hold=ledger.hold("alice", 1).id)
    else:
        changed = replace(item, memo="another")
    return changed


def once(receipt: Receipt) -> Receipt:
    """Return the receipt without the mark that it is a repetition."""
    entries = tuple(replace(entry, repeated=False) for entry in receipt.entries)
    return replace(receipt, entries=entries, repeated=False)


def test_one_makes_it_and_the_other_gets_the_same(pair: tuple[Ledger, Elsewhere]) -> None:
    for kind, turn in product(KEYED, range(4)):
        item = KEYED[kind](pair[0], f"{kind} {turn}")
        [mine], [theirs] = both(pair, [item], [item])
        assert sorted([accepted(mine).repeated, accepted(theirs).repeated]) == [False, True], kind
        assert once(accepted(mine)) == once(accepted(theirs))


def test_one_makes_it_and_another_request_is_refused(pair: tuple[Ledger, Elsewhere]) -> None:
    for kind, turn in product(KEYED, range(4)):
        item = KEYED[kind](pair[0], f"{kind} {turn}")
        results = [each for done in both(pair, [item], [other(pair[0], item)]) for each in done]
        [made] = [each for each in results if isinstance(each, Receipt)]
        [refused] = [each for each in results if isinstance(each, RefusedError)]
        assert (made.repeated, refused.rule) == (False, Rule.KEY_REUSED)


def test_keys_that_cross_between_processes_are_run_again(
    pair: tuple[Ledger, Elsewhere],
) -> None:
    """Two assets have no lock in common, so that the keys themselves collide: never surfaced."""
    ledger, elsewhere = pair
    ledger.create_asset("EUR", "Euro")
    ledger.mint("alice", 10**6, asset="EUR")
    is_postgresql = ledger._transactions.engine.dialect.name == "postgresql"
    for turn in count():  # until they have met; on SQLite they never do
        if turn >= 8 and (not is_postgresql or ledger.retries + elsewhere.retries > 0):
            break
        keys = [f"{turn}/{number}" for number in range(60)]
        mine: list[Item] = [Movement("alice", "bob", 1, "SCI", idempotency_key=k) for k in keys]
        theirs: list[Item] = [
            Movement("alice", "bob", 1, "EUR", idempotency_key=k) for k in reversed(keys)
        ]
        here, there = both(pair, mine, theirs)
        for one, two in zip(here, reversed(there), strict=True):
            [loser] = [each for each in (one, two) if isinstance(each, RefusedError)]
            assert loser.rule == Rule.KEY_REUSED


# --- forks ------------------------------------------------------------------------------------

FORK = """
import json, os, signal, sys, threading, time
from ledger import DatabaseFileError, Ledger

url, busy = sys.argv[1], sys.argv[2] == "busy"
ledger = Ledger.open(url, lock_timeout=30)
said = [ledger.transfer("alice", "bob", 1).seq]
started = threading.Event()
thread = threading.Thread(
    target=lambda: (started.set(), said.append(ledger.transfer("alice", "bob", 1).seq))
)
if busy:
    print("posted", flush=True)
    sys.stdin.readline()
    thread.start()
    started.wait()
    time.sleep(0.3)
ready, go, answer = os.pipe(), os.pipe(), os.pipe()
if os.fork() == 0:
    signal.alarm(40)
    try:
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        told = [ledger.transfer("bob", "alice", 1).seq for _ in range(3)]
    except DatabaseFileError as error:
        told = str(error)
    os.write(answer[1], json.dumps(told).encode())
    os._exit(0)
os.read(ready[0], 1)
if busy:
    print("blocked", flush=True)
    thread.join()
ledger.close()
os.write(go[1], b"x")
told = json.loads(os.read(answer[0], 65536))
print(json.dumps([said, told]))
os.wait()
"""


def forked(url: str, *, busy: bool) -> tuple[list[int], Any]:
    """Return what a process was told that posts and forks, and what its child was told."""
    with subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            FORK,
            url,
            "busy" if busy else "",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if busy:
            assert process.stdout.readline() == "posted\n"
            with raw(url) as database:
                database.run("BEGIN" if database.postgresql else "BEGIN IMMEDIATE")
                database.run("UPDATE token_journals SET seq = seq")
                print(file=process.stdin, flush=True)
                assert process.stdout.readline() == "blocked\n"
                database.run("ROLLBACK")
        said, told = json.loads(process.stdout.readline())
    return said, told


def test_what_a_child_acknowledges_outlives_its_parent(database_url: str) -> None:
    """On SQLite the parent, thinking itself the last, would take away the child's log."""
    economy(database_url, "alice", "bob", clock=None).close()
    said, told = forked(database_url, busy=False)
    assert (said, told) == ([3], [4, 5, 6])
    with Ledger.open(database_url) as ledger:
        assert ledger.head().seq == 6
        assert ledger.audit().ok


def test_a_fork_while_a_thread_posts(database_url: str) -> None:
    """The child waits for no thread of its parent; on SQLite it is told that it cannot post."""
    economy(database_url, "alice", "bob", clock=None).close()
    said, told = forked(database_url, busy=True)
    assert said == [3, 4]
    with Ledger.open(database_url) as ledger:
        if database_url.startswith("sqlite"):
            assert "in use when this process was forked" in told
            assert ledger.head().seq == 4
        else:
            assert told == [5, 6, 7]
        assert ledger.audit().ok


# --- interruptions ----------------------------------------------------------------------------


@contextmanager
def interruptible() -> Iterator[Callable[[float], None]]:
    """Give a function that interrupts this thread, as Ctrl-C does, after some seconds."""
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    yield lambda delay: threading.Timer(delay, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    time.sleep(0.05)
    signal.signal(signal.SIGUSR1, before)


def test_who_posts_for_all_is_interrupted(postgres_url: str) -> None:
    """The others are told to ask again by their keys; nothing is there twice, nobody waits on.

    (SQLite waits in C, where Ctrl-C is heard only when the waiting ends.)
    """
    with (
        economy(postgres_url, "alice", "bob", clock=None) as ledger,
        ThreadPoolExecutor(4) as pool,
        interruptible() as interrupt,
        raw(postgres_url) as other,
    ):
        other.run("BEGIN")
        other.run("UPDATE token_journals SET seq = seq")
        keys = [f"k{number}" for number in range(4)]
        waiting: list[Any] = []

        def ask(key: str) -> object:
            try:
                return ledger.transfer("alice", "bob", 1, idempotency_key=key)
            except ConflictError as conflict:
                return conflict

        asking = threading.Timer(0.2, lambda: waiting.extend(pool.submit(ask, k) for k in keys))
        asking.start()

        def be_interrupted() -> None:
            interrupt(0.5)
            ledger.transfer("alice", "bob", 500, idempotency_key="mine")

        with pytest.raises(KeyboardInterrupt):
            be_interrupted()
        asking.join()
        other.run("ROLLBACK")
        answers = [future.result(PATIENCE) for future in waiting]
        assert len(answers) == len(keys)
        for key in keys:
            ledger.transfer("alice", "bob", 1, idempotency_key=key)
        assert ledger.get_balance("bob") in {1_004, 1_504}
        mine = ledger.transfer("alice", "bob", 500, idempotency_key="mine")
        assert ledger.get_balance("bob") == 1_504
        assert list(ledger.entries(first=mine.seq, last=mine.seq)) == [
            replace(mine, repeated=False)
        ]
        assert ledger.audit().ok


def test_interruptions_at_every_moment(database_url: str) -> None:
    """Threads of one ledger, whose leader is interrupted again and again."""
    with (
        economy(database_url, "alice", "bob", clock=None, balance=10**6) as ledger,
        ThreadPoolExecutor(4) as pool,
        interruptible() as interrupt,
    ):
        stop = threading.Event()

        def work(name: int) -> list[str]:
            keys: list[str] = []
            while not stop.is_set():
                keys.append(f"{name}/{len(keys)}")
                for _ in range(50):
                    try:
                        ledger.transfer("alice", "bob", 1, idempotency_key=keys[-1])
                        break
                    except ConflictError:
                        continue
            return keys

        workers = [pool.submit(work, name) for name in range(4)]
        mine: list[str] = []
        for turn in range(40):
            try:
                interrupt(0.001 + 0.0007 * turn)
                while True:
                    mine.append(f"main/{len(mine)}")
                    ledger.transfer("alice", "bob", 1, idempotency_key=mine[-1])
            except KeyboardInterrupt:
                pass
        stop.set()
        keys = [key for worker in workers for key in worker.result(PATIENCE)] + mine
        for key in mine:
            ledger.transfer("alice", "bob", 1, idempotency_key=key)
        assert ledger.get_balance("bob") == 10**6 + len(keys)
        assert ledger.audit().ok


# --- a disk that is full ----------------------------------------------------------------------


def test_a_full_disk_is_named_and_nothing_is_lost(sqlite_url: str, tmp_path: Path) -> None:
    """A limit on the size of files is what a full disk is to SQLite: a write that fails."""
    with economy(sqlite_url, "alice", "bob", clock=None) as ledger:
        ledger.transfer("alice", "bob", 1)
        written = max(path.stat().st_size for path in tmp_path.iterdir())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            with unchanged(sqlite_url):
                resource.setrlimit(resource.RLIMIT_FSIZE, (written, hard))
                with pytest.raises(DatabaseFileError, match="full; make room"):
                    ledger.post_many(
                        Movement("alice", "bob", 1, memo="x" * 1_000) for _ in range(500)
                    )
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        assert ledger.transfer("alice", "bob", 1).seq == 4
        assert ledger.audit().ok
