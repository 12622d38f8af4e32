"""`Ledger.on`: the application's rows and the entries commit or roll back together."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from ledger import (
    ISSUER,
    FieldError,
    Group,
    Hash32,
    HoldState,
    Ledger,
    Movement,
    PlaceHold,
    RefusedError,
    Reverse,
    Rule,
    Status,
)
from tests.ledger.applications import application, order, orders
from tests.ledger.support import START, Anything, accepted, create, economy, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from ledger import Joined


@pytest.fixture(params=["sqlite", "sqlite that begins", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    kind = str(request.param).split(" ", maxsplit=1)[0]
    found: str = request.getfixturevalue(f"{'postgres' if kind == 'postgresql' else kind}_url")
    return found


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with economy(url, "alice", "bob") as it:
        yield it


@pytest.fixture
def engine(
    request: pytest.FixtureRequest,
    url: str,
    ledger: Ledger,  # noqa: ARG001 (is there first)
) -> Iterator[Engine]:
    with application(url, begins="begins" in request.node.name) as it:
        yield it


# --- together, or not at all ----------------------------------------------------------------------


def test_rows_and_entries_are_committed_together(url: str, ledger: Ledger, engine: Engine) -> None:
    with engine.begin() as connection:
        order(connection, 1)
        entry = ledger.on(connection).transfer("alice", "bob", 10, reference_id="1")
        assert (ledger.get_balance("bob"), orders(url)) == (1_000, [])
    assert (ledger.get_balance("bob"), orders(url)) == (1_010, [1])
    assert list(ledger.entries(first=entry.seq)) == [entry]
    assert ledger.audit().finding is None


@pytest.mark.parametrize("row_first", [True, False])
def test_rows_and_entries_are_rolled_back_together(
    url: str, ledger: Ledger, engine: Engine, *, row_first: bool
) -> None:
    with unchanged(url), engine.connect() as connection:
        if row_first:
            order(connection, 1)
        on = ledger.on(connection, accounts=True)
        on.transfer("alice", "bob", 10, idempotency_key="k")
        on.create_account("carol", 5)
        on.post_hold(on.hold("alice", 10, "carol").id)
        on.set_limits("bob", max_debit=5)
        if not row_first:
            order(connection, 1)
        connection.rollback()
    assert orders(url) == []
    assert ledger.transfer("alice", "bob", 1, idempotency_key="k").seq == 3


def test_closing_without_a_commit_leaves_nothing(url: str, ledger: Ledger, engine: Engine) -> None:
    with unchanged(url), engine.connect() as connection:
        ledger.on(connection).transfer("alice", "bob", 10)
    ledger.transfer("alice", "bob", 10)


KILLED = """
import os, signal, sys
from ledger import Ledger
from tests.ledger.applications import application, order
url, when = sys.argv[1:]
ledger = Ledger.open(url)
with application(url) as engine, engine.begin() as connection:
    order(connection, 1)
    ledger.on(connection).transfer("alice", "bob", 10)
    if when == "after":
        connection.commit()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.usefixtures("engine")
def test_a_killed_process_leaves_both_or_neither(url: str, ledger: Ledger, when: str) -> None:
    ran = subprocess.run([sys.executable, "-c", KILLED, url, when], check=False)
    assert ran.returncode == -signal.SIGKILL
    expected = {"before": (1_000, []), "after": (1_010, [1])}
    assert (ledger.get_balance("bob"), orders(url)) == expected[when]
    ledger.transfer("alice", "bob", 1)
    assert ledger.audit().finding is None


# --- each call is whole ---------------------------------------------------------------------------


def test_a_refusal_leaves_the_transaction_usable(url: str, ledger: Ledger, engine: Engine) -> None:
    with engine.begin() as connection:
        order(connection, 1)
        on = ledger.on(connection)
        with pytest.raises(RefusedError) as refusal:
            on.transfer("alice", "bob", 1_001)
        assert refusal.value.rule == Rule.INSUFFICIENT_AVAILABLE
        order(connection, 2)
        on.transfer("alice", "bob", 1_000)
    assert (ledger.get_balance("bob"), orders(url)) == (2_000, [1, 2])


def test_a_call_in_which_all_is_refused_changes_nothing(
    url: str, ledger: Ledger, engine: Engine
) -> None:
    with unchanged(url), engine.begin() as connection, pytest.raises(RefusedError):
        ledger.on(connection).transfer("alice", "nobody", 1)


def test_items_stand_or_fall_on_their_own(ledger: Ledger, engine: Engine) -> None:
    with engine.begin() as connection:
        results = ledger.on(connection).post_many(
            [
                Movement("alice", "bob", 1_001),
                Movement("alice", "bob", 1),
                Group((Movement("bob", "alice", 1), Movement("bob", "alice", 5_000))),
            ]
        )
    assert [isinstance(result, RefusedError) for result in results] == [True, False, True]
    assert ledger.get_balance("bob") == 1_001


def test_an_error_takes_back_the_whole_call_and_no_more(ledger: Ledger, engine: Engine) -> None:
    # A reversal of a group counts as 1,000 entries: the last two items are a run of their own.
    unknown = [Reverse(Hash32(bytes([n]) * 32), whole_group=True) for n in range(1, 6)]
    wrong: list[Anything] = [Movement("alice", "bob", 5), *unknown, "nonsense"]
    with engine.begin() as connection:
        on = ledger.on(connection)
        on.transfer("alice", "bob", 1)
        with pytest.raises(FieldError):
            on.post_many(wrong)
        assert on.get_balance("bob") == 1_001
    assert ledger.get_balance("bob") == 1_001


def test_a_savepoint_of_the_application_takes_back_its_entries(
    url: str, ledger: Ledger, engine: Engine
) -> None:
    with engine.begin() as connection:
        on = ledger.on(connection)
        order(connection, 1)
        on.transfer("alice", "bob", 1)
        savepoint = connection.begin_nested()
        order(connection, 2)
        on.transfer("alice", "bob", 10)
        savepoint.rollback()
        with connection.begin_nested():
            on.transfer("alice", "bob", 100)
    assert (ledger.get_balance("bob"), orders(url)) == (1_101, [1])
    assert ledger.audit().finding is None


def test_locks_of_a_savepoint_that_was_taken_back_are_taken_again(
    ledger: Ledger, engine: Engine
) -> None:
    with engine.begin() as connection:
        on = ledger.on(connection)
        savepoint = connection.begin_nested()
        on.transfer("alice", "bob", 10)
        savepoint.rollback()
        on.transfer("alice", "bob", 1)
    assert ledger.get_balance("bob") == 1_001


def test_a_dry_run_leaves_nothing_and_shows_all(url: str, ledger: Ledger, engine: Engine) -> None:
    with engine.begin() as connection:
        on = ledger.on(connection)
        first = on.transfer("alice", "bob", 1, dry_run=True)
        assert on.get_balance("bob") == 1_000
        assert on.transfer("alice", "bob", 1).seq == first.seq == 3
        assert on.transfer("alice", "bob", 1, dry_run=True).balance_after_to == 1_002
    assert (ledger.get_balance("bob"), orders(url)) == (1_001, [])


# --- everything that the ledger does --------------------------------------------------------------


def test_it_reads_what_it_posted(ledger: Ledger, engine: Engine) -> None:
    with engine.begin() as connection:
        on = ledger.on(connection)
        assert on.get_balance("alice") == 1_000
        entry = on.mint("alice", 5)
        assert (on.get_balance("alice"), ledger.get_balance("alice")) == (1_005, 1_000)
        assert on.get_statement("alice")[-1] == entry
        assert on.statement_page("alice", newest_first=True).entries[0] == entry
        assert (on.head().head, on.get_total_supply()) == (entry.head, 2_005)
        assert on.balance_at("alice", entry.seq) == 1_005
        assert [account.account_id for account in on.accounts()] == ["alice", "bob", "system"]
        on.burn("alice", 5)


def test_every_kind_of_posting_works(ledger: Ledger, engine: Engine) -> None:
    with engine.begin() as connection:
        on = ledger.on(connection, accounts=True)
        assert on.create_account("carol", 2**200).created_at
        assert on.balance("carol").balance == 2**200
        held = on.hold("carol", 2**199, "bob")
        assert on.post_hold(held.id, 1).balance_after_to == 1_001
        assert on.void_hold(on.hold("alice", 1).id).state == HoldState.VOIDED
        [undone] = on.reverse(on.transfer("alice", "bob", 7).id)
        assert undone.amount == 7
        assert on.set_limits("alice", max_debit=3).max_debit == 3
        assert on.freeze_account("alice").status == Status.FROZEN
        assert on.reopen_account("alice").status == Status.OPEN
        on.create_account("dave", 0)
        assert on.close_account("dave").status == Status.CLOSED
    assert ledger.account("dave").status == Status.CLOSED
    assert ledger.audit().finding is None


def test_a_key_is_known_in_and_after_the_transaction(ledger: Ledger, engine: Engine) -> None:
    with engine.begin() as connection:
        on = ledger.on(connection)
        entry = on.transfer("alice", "bob", 1, idempotency_key="k")
        again = on.transfer("alice", "bob", 1, idempotency_key="k")
        assert (again.seq, again.repeated) == (entry.seq, True)
        with pytest.raises(RefusedError) as refusal:
            on.transfer("alice", "bob", 2, idempotency_key="k")
        assert refusal.value.rule == Rule.KEY_REUSED
    assert ledger.transfer("alice", "bob", 1, idempotency_key="k").repeated


def test_expired_holds_are_swept(url: str) -> None:
    now = [START]
    soon = datetime.fromtimestamp(START / 1e6, UTC) + timedelta(seconds=1)
    with economy(url, "alice", "bob", clock=lambda: now[0]) as ledger, application(url) as engine:
        ledger.hold("alice", 900, expires_at=soon)
        now[0] += 2_000_000
        with engine.begin() as connection:
            on = ledger.on(connection)
            on.transfer("alice", "bob", 500)
            assert on.balance("alice").total_staked == 0


def test_one_object_goes_from_transaction_to_transaction(ledger: Ledger, engine: Engine) -> None:
    with engine.connect() as connection:
        on = ledger.on(connection)
        on.transfer("alice", "bob", 1)
        connection.commit()
        on.transfer("alice", "bob", 10)
        connection.rollback()
        ledger.transfer("alice", "bob", 100)
        on.transfer("alice", "bob", 1_000 - 101)
        connection.commit()
    assert ledger.get_balance("bob") == 2_000


def test_a_session_of_the_orm_gives_its_connection(
    url: str, ledger: Ledger, engine: Engine
) -> None:
    with Session(engine) as session, session.begin():
        order(session.connection(), 1)
        ledger.on(session.connection()).transfer("alice", "bob", 1)
        session.execute(text("UPDATE orders SET note = 'paid'"))
    assert (ledger.get_balance("bob"), orders(url)) == (1_001, [1])


def test_several_assets_are_posted_to_by_name(ledger: Ledger, engine: Engine) -> None:
    ledger.create_asset("GEM", "Gems", 0)
    with engine.begin() as connection:
        on = ledger.on(connection, "GEM", "SCI")
        on.mint("alice", 5, asset="GEM")
        both = (Movement("alice", "bob", 1, "SCI"), Movement("alice", "bob", 1, "GEM"))
        accepted(on.post_many([Group(both)])[0])
        with pytest.raises(RefusedError) as refusal:
            on.transfer("alice", "bob", 1)
        assert refusal.value.rule == Rule.ASSET_REQUIRED
    assert ledger.get_balance("bob", "GEM") == 1


def test_a_ledger_without_assets_may_still_create_accounts(url: str) -> None:
    with create(url) as ledger, application(url) as engine, engine.begin() as connection:
        assert ledger.on(connection, accounts=True).create_account("alice", 0).account_id == "alice"


# --- the same history, one way or the other -------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["transfer", "mint", "burn", "hold", "roll back", "commit"]),
        st.integers(1, 1_200),
    ),
    max_size=12,
)


def do(target: Ledger | Joined, step: str, amount: int) -> None:
    """Post; a refusal is an answer too."""
    items: dict[str, Movement | PlaceHold] = {
        "transfer": Movement("alice", "bob", amount),
        "mint": Movement(ISSUER, "alice", amount),
        "burn": Movement("bob", ISSUER, amount),
        "hold": PlaceHold("bob", amount),
    }
    target.post_many([items[step]])


@settings(max_examples=15)
@given(steps=STEPS)
def test_the_same_history_has_the_same_head(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("parity")
    urls = [f"sqlite:///{folder / name}.db" for name in ("one", "other")]
    now = [START]
    clock = lambda: now[0]  # noqa: E731 (both ledgers ask it)
    with (
        economy(urls[0], "alice", "bob", clock=clock) as one,
        economy(urls[1], "alice", "bob", clock=clock) as other,
        application(urls[1]) as engine,
        engine.connect() as connection,
    ):
        on, pending = other.on(connection), list[tuple[int, str, int]]()
        for moment, (step, amount) in enumerate([*steps, ("commit", 0)], START + 1_000_000):
            now[0] = moment
            if step == "roll back":
                connection.rollback()
                pending.clear()
            elif step == "commit":
                connection.commit()
                for now[0], each, much in pending:
                    do(one, each, much)
                pending.clear()
            else:
                pending.append((moment, step, amount))
                do(on, step, amount)
        assert one.head() == other.head()
        assert list(one.balances()) == list(other.balances())
        assert other.audit().finding is None


def test_a_call_takes_as_many_statements_late_as_early(ledger: Ledger, engine: Engine) -> None:
    counts = [0]

    @event.listens_for(engine, "before_cursor_execute")
    def count(*_: object) -> None:
        counts[-1] += 1

    with engine.begin() as connection:
        on = ledger.on(connection)
        for _ in range(20):
            counts.append(0)
            on.transfer("alice", "bob", 1)
    assert counts[2] == counts[-1] < counts[1] < 40
