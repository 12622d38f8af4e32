"""Reversals on both databases: once for an entry, at most its amount, a group whole."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

import pytest

from ledger import (
    ISSUER,
    MAX_AMOUNT,
    FieldError,
    Group,
    Hash32,
    Kind,
    Ledger,
    Movement,
    Receipt,
    RefusedError,
    Rule,
)
from ledger.model import ZERO_HASH
from ledger.requests import PostHold, Reverse, VoidHold
from tests.ledger.support import Anything, accepted, economy, place, refused_by, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.requests import Item

NOBODY = Hash32(b"\xee" * 32)


def test_a_reversal_is_an_entry_that_names_the_old_one(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        old = ledger.transfer("alice", "bob", 300, reason="payment", memo="m")
        [new] = ledger.reverse(old.id, reference_id="case 7")
        assert (new.kind, new.cause, new.amount) == ("reversal", old.id, 300)
        assert (new.from_account, new.to_account) == ("bob", "alice")
        assert (new.reason, new.reference_id, new.memo) == ("reversal", "case 7", "")
        assert [*ledger.entries()][-2] == old  # which nothing has changed
        assert (ledger.get_balance("alice"), ledger.get_balance("bob")) == (1_000, 1_000)
        assert ledger.audit().ok


@pytest.mark.parametrize("amount", [1, 299, 300])
def test_a_part_is_reversed_and_the_rest_stays(database_url: str, amount: int) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        old = ledger.transfer("alice", "bob", 300)
        [new] = ledger.reverse(old.id, amount)
        assert new.amount == amount
        assert ledger.get_balance("bob") == 1_300 - amount
        with unchanged(database_url):  # once, whatever is left of it
            assert refused_by(lambda: ledger.reverse(old.id, 1)) == Rule.ENTRY_REVERSED
        assert ledger.audit().ok


def test_mints_and_burns_are_reversed_too(database_url: str) -> None:
    with economy(database_url, "alice") as ledger:
        [back] = ledger.reverse(ledger.mint("alice", 50).id)
        assert (back.from_account, back.to_account, back.balance_after_to) == (
            "alice",
            ISSUER,
            1_000,
        )
        [again] = ledger.reverse(ledger.burn("alice", 70).id)
        assert (again.from_account, again.to_account) == (ISSUER, "alice")
        assert ledger.get_total_supply() == ledger.get_balance("alice") == 1_000


def test_a_reversal_can_be_reversed(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        entry = ledger.transfer("alice", "bob", 300)
        for has in (1_000, 700, 1_000):
            [entry] = ledger.reverse(entry.id)
            assert ledger.get_balance("alice") == has
        assert ledger.audit().ok


def test_what_was_posted_of_a_hold_goes_back_and_the_hold_stays_posted(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        hold = ledger.hold("alice", 300, "bob")
        [new] = ledger.reverse(ledger.post_hold(hold.id).id)
        assert (new.from_account, new.amount) == ("bob", 300)
        with unchanged(database_url):
            assert refused_by(lambda: ledger.post_hold(hold.id)) == Rule.HOLD_POSTED
        assert ledger.balance("alice").available == 1_000


CASES: dict[str, tuple[Callable[[Ledger], Any], dict[str, Any], Rule]] = {
    "unknown": (lambda _: NOBODY, {}, Rule.UNKNOWN_ENTRY),
    "a hold's id": (lambda it: it.hold("alice", 5).id, {}, Rule.UNKNOWN_ENTRY),
    "more than it was": (
        lambda it: it.transfer("alice", "bob", 5).id,
        {"amount": 6},
        Rule.ABOVE_ENTRY,
    ),
    "nothing": (lambda it: it.transfer("alice", "bob", 5).id, {"amount": 0}, Rule.AMOUNT_ZERO),
    "spent since": (
        lambda it: (it.transfer("alice", "bob", 500), it.burn("bob", 1_001))[0].id,
        {},
        Rule.INSUFFICIENT_AVAILABLE,
    ),
    "held since": (
        lambda it: (it.transfer("alice", "bob", 500), it.hold("bob", 1_001))[0].id,
        {},
        Rule.INSUFFICIENT_AVAILABLE,
    ),
    "frozen since": (
        lambda it: (it.transfer("alice", "bob", 500), it.freeze_account("bob"))[0].id,
        {},
        Rule.ACCOUNT_FROZEN,
    ),
    "closed since": (
        lambda it: (it.transfer("alice", "bob", 1_000), it.close_account("alice"))[0].id,
        {},
        Rule.ACCOUNT_CLOSED,
    ),
    "limited since": (
        lambda it: (it.transfer("alice", "bob", 500), it.set_limits("bob", max_debit=499))[0].id,
        {},
        Rule.DEBIT_LIMIT,
    ),
    "above what the payer may have": (
        lambda it: (
            (it.transfer("alice", "bob", 500), it.set_limits("alice", max_balance=999))[0].id
        ),
        {},
        Rule.BALANCE_LIMIT,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_reversed_changes_nothing(database_url: str, case: str) -> None:
    prepare, options, rule = CASES[case]
    with economy(database_url, "alice", "bob") as ledger:
        entry = prepare(ledger)
        with unchanged(database_url):
            assert refused_by(lambda: ledger.reverse(entry, **options)) == rule


def test_an_entry_of_nothing_to_itself_cannot_be_undone(database_url: str) -> None:
    """What a chain allows, the ledger does not: such an entry moved nothing."""
    with economy(database_url, "alice", "bob") as ledger:
        zero = Movement("alice", "bob", 0, kind=Kind.CHAIN, cause=place())
        itself = Movement("alice", "alice", 5, kind=Kind.CHAIN, cause=place())
        made = [accepted(it).entries[0].id for it in ledger.post_many([zero, itself])]
        with unchanged(database_url):
            assert refused_by(lambda: ledger.reverse(made[0])) == Rule.AMOUNT_ZERO
            assert refused_by(lambda: ledger.reverse(made[1])) == Rule.SAME_ACCOUNT


# --- groups ------------------------------------------------------------------------------------


def swap(ledger: Ledger) -> tuple[Hash32, ...]:
    """Swap, of two assets, with a fee; return the entries' ids."""
    ledger.create_asset("B", "B")
    ledger.mint("bob", 10, asset="B")
    group = Group(
        (
            Movement("alice", "bob", 1_000, "SCI"),
            Movement("bob", "alice", 3, "B"),
            Movement("bob", "carol", 2_000, "SCI"),
        )
    )
    return tuple(entry.id for entry in accepted(ledger.post_many([group])[0]).entries)


@pytest.mark.parametrize("named", range(3))
def test_a_group_is_reversed_whole_from_its_end(database_url: str, named: int) -> None:
    with economy(database_url, "alice", "bob", "carol") as ledger:
        old = swap(ledger)
        before = {b.account_id: b.balance for b in ledger.balances("SCI")}
        assert before == {"alice": 0, "bob": 0, "carol": 3_000}
        new = ledger.reverse(old[named], whole_group=True, idempotency_key="k")
        assert {entry.cause for entry in new} == set(old)
        assert [entry.cause for entry in new if entry.asset == "SCI"] == [old[2], old[0]]
        assert len({(entry.group, entry.timestamp) for entry in new}) == 1
        assert new[0].group != ZERO_HASH
        assert [entry.idempotency_key for entry in new] == ["k", "", ""]
        assert {b.balance for b in ledger.balances("SCI")} == {1_000}
        assert ledger.get_balance("alice", "B") == 0
        with unchanged(database_url):
            for result in ledger.post_many(Reverse(one, whole_group=True) for one in old):
                assert isinstance(result, RefusedError)
                assert result.rule == Rule.ENTRY_REVERSED
            assert refused_by(lambda: ledger.reverse(new[0].id)) == Rule.GROUP_WHOLE
        assert ledger.audit().ok


@pytest.mark.parametrize("named", range(3))
def test_no_part_of_a_group_is_reversed(database_url: str, named: int) -> None:
    with economy(database_url, "alice", "bob", "carol") as ledger:
        old = swap(ledger)
        with unchanged(database_url):
            assert refused_by(lambda: ledger.reverse(old[named])) == Rule.GROUP_WHOLE
            assert refused_by(lambda: ledger.reverse(old[named], 1)) == Rule.GROUP_WHOLE
            ledger.reverse(old[named], whole_group=True, dry_run=True)


def test_a_group_is_refused_whole(database_url: str) -> None:
    with economy(database_url, "alice", "bob", "carol") as ledger:
        old = swap(ledger)
        ledger.burn("alice", 1, asset="B")
        with unchanged(database_url):
            ask = Reverse(old[0], whole_group=True)
            [result] = ledger.post_many([ask])
            assert isinstance(result, RefusedError)
            assert result.rule == Rule.INSUFFICIENT_AVAILABLE
        ledger.mint("alice", 1, asset="B")
        assert len(accepted(ledger.post_many([ask])[0]).entries) == 3


def test_an_entry_alone_is_its_own_group(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        [new] = ledger.reverse(ledger.transfer("alice", "bob", 5).id, whole_group=True)
        assert (new.amount, new.group) == (5, ZERO_HASH)


def test_the_largest_group_is_reversed(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        group = Group((Movement("alice", "bob", 1),) * 1_000)
        entries = accepted(ledger.post_many([group])[0]).entries
        assert len(ledger.reverse(entries[500].id, whole_group=True)) == 1_000
        assert ledger.get_balance("alice") == 1_000
        assert ledger.audit().ok


# --- once --------------------------------------------------------------------------------------


def test_of_two_in_one_batch_one_is_made(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        old = ledger.transfer("alice", "bob", 5).id
        one, two = ledger.post_many([Reverse(old, 2), Reverse(old, 3)])
        assert accepted(one).entries[0].amount == 2
        assert isinstance(two, RefusedError)
        assert two.rule == Rule.ENTRY_REVERSED


def test_the_same_request_again_is_the_first_result(database_url: str) -> None:
    with economy(database_url, "alice", "bob", "carol") as ledger:
        whole = swap(ledger)
        alone = ledger.transfer("carol", "bob", 5, asset="SCI").id
        items = [
            Reverse(alone, 3, idempotency_key="k"),
            Reverse(whole[0], whole_group=True, idempotency_key="l"),
        ]
        for item in items:
            made, again = map(accepted, ledger.post_many([item, item]))
            assert (made.repeated, again.repeated) == (False, True)
            assert [e.id for e in again.entries] == [e.id for e in made.entries]
            with unchanged(database_url):
                assert accepted(ledger.post_many([item])[0]) == again
        others: list[Item] = [
            Reverse(alone, 2, idempotency_key="k"),
            Reverse(alone, idempotency_key="k"),
            Reverse(alone, 3, memo="m", idempotency_key="k"),
            Reverse(alone, 3, reason="", idempotency_key="k"),
            Reverse(NOBODY, 3, idempotency_key="k"),
            Reverse(whole[0], idempotency_key="k"),
            Reverse(whole[0], idempotency_key="l"),
            Reverse(whole[0], whole_group=True, idempotency_key="k"),
            Movement("bob", "carol", 3, "SCI", "reversal", idempotency_key="k"),
        ]
        with unchanged(database_url):
            for other, result in zip(others, ledger.post_many(others), strict=True):
                assert isinstance(result, RefusedError), other
                assert result.rule == Rule.KEY_REUSED, other


def _reverse(url: str, items: list[Item], start: Any, answers: Any) -> None:  # noqa: ANN401 (of a process)
    with Ledger.open(url) as ledger:
        start.wait(120)
        answers.put(
            [
                ("repeated" if it.repeated else "made") if isinstance(it, Receipt) else str(it.rule)
                for it in ledger.post_many(items)
            ]
        )


def at_once(url: str, *batches: list[Item]) -> list[list[str]]:
    """Post each batch from a process of its own, all at one moment; return what came, sorted."""
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Barrier(len(batches)), spawn.Queue()
    processes = [
        spawn.Process(target=_reverse, args=(url, batch, start, answers)) for batch in batches
    ]
    for process in processes:
        process.start()
    came = [answers.get(timeout=240) for _ in processes]
    for process in processes:
        process.join(120)
    return sorted(came)


def test_from_two_processes_at_once_it_is_reversed_once(database_url: str) -> None:
    with economy(database_url, "alice", "bob", clock=None) as ledger:
        old = [ledger.transfer("alice", "bob", 5).id for _ in range(6)]
        alone: list[Item] = [Reverse(one) for one in old[:3]]
        came = at_once(database_url, alone, alone[::-1])
        assert sorted(came[0] + came[1]) == ["ENTRY_REVERSED"] * 3 + ["made"] * 3
        keyed: list[Item] = [Reverse(one, idempotency_key=str(one)) for one in old[3:]]
        came = at_once(database_url, keyed, keyed[::-1])
        assert sorted(came[0] + came[1]) == ["made"] * 3 + ["repeated"] * 3
        assert ledger.get_balance("bob") == 1_000
        assert ledger.audit().ok


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("entry", {"entry": "0x" + "00" * 32}),
        ("entry", {"entry": bytes(32)}),
        ("entry", {"entry": None}),
        ("entry", {"entry": 1}),
        ("amount", {"amount": -1}),
        ("amount", {"amount": MAX_AMOUNT + 1}),
        ("amount", {"amount": 1.0}),
        ("amount", {"amount": True}),
        ("amount", {"amount": 1, "whole_group": True}),
        ("whole_group", {"whole_group": "yes"}),
        ("whole_group", {"whole_group": None}),
        ("reason", {"reason": "r" * 256}),
        ("reference_type", {"reference_type": b"t"}),
        ("reference_id", {"reference_id": "\x00"}),
        ("memo", {"memo": "é" * 2_049}),
        ("idempotency_key", {"idempotency_key": 5}),
    ],
    ids=repr,
)
def test_what_reverses_nothing_is_refused(database_url: str, field: str, fields: Anything) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        entry = ledger.transfer("alice", "bob", 5).id
        with unchanged(database_url), pytest.raises(FieldError) as refused:
            ledger.reverse(**{"entry": entry, **fields})
        assert refused.value.field == field


def test_reversing_a_hold_is_refused_and_leaves_the_hold_to_others(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        first, second = (ledger.hold("alice", 10, "bob") for _ in range(2))
        results = ledger.post_many(
            [Reverse(first.id), PostHold(first.id), VoidHold(second.id), Reverse(second.id)]
        )
        assert [getattr(each, "rule", None) for each in results] == [
            Rule.UNKNOWN_ENTRY, None, None, Rule.UNKNOWN_ENTRY,
        ]  # fmt: skip
        assert ledger.balance("alice").total_staked == 0
        assert ledger.audit().ok
