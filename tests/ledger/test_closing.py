"""A closed asset: its journal has ended, by the schema alone, whoever posts and however."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from ledger import (
    ConflictError,
    Group,
    Ledger,
    Movement,
    NotFoundError,
    RefusedError,
    Rule,
)
from tests.ledger.applications import application
from tests.ledger.support import raw, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def url(database_url: str) -> str:
    """Return a ledger with two assets, the first of which is closed with its entry 4."""
    with Ledger.create(database_url) as ledger:
        ledger.create_asset("SCI", "SCI token", 0)
        ledger.create_asset("GOLD", "Gold", 0)
        for name in ("alice", "bob"):
            for asset in ("SCI", "GOLD"):
                if asset == "SCI":
                    ledger.create_account(name, 100, asset=asset)
                else:
                    ledger.mint(name, 100, asset=asset)
        ledger.transfer("alice", "bob", 1, asset="SCI", idempotency_key="first")
        ledger.void_hold(ledger.hold("alice", 5, asset="SCI").id)
        ledger.burn("bob", 1, asset="SCI")
        ledger.seal()
        ledger.close_asset("SCI", 4)
    return database_url


@pytest.fixture
def closed(url: str) -> Iterator[Ledger]:
    with Ledger.open(url) as ledger:
        yield ledger


POSTS: dict[str, Callable[[Ledger], object]] = {
    "transfer": lambda it: it.transfer("alice", "bob", 1, asset="SCI"),
    "mint": lambda it: it.mint("alice", 1, asset="SCI"),
    "burn": lambda it: it.burn("alice", 1, asset="SCI"),
    "hold": lambda it: it.hold("alice", 1, asset="SCI"),
    "limits": lambda it: it.set_limits("alice", asset="SCI", max_debit=1),
    "reversal": lambda it: it.reverse(next(it.entries("SCI", 4)).id),
    "endowment": lambda it: it.create_account("carol", 1, asset="SCI"),
    "dry run": lambda it: it.transfer("alice", "bob", 1, asset="SCI", dry_run=True),
}


@pytest.mark.parametrize("what", POSTS)
def test_nothing_is_posted(closed: Ledger, url: str, what: str) -> None:
    with unchanged(url), pytest.raises(RefusedError, match="chain finalize") as refusal:
        POSTS[what](closed)
    assert refusal.value.rule is Rule.ASSET_CLOSED
    assert closed.head("SCI").closed
    assert closed.audit().ok


def test_other_rules_come_first(closed: Ledger) -> None:
    with pytest.raises(RefusedError) as refusal:
        closed.transfer("alice", "bob", 10**6, asset="SCI")
    assert refusal.value.rule is Rule.INSUFFICIENT_AVAILABLE


def test_a_repeated_request_has_its_first_result(closed: Ledger) -> None:
    again = closed.transfer("alice", "bob", 1, asset="SCI", idempotency_key="first")
    assert again.seq == 3


def test_everything_else_goes_on(closed: Ledger) -> None:
    assert not closed.head("GOLD").closed
    for _ in range(3):  # the second and third by what is remembered
        closed.transfer("alice", "bob", 1, asset="GOLD")
    closed.freeze_account("alice")
    closed.reopen_account("alice")
    closed.create_account("dora", 0, asset="SCI")
    assert closed.get_balance("alice", "SCI") == 99
    assert closed.seal()
    assert closed.audit().ok


def test_a_run_is_refused_item_by_item_and_a_group_whole(closed: Ledger) -> None:
    gold, sci = (Movement("alice", "bob", 1, asset) for asset in ("GOLD", "SCI"))
    results = closed.post_many([gold, sci, Group((gold, sci)), gold])
    rules = [it.rule if isinstance(it, RefusedError) else None for it in results]
    assert rules == [None, Rule.ASSET_CLOSED, Rule.ASSET_CLOSED, None]
    assert closed.head("GOLD").seq == 4


def test_nor_in_the_callers_transaction(closed: Ledger, url: str) -> None:
    with application(url) as engine, engine.connect() as connection, connection.begin():
        joined = closed.on(connection, "GOLD", "SCI")
        joined.transfer("alice", "bob", 1, asset="GOLD")
        with pytest.raises(RefusedError) as refusal:
            joined.transfer("alice", "bob", 1, asset="SCI")
        assert refusal.value.rule is Rule.ASSET_CLOSED
        joined.transfer("alice", "bob", 1, asset="GOLD")
    assert (closed.head("SCI").seq, closed.head("GOLD").seq) == (4, 4)


def test_reopened_it_goes_on(closed: Ledger) -> None:
    closed.reopen_asset("SCI")
    assert not closed.head("SCI").closed
    assert closed.transfer("alice", "bob", 1, asset="SCI").seq == 5
    closed.close_asset("SCI", 5)
    with pytest.raises(RefusedError):
        closed.transfer("alice", "bob", 1, asset="SCI")


def test_a_process_that_remembers_is_refused_too(url: str) -> None:
    """Its guess was made when the asset was open."""
    with Ledger.open(url) as here, Ledger.open(url) as there:
        for _ in range(3):
            here.transfer("alice", "bob", 1, asset="GOLD")
        there.close_asset("GOLD", here.head("GOLD").seq)
        for _ in range(2):
            with pytest.raises(RefusedError) as refusal:
                here.transfer("alice", "bob", 1, asset="GOLD")
            assert refusal.value.rule is Rule.ASSET_CLOSED


@pytest.mark.parametrize("seq", [0, 3, 5])
def test_it_ends_with_the_entry_that_was_looked_at(closed: Ledger, url: str, seq: int) -> None:
    closed.reopen_asset("SCI")
    with unchanged(url), pytest.raises(ConflictError, match=f"the last entry is 4, not {seq}"):
        closed.close_asset("SCI", seq)


def test_it_does_not_end_with_a_hold(closed: Ledger, url: str) -> None:
    held = closed.hold("alice", 1, asset="GOLD")
    with unchanged(url), pytest.raises(ConflictError, match="a hold is pending"):
        closed.close_asset("GOLD", closed.head("GOLD").seq)
    closed.void_hold(held.id)
    closed.close_asset("GOLD", closed.head("GOLD").seq)


def test_an_unknown_asset(closed: Ledger) -> None:
    with pytest.raises(NotFoundError):
        closed.close_asset("XAU", 0)
    with pytest.raises(NotFoundError):
        closed.reopen_asset("XAU")


def test_whoever_posts_meanwhile_is_before_the_end_or_refused(url: str) -> None:
    """Four threads post while the asset is closed: whichever comes first, nothing is after it."""
    with Ledger.open(url) as ledger:
        posted: list[int] = []
        refused: list[Rule] = []
        started = threading.Barrier(5)

        def post() -> None:
            started.wait()
            for _ in range(25):
                try:
                    posted.append(ledger.mint("alice", 1, asset="GOLD").seq)
                except RefusedError as error:
                    refused.append(error.rule)

        threads = [threading.Thread(target=post) for _ in range(4)]
        for thread in threads:
            thread.start()
        started.wait()
        while True:
            try:
                ledger.close_asset("GOLD", end := ledger.head("GOLD").seq)
                break
            except ConflictError:
                continue
        for thread in threads:
            thread.join()
        assert ledger.head("GOLD").seq == end == max([2, *posted])
        assert len(posted) + len(refused) == 100
        assert set(refused) <= {Rule.ASSET_CLOSED}
        assert ledger.audit().ok


def test_the_schema_does_it_alone(url: str) -> None:
    with raw(url) as database:
        for column in ("seq", "events"):
            with pytest.raises(Exception, match="token_journals_closed"):
                database.run(f"UPDATE token_journals SET {column} = {column} + 1 WHERE asset = 1")  # noqa: S608 (our own names)
