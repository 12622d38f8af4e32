"""Standing and limits on both databases: frozen, closed, reopened; largest debit and balance."""

from __future__ import annotations

import multiprocessing
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from ledger import (
    ISSUER,
    MAX_AMOUNT,
    Address,
    FieldError,
    Group,
    Ledger,
    Limits,
    Link,
    LinkScheme,
    Movement,
    NotFoundError,
    OpenAccount,
    RefusedError,
    Rule,
    Status,
)
from ledger.account_rules import TRANSITIONS
from ledger.requests import SetLimits, SetStatus
from tests.ledger.support import Anything, accepted, economy, raw, refused_by, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

ALREADY = {
    Status.OPEN: Rule.ACCOUNT_OPEN,
    Status.FROZEN: Rule.ACCOUNT_FROZEN,
    Status.CLOSED: Rule.ACCOUNT_CLOSED,
}


def changes(url: str) -> list[tuple[str, str]]:
    """Return (type, account) of the changes of standing and limits, in order."""
    with raw(url) as database:
        rows = database.run("SELECT type, account_id FROM token_events ORDER BY asset, number")
    return [(row[0], row[1]) for row in rows if row[0] != "account_created"]


# --- the table of standings --------------------------------------------------------------------


@pytest.mark.parametrize(("now", "wanted"), list(product(Status, Status)), ids=str)
def test_each_standing_and_the_next(database_url: str, now: Status, wanted: Status) -> None:
    with economy(database_url, "bob") as ledger:
        ledger.create_account("alice", 0)
        if now != Status.OPEN:
            accepted(ledger.post_many([SetStatus("alice", now)])[0])
        event = TRANSITIONS.get((now, wanted))
        if event is None:
            with unchanged(database_url):
                [result] = ledger.post_many([SetStatus("alice", wanted)])
            assert isinstance(result, RefusedError)
            assert result.rule == ALREADY[now]
            assert ledger.account("alice").status == now
        else:
            account = accepted(ledger.post_many([SetStatus("alice", wanted)])[0]).account
            assert account == ledger.account("alice")
            assert account.status == wanted
            assert changes(database_url)[-1] == (event, "alice")
        assert ledger.audit().ok


def test_what_each_standing_lets_pass(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        there_and_back = (Movement("bob", "alice", 5), Movement("alice", "bob", 1))
        debits: list[Callable[[], object]] = [
            lambda: ledger.transfer("alice", "bob", 1),
            lambda: ledger.burn("alice", 1),
            lambda: ledger.hold("alice", 1),
            lambda: _raised(ledger, Group(there_and_back)),
        ]
        credits_: list[Callable[[], object]] = [
            lambda: ledger.transfer("bob", "alice", 1),
            lambda: ledger.mint("alice", 1),
        ]
        ledger.freeze_account("alice")
        with unchanged(database_url):
            assert {refused_by(each) for each in debits} == {Rule.ACCOUNT_FROZEN}
        for each in credits_:
            each()
        ledger.reopen_account("alice")
        ledger.burn("alice", ledger.get_balance("alice"))
        ledger.close_account("alice")
        with unchanged(database_url):
            assert {refused_by(each) for each in [*debits, *credits_]} == {Rule.ACCOUNT_CLOSED}
            assert (
                refused_by(lambda: ledger.set_limits("alice", max_debit=1)) == Rule.ACCOUNT_CLOSED
            )
        ledger.reopen_account("alice")
        ledger.mint("alice", 10)
        for each in debits:
            each()
        assert ledger.audit().ok


def _raised(ledger: Ledger, item: Group) -> None:
    [result] = ledger.post_many([item])
    if isinstance(result, RefusedError):
        raise result


def test_it_closes_only_with_nothing_of_any_asset(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.create_asset("B", "B")
        ledger.mint("alice", 1, asset="B")
        with unchanged(database_url):
            assert refused_by(lambda: ledger.close_account("alice")) == Rule.ACCOUNT_NOT_EMPTY
        ledger.burn("alice", 1_000, asset="SCI")
        with unchanged(database_url):
            assert refused_by(lambda: ledger.close_account("alice")) == Rule.ACCOUNT_NOT_EMPTY
        ledger.freeze_account("alice")
        with unchanged(database_url):
            assert refused_by(lambda: ledger.close_account("alice")) == Rule.ACCOUNT_NOT_EMPTY
        ledger.reopen_account("alice")
        ledger.burn("alice", 1, asset="B")
        assert ledger.close_account("alice").status == Status.CLOSED


def test_it_closes_whatever_asset_another_process_has_made(database_url: str) -> None:
    with economy(database_url, "alice") as ledger, Ledger.open(database_url) as other:
        ledger.burn("alice", 1_000)
        other.create_asset("B", "B")
        other.mint("alice", 1, asset="B")
        with unchanged(database_url):
            assert refused_by(lambda: ledger.close_account("alice")) == Rule.ACCOUNT_NOT_EMPTY


def test_a_standing_is_seen_by_whoever_has_the_ledger_open(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger, Ledger.open(database_url) as other:
        other.transfer("alice", "bob", 1)
        for _ in range(3):
            ledger.freeze_account("alice")
            assert refused_by(lambda: other.transfer("alice", "bob", 1)) == Rule.ACCOUNT_FROZEN
            ledger.reopen_account("alice")
            other.transfer("alice", "bob", 1)
            ledger.set_limits("alice", max_debit=1)
            assert refused_by(lambda: other.transfer("alice", "bob", 2)) == Rule.DEBIT_LIMIT
            ledger.set_limits("alice")
            other.transfer("alice", "bob", 2)
        assert ledger.audit().ok


def test_an_account_opened_in_a_batch_has_a_standing_in_it(database_url: str) -> None:
    with economy(database_url, "bob") as ledger:
        results = ledger.post_many(
            [
                OpenAccount("alice", 10),
                SetStatus("alice", Status.FROZEN),
                Movement("alice", "bob", 1),
                SetLimits("alice", max_balance=10),
                Movement("bob", "alice", 1),
                SetStatus("alice", Status.OPEN),
                Movement("alice", "bob", 10),
                SetStatus("alice", Status.CLOSED),
                Movement("bob", "alice", 1),
            ]
        )
        rules = [it.rule if isinstance(it, RefusedError) else None for it in results]
        assert rules == [
            None, None, Rule.ACCOUNT_FROZEN, None, Rule.BALANCE_LIMIT, None, None, None,
            Rule.ACCOUNT_CLOSED,
        ]  # fmt: skip
        assert ledger.account("alice").status == Status.CLOSED
        assert ledger.audit().ok


# --- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "passes", "refused", "rule"),
    [
        ({"max_debit": 100}, ("alice", "bob", 100), ("alice", "bob", 101), Rule.DEBIT_LIMIT),
        ({"max_debit": 100}, ("alice", ISSUER, 100), ("alice", ISSUER, 101), Rule.DEBIT_LIMIT),
        ({"max_debit": 0}, ("bob", "alice", 1_000), ("alice", "bob", 1), Rule.DEBIT_LIMIT),
        ({"max_balance": 1_100}, ("bob", "alice", 100), ("bob", "alice", 101), Rule.BALANCE_LIMIT),
        ({"max_balance": 1_001}, (ISSUER, "alice", 1), (ISSUER, "alice", 2), Rule.BALANCE_LIMIT),
        ({"max_balance": 5}, ("alice", "bob", 1_000), ("bob", "alice", 1), Rule.BALANCE_LIMIT),
    ],
    ids=str,
)  # fmt: skip
def test_a_limit_is_what_may_be_at_most(
    database_url: str, limits: Anything, passes: Anything, refused: Anything, rule: Rule
) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        assert ledger.set_limits("alice", **limits) == Limits(**limits)
        with unchanged(database_url):
            [result] = ledger.post_many([Movement(*refused)])
        assert isinstance(result, RefusedError)
        assert result.rule == rule
        accepted(ledger.post_many([Movement(*passes)])[0])
        stored = ledger.balance("alice")
        assert (stored.max_debit, stored.max_balance) == (
            limits.get("max_debit"),
            limits.get("max_balance"),
        )
        assert ledger.audit().ok


def test_limits_are_of_one_asset_and_may_change(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.create_asset("B", "B")
        ledger.mint("alice", 50, asset="B")
        ledger.set_limits("alice", asset="SCI", max_debit=1, max_balance=MAX_AMOUNT)
        ledger.transfer("alice", "bob", 50, asset="B")
        ledger.set_limits("alice", asset="SCI", max_debit=2)
        assert ledger.balance("alice", "SCI").max_balance is None
        ledger.transfer("alice", "bob", 2, asset="SCI")
        ledger.set_limits("alice", asset="SCI")
        ledger.transfer("alice", "bob", 900, asset="SCI")
        assert changes(database_url) == [("limits_changed", "alice")] * 3
        with unchanged(database_url):  # and what is so already is no change
            assert ledger.set_limits("alice", asset="SCI") == Limits()


def test_within_a_group_the_balance_counts_as_it_goes(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.set_limits("alice", max_balance=1_000)
        through = (Movement("alice", "bob", 10), Movement("bob", "alice", 10))
        accepted(ledger.post_many([Group(through)])[0])
        with unchanged(database_url):
            [result] = ledger.post_many([Group(through[::-1])])
        assert isinstance(result, RefusedError)
        assert result.rule == Rule.BALANCE_LIMIT


def test_limits_can_precede_any_balance(database_url: str) -> None:
    with economy(database_url, "bob") as ledger:
        ledger.create_account("alice", 0)
        ledger.set_limits("alice", max_balance=5)
        with unchanged(database_url):
            assert refused_by(lambda: ledger.transfer("bob", "alice", 6)) == Rule.BALANCE_LIMIT
        ledger.transfer("bob", "alice", 5)
        assert ledger.audit().ok


# --- at once -----------------------------------------------------------------------------------


def _attempt(url: str, number: int, start: Any, answers: Any) -> None:  # noqa: ANN401 (of a process)
    with Ledger.open(url) as ledger:
        start.wait(120)
        item = SetStatus("alice", Status.CLOSED) if number == 0 else Movement("bob", "alice", 1)
        [result] = ledger.post_many([item])
        answers.put((number, str(result.rule) if isinstance(result, RefusedError) else "made"))


def test_it_is_never_closed_with_a_balance_whoever_is_first(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    with economy(database_url, "bob", clock=None) as ledger:
        ledger.create_account("alice", 0)
        start, answers = spawn.Barrier(2), spawn.Queue()
        processes = [
            spawn.Process(target=_attempt, args=(database_url, number, start, answers))
            for number in range(2)
        ]
        for process in processes:
            process.start()
        came = dict(answers.get(timeout=240) for _ in processes)
        for process in processes:
            process.join(120)
        closed = ledger.account("alice").status == Status.CLOSED
        assert came == (
            {0: "made", 1: "ACCOUNT_CLOSED"} if closed else {0: "ACCOUNT_NOT_EMPTY", 1: "made"}
        )
        assert ledger.get_balance("alice") == (0 if closed else 1)


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("account_id", ["", "a\x00", None, 5, ISSUER], ids=repr)
def test_what_is_no_account_has_no_standing(database_url: str, account_id: Anything) -> None:
    with economy(database_url, "alice") as ledger, unchanged(database_url):
        for ask in (
            lambda: ledger.freeze_account(account_id),
            lambda: ledger.close_account(account_id),
            lambda: ledger.reopen_account(account_id),
            lambda: ledger.set_limits(account_id, max_debit=1),
        ):
            with pytest.raises(FieldError) as refused:
                ask()
            assert refused.value.field == "account_id"


def test_nobody_has_no_standing(database_url: str) -> None:
    with economy(database_url, "alice") as ledger, unchanged(database_url):
        for ask in (
            lambda: ledger.freeze_account("nobody"),
            lambda: ledger.close_account("nobody"),
            lambda: ledger.reopen_account("nobody"),
            lambda: ledger.set_limits("nobody", max_debit=1),
            lambda: ledger.set_limits("alice", asset="NO", max_debit=1),
        ):
            with pytest.raises(NotFoundError):
                ask()


@pytest.mark.parametrize("status", ["frozen", None, 1], ids=repr)
def test_what_is_no_status_is_refused(status: Anything) -> None:
    with pytest.raises(FieldError) as refused:
        SetStatus("alice", status)
    assert refused.value.field == "status"


@pytest.mark.parametrize("limit", [-1, 1.0, True, "1", MAX_AMOUNT + 1], ids=repr)
@pytest.mark.parametrize("field", ["max_debit", "max_balance"])
def test_what_is_no_limit_is_refused(database_url: str, field: str, limit: Anything) -> None:
    with economy(database_url, "alice") as ledger, unchanged(database_url):
        with pytest.raises(FieldError) as refused:
            ledger.set_limits("alice", **{field: limit})
        assert refused.value.field == field


def test_an_address_never_changes(database_url: str) -> None:
    given = Address(b"\xab" * 20)
    with economy(database_url, "bob", balance=0) as ledger:
        ledger.create_account("alice", 0, address=given, link=Link(LinkScheme.OPERATOR))
        derived = ledger.account("bob").address
        for account_id, address in (("alice", given), ("bob", derived)):
            for change in (ledger.freeze_account, ledger.close_account, ledger.reopen_account):
                assert change(account_id).address == address
            ledger.set_limits(account_id, max_debit=5)
            with unchanged(database_url):
                other, link = Address(b"\xcd" * 20), Link(LinkScheme.OPERATOR)
                asked = partial(ledger.create_account, account_id, 0, address=other, link=link)
                assert refused_by(asked) == Rule.ACCOUNT_EXISTS
            assert ledger.account(account_id).address == address
        assert ledger.audit().ok
