"""A dry run says what a run would, and leaves nothing: property and facts, on both databases."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from ledger import Group, Ledger, Movement, OpenAccount, Receipt, RefusedError, Rule, Status
from ledger.requests import PlaceHold, Reverse, SetLimits, SetStatus, VoidHold
from tests.ledger.support import START, accepted, dump, economy, unchanged
from tests.oracle.requests import items

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledger.requests import Item
    from tests.support.postgres import PostgresServer

LATER = START + 10_000_000
"""When the runs that are compared happen: at one instant."""


def shown(result: Receipt | RefusedError) -> Receipt | str:
    """Return a result as a value."""
    return f"{type(result).__name__} {result}" if isinstance(result, RefusedError) else result


@pytest.fixture
def copied(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Return what copies the database as it is, and returns the URL of the copy."""
    numbers = iter(range(10_000))

    def copy() -> str:
        url = make_url(database_url)
        if url.get_backend_name() == "sqlite":
            target = tmp_path / f"copy-{next(numbers)}.db"
            shutil.copyfile(str(url.database), target)
            return f"sqlite:///{target}"
        server: PostgresServer = request.getfixturevalue("postgres_server")
        name = server.create_database(str(url.database))
        request.addfinalizer(lambda: server.drop_database(name))
        return server.url(name)

    return copy


@given(batch=st.lists(items, min_size=1, max_size=6))
@settings(max_examples=30)
def test_its_results_are_those_of_the_run(
    database_url: str, copied: Callable[[], str], batch: list[Item]
) -> None:
    """Run it dry, run it for real on a copy, and compare."""
    if not _is_there(database_url):
        with economy(database_url, "a", "b", "c", balance=50) as ledger:
            ledger.create_asset("EUR", "Euro", 2, endowment=100)
            ledger.hold("a", 9, "b", asset="SCI", idempotency_key="k")
    with Ledger.open(database_url, clock=lambda: LATER) as ledger, unchanged(database_url):
        dry = ledger.post_many(batch, dry_run=True)
        assert list(map(shown, ledger.post_many(batch, dry_run=True))) == list(map(shown, dry))
    with Ledger.open(copied(), clock=lambda: LATER) as ledger:
        assert list(map(shown, ledger.post_many(batch))) == list(map(shown, dry))


def _is_there(url: str) -> bool:
    try:
        return bool(dump(url)["token_settings"])
    except Exception:  # noqa: BLE001 (either driver's: there is no such table)
        return False


def test_every_function_can_be_run_dry(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        hold = ledger.hold("alice", 10, "bob").id
        entry = ledger.transfer("alice", "bob", 5).id
        ledger.create_account("idle", 0)
        functions: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
            (ledger.create_account, ("carol", 5), {}),
            (ledger.transfer, ("alice", "bob", 5), {}),
            (ledger.mint, ("alice", 5), {}),
            (ledger.burn, ("alice", 5), {}),
            (ledger.hold, ("alice", 5), {}),
            (ledger.post_hold, (hold, 4), {"keep_rest": True}),
            (ledger.void_hold, (hold,), {}),
            (ledger.reverse, (entry,), {}),
            (ledger.freeze_account, ("alice",), {}),
            (ledger.close_account, ("idle",), {}),
            (ledger.set_limits, ("alice",), {"max_debit": 5}),
        ]
        for function, arguments, options in functions:
            with unchanged(database_url):
                assert function(*arguments, **options, dry_run=True) is not None
        ledger.freeze_account("alice")
        with unchanged(database_url):
            assert ledger.reopen_account("alice", dry_run=True).status == Status.OPEN
        assert ledger.account("alice").status == Status.FROZEN
        assert ledger.audit().ok


def test_its_refusals_are_raised_as_of_any_call(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger, unchanged(database_url):
        with pytest.raises(RefusedError) as refused:
            ledger.transfer("alice", "bob", 1_001, dry_run=True)
        assert refused.value.rule == Rule.INSUFFICIENT_AVAILABLE


def test_each_item_stands_on_what_the_ones_before_would_make(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        entry = ledger.transfer("alice", "bob", 1).id
        batch: list[Item] = [
            OpenAccount("carol", 7, idempotency_key="k"),
            Movement("carol", "bob", 7),
            Movement("carol", "bob", 1),
            OpenAccount("carol", 7, idempotency_key="k"),
            SetStatus("carol", Status.CLOSED),
            Movement("bob", "carol", 1),
            Reverse(entry),
            Reverse(entry),
            PlaceHold("bob", 1_000),
            SetLimits("bob", None, 5),
            Group((Movement("alice", "bob", 5), Movement("bob", "alice", 6))),
        ]
        with unchanged(database_url):
            dry = ledger.post_many(batch, dry_run=True)
        rules = [it.rule if isinstance(it, RefusedError) else None for it in dry]
        assert rules == [
            None, None, Rule.INSUFFICIENT_AVAILABLE, None, None, Rule.ACCOUNT_CLOSED, None,
            Rule.ENTRY_REVERSED, None, None, Rule.DEBIT_LIMIT,
        ]  # fmt: skip
        assert accepted(dry[3]).repeated
        assert "k" not in str(dump(database_url)["token_keys"])


def test_it_spans_runs(database_url: str) -> None:
    """What a dry run of several runs says in the last depends on all of them."""
    with economy(database_url, "alice", "bob", balance=10_000) as ledger:
        with unchanged(database_url):
            dry = ledger.post_many([Movement("alice", "bob", 1)] * 10_001, dry_run=True)
        assert [isinstance(it, Receipt) for it in dry] == [True] * 10_000 + [False]
        assert accepted(dry[9_999]).entries[0].balance_after_from == 0


def test_a_dry_run_does_not_disturb_the_next_call(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        for _ in range(3):
            ledger.transfer("alice", "bob", 100)
            with unchanged(database_url):
                ledger.transfer("alice", "bob", 50, dry_run=True)
                ledger.post_many([PlaceHold("alice", 600, idempotency_key="k")], dry_run=True)
                ledger.freeze_account("alice", dry_run=True)
                ledger.set_limits("alice", max_debit=1, dry_run=True)
        assert ledger.balance("alice").available == 700
        hold = accepted(ledger.post_many([PlaceHold("alice", 600, idempotency_key="k")])[0])
        assert not hold.repeated
        assert hold.hold is not None
        accepted(ledger.post_many([VoidHold(hold.hold.id)])[0])
        assert ledger.audit().ok
