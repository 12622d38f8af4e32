"""Large runs: entries are stored while the next are decided, the garbage collector pauses."""

from __future__ import annotations

import gc
import os
import threading
from typing import TYPE_CHECKING

import pytest

from ledger import Ledger, Movement, Receipt, RefusedError, Rule
from ledger.pauses import LARGE, no_collection
from ledger.rules import Decisions
from tests.ledger.support import Anything, economy, raw, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 3 * LARGE


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with economy(database_url, "alice", "bob") as ledger:
        yield ledger


def payments(count: int = SIZE, **changed: Anything) -> list[Movement]:
    """Return payments, the middle one of which may be changed."""
    items = [Movement("alice", "bob", 1, idempotency_key=f"k{n}") for n in range(count)]
    if changed:
        items[count // 2] = Movement(**{"from_account": "bob", "to_account": "alice", **changed})
    return items


def test_what_fails_half_way_leaves_nothing(
    ledger: Ledger, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("half-way")

    items = payments(to_account="nobody", amount=1)
    with unchanged(database_url), monkeypatch.context() as patch:
        patch.setattr(Decisions, "decide", fail)
        with pytest.raises(RuntimeError, match="half-way"):
            ledger.post_many(items)
    assert gc.isenabled()
    results = ledger.post_many(items)
    assert sum(isinstance(result, Receipt) for result in results) == SIZE - 1
    assert ledger.audit().ok


def test_an_interrupted_run_leaves_nothing(
    ledger: Ledger, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with unchanged(database_url), monkeypatch.context() as patch:
        patch.setattr(Decisions, "decide", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ledger.post_many(payments(to_account="nobody", amount=1))
    assert gc.isenabled()
    assert ledger.transfer("alice", "bob", 1).seq == 3
    assert ledger.audit().ok


def test_a_run_that_is_refused_whole_writes_nothing(ledger: Ledger, database_url: str) -> None:
    with unchanged(database_url):
        results = ledger.post_many([Movement("alice", "nobody", 1)] * SIZE)
        assert {it.rule for it in results if isinstance(it, RefusedError)} == {Rule.UNKNOWN_ACCOUNT}


def test_a_row_that_the_database_refuses_is_refused_alone(
    ledger: Ledger, database_url: str
) -> None:
    name, table = "token_ledger_amount_positive", "token_ledger"
    with raw(database_url) as database:
        if database.postgresql:
            database.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            database.run(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (reason <> 'bad')")
        else:
            database.run(
                f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN NEW.reason = 'bad' "
                f"BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: {name}'); END"
            )
    results = ledger.post_many(payments(amount=1, reason="bad"))
    refused = [n for n, result in enumerate(results) if isinstance(result, RefusedError)]
    assert refused == [SIZE // 2]
    assert ledger.head().seq == 2 + SIZE - 1
    assert ledger.audit().ok


def test_a_large_run_gives_each_its_own_result(ledger: Ledger) -> None:
    items = payments(amount=10**9)
    results = ledger.post_many([*items, *items])
    assert [isinstance(it, RefusedError) for it in results[:SIZE]] == [
        n == SIZE // 2 for n in range(SIZE)
    ]
    for first, again in zip(results[:SIZE], results[SIZE:], strict=True):
        if isinstance(first, Receipt):
            assert isinstance(again, Receipt)
            assert again.repeated
            assert again.entries[0].id == first.entries[0].id
    assert ledger.head().seq == 2 + SIZE - 1
    assert ledger.audit().ok


# --- the garbage collector ---


def test_the_collector_pauses_for_a_large_run_only() -> None:
    with no_collection(LARGE - 1):
        assert gc.isenabled()
    with no_collection(LARGE):
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_pause_ends_with_the_run_that_began_it() -> None:
    with no_collection(LARGE), no_collection(LARGE):
        pass
    assert gc.isenabled()
    first, second = no_collection(LARGE), no_collection(LARGE)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with no_collection(LARGE):
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_many_threads_leave_the_collector_on() -> None:
    def pause() -> None:
        for _ in range(2_000):
            with no_collection(LARGE):
                pass

    threads = [threading.Thread(target=pause) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gc.isenabled()


def test_a_forked_child_has_the_collector_on() -> None:
    with no_collection(LARGE):
        child = os.fork()
        if child == 0:
            os._exit(0 if gc.isenabled() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert not gc.isenabled()
    assert gc.isenabled()
