"""Holds on both databases: every state and act, expiry to the microsecond, one resolution."""

from __future__ import annotations

import dataclasses
import multiprocessing
import threading
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from ledger import (
    ISSUER,
    MAX_AMOUNT,
    FieldError,
    Hash32,
    HoldState,
    Ledger,
    Movement,
    Receipt,
    RefusedError,
    Rule,
)
from ledger.hold_rules import TRANSITIONS, Act
from ledger.posting import MAX_SWEEP
from ledger.requests import PlaceHold, PostHold, VoidHold
from ledger.times import moment_of
from tests.ledger.support import (
    START,
    Anything,
    accepted,
    attacker,
    economy,
    raw,
    refused_by,
    unchanged,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger import Hold
    from ledger.requests import Item

NOBODY = Hash32(b"\xee" * 32)
SECOND = 1_000_000


class Still:
    """A clock that moves when it is told to."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def holds(url: str) -> list[tuple[int, str]]:
    """Return the number and state of every hold."""
    with raw(url) as database:
        rows = database.run("SELECT number, state FROM token_holds ORDER BY asset, number")
        return [(row[0], row[1]) for row in rows]


def events(url: str, *types: str) -> list[tuple[str, int]]:
    """Return (type, hold) of the events of assets, in order."""
    with raw(url) as database:
        rows = database.run("SELECT type, hold FROM token_events WHERE asset > 0 ORDER BY number")
    return [(row[0], row[1]) for row in rows if not types or row[0] in types]


def numbers(ledger: Ledger, account_id: str = "alice") -> tuple[int, int, int]:
    """Return what an account has, has at stake, and has available."""
    balance = ledger.balance(account_id)
    return balance.balance, balance.total_staked, balance.available


# --- what a hold does --------------------------------------------------------------------------


def test_a_hold_sets_aside_and_moves_nothing(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        head = ledger.head()
        hold = ledger.hold("alice", 300, "bob", reason="table 4")
        assert (hold.state, hold.amount, hold.remaining) == (HoldState.PENDING, 300, 300)
        assert (hold.account_id, hold.to_account, hold.reason) == ("alice", "bob", "table 4")
        assert hold.from_address == ledger.account("alice").address
        assert hold.to_address == ledger.account("bob").address
        assert numbers(ledger) == (1_000, 300, 700)
        assert (ledger.head(), ledger.get_total_supply()) == (head, 2_000)
        assert ledger.audit().ok


PARTS = {
    (None, False): (300, HoldState.POSTED, 0),
    (300, False): (300, HoldState.POSTED, 0),
    (300, True): (300, HoldState.POSTED, 0),
    (100, False): (100, HoldState.POSTED, 0),
    (100, True): (100, HoldState.PENDING, 200),
    (1, True): (1, HoldState.PENDING, 299),
}
"""(amount asked, keep the rest) to (amount moved, state, still held), of a hold of 300."""


@pytest.mark.parametrize("asked", PARTS, ids=str)
def test_a_hold_is_posted_whole_or_in_part(
    database_url: str, asked: tuple[int | None, bool]
) -> None:
    (amount, keep_rest), (moved, state, held) = asked, PARTS[asked]
    with economy(database_url, "alice", "bob") as ledger:
        hold = ledger.hold("alice", 300, "bob", reason="r", reference_id="7", memo="m")
        receipt = accepted(
            ledger.post_many([PostHold(hold.id, amount, keep_rest, memo="another")])[0]
        )
        [entry] = receipt.entries
        assert (entry.amount, entry.from_account, entry.to_account) == (moved, "alice", "bob")
        assert (entry.kind, entry.cause) == ("hold", hold.id)
        assert (entry.reason, entry.reference_id, entry.memo) == ("r", "7", "another")
        assert receipt.hold is not None
        assert (receipt.hold.state, receipt.hold.remaining) == (state, held)
        assert (receipt.hold.amount, receipt.hold.id) == (300, hold.id)
        assert numbers(ledger) == (1_000 - moved, held, 1_000 - moved - held)
        assert ledger.get_balance("bob") == 1_000 + moved
        assert ledger.audit().ok


def test_the_rest_is_posted_later_piece_by_piece(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        hold = ledger.hold("alice", 300)
        for amount in (100, 50, 149):
            ledger.post_hold(hold.id, amount, keep_rest=True, to_account="bob")
        with unchanged(database_url):
            ask = lambda: ledger.post_hold(hold.id, 2, to_account="bob")  # noqa: E731 (asked twice)
            assert refused_by(ask) == Rule.ABOVE_HOLD
        assert ledger.post_hold(hold.id, to_account="bob").amount == 1
        assert refused_by(ask) == Rule.HOLD_POSTED
        assert numbers(ledger) == (700, 0, 700)
        assert ledger.audit().ok


def test_a_hold_is_voided(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        hold = ledger.hold("alice", 300, "bob")
        ledger.post_hold(hold.id, 100, keep_rest=True)
        voided = ledger.void_hold(hold.id)
        assert (voided.state, voided.remaining, voided.amount) == (HoldState.VOIDED, 0, 300)
        assert numbers(ledger) == (900, 0, 900)
        assert events(database_url) == [
            ("hold_created", 1), ("hold_posted", 1), ("hold_voided", 1),
        ]  # fmt: skip


def test_what_is_held_cannot_be_spent(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.hold("alice", 999)
        with unchanged(database_url):
            for ask in (
                lambda: ledger.transfer("alice", "bob", 2),
                lambda: ledger.burn("alice", 2),
                lambda: ledger.hold("alice", 2),
            ):
                assert refused_by(ask) == Rule.INSUFFICIENT_AVAILABLE
        ledger.transfer("alice", "bob", 1)
        assert numbers(ledger) == (999, 999, 0)
        ledger.mint("alice", 5)
        ledger.hold("alice", 5)
        assert numbers(ledger) == (1_004, 1_004, 0)


def test_a_hold_for_the_issuer_burns(database_url: str) -> None:
    with economy(database_url, "alice") as ledger:
        hold = ledger.hold("alice", 300, ISSUER)
        entry = ledger.post_hold(hold.id)
        assert (entry.to_account, entry.balance_after_to) == (ISSUER, 700)
        assert ledger.get_total_supply() == 700
        assert ledger.audit().ok


def test_who_gets_a_hold_is_named_once(database_url: str) -> None:
    with economy(database_url, "alice", "bob", "carol") as ledger:
        open_, for_bob = ledger.hold("alice", 10), ledger.hold("alice", 10, "bob")
        with unchanged(database_url):
            for ask, rule in (
                (lambda: ledger.post_hold(open_.id), Rule.HOLD_ACCOUNT),
                (lambda: ledger.post_hold(for_bob.id, to_account="carol"), Rule.HOLD_ACCOUNT),
                (lambda: ledger.post_hold(open_.id, to_account="nobody"), Rule.UNKNOWN_ACCOUNT),
                (lambda: ledger.post_hold(open_.id, to_account="alice"), Rule.SAME_ACCOUNT),
                (lambda: ledger.post_hold(open_.id, 0, to_account="bob"), Rule.AMOUNT_ZERO),
                (lambda: ledger.post_hold(NOBODY), Rule.UNKNOWN_HOLD),
                (lambda: ledger.void_hold(NOBODY), Rule.UNKNOWN_HOLD),
                (lambda: ledger.void_hold(next(iter(ledger.entries())).id), Rule.UNKNOWN_HOLD),
                (lambda: ledger.hold("alice", 10, "nobody"), Rule.UNKNOWN_ACCOUNT),
                (lambda: ledger.hold("nobody", 10), Rule.UNKNOWN_ACCOUNT),
            ):
                assert refused_by(ask) == rule
        assert ledger.post_hold(for_bob.id, to_account="bob").to_account == "bob"
        assert ledger.post_hold(open_.id, to_account="carol").to_account == "carol"


def test_a_hold_may_be_of_the_largest_amount(database_url: str) -> None:
    with economy(database_url) as ledger:
        for name in ("alice", "bob"):
            ledger.create_account(name, 0)
        ledger.mint("alice", MAX_AMOUNT)
        hold = ledger.hold("alice", MAX_AMOUNT, "bob")
        assert numbers(ledger) == (MAX_AMOUNT, MAX_AMOUNT, 0)
        ledger.post_hold(hold.id, MAX_AMOUNT - 1, keep_rest=True)
        assert numbers(ledger) == (1, 1, 0)
        assert ledger.audit().ok


# --- the table of states -----------------------------------------------------------------------

RESOLVED = {
    HoldState.POSTED: Rule.HOLD_POSTED,
    HoldState.VOIDED: Rule.HOLD_VOIDED,
    HoldState.EXPIRED: Rule.HOLD_EXPIRED,
}


def brought_to(ledger: Ledger, clock: Still, state: HoldState) -> Hold:
    """Return a hold of 100 for bob in `state`, which would expire in an hour."""
    hold = ledger.hold("alice", 100, "bob", expires_at=moment_of(START + 3_600 * SECOND))
    if state == HoldState.POSTED:
        ledger.post_hold(hold.id)
    elif state == HoldState.VOIDED:
        ledger.void_hold(hold.id)
    elif state == HoldState.EXPIRED:
        clock.now = START + 3_600 * SECOND
        ledger.mint("bob", 1)
    return hold


def act_on(clock: Still, hold: Hold, act: Act) -> Item:
    """Return what does `act` to a hold; time itself does EXPIRE, seen by any other posting."""
    if act == Act.EXPIRE:
        clock.now = START + 3_600 * SECOND
        return Movement(ISSUER, "bob", 1)
    acts: dict[Act, Item] = {
        Act.POST: PostHold(hold.id),
        Act.POST_PART: PostHold(hold.id, 40, keep_rest=True),
        Act.VOID: VoidHold(hold.id),
    }
    return acts[act]


def test_the_table_lists_what_leaves_pending_and_nothing_else() -> None:
    assert {state for state, _ in TRANSITIONS} == {HoldState.PENDING}
    assert {act for _, act in TRANSITIONS} == set(Act)


@pytest.mark.parametrize(("state", "act"), list(product(HoldState, Act)), ids=str)
def test_each_state_and_act(database_url: str, state: HoldState, act: Act) -> None:
    clock = Still()
    with economy(database_url, "alice", "bob", clock=clock) as ledger:
        hold = brought_to(ledger, clock, state)
        assert holds(database_url) == [(hold.number, str(state))]
        item = act_on(clock, hold, act)
        after = TRANSITIONS.get((state, act))
        if after is None and act != Act.EXPIRE:
            with unchanged(database_url):
                [result] = ledger.post_many([item])
            assert isinstance(result, RefusedError)
            assert result.rule == RESOLVED[state]
        else:  # what is resolved already does not expire
            accepted(ledger.post_many([item])[0])
        assert holds(database_url) == [(hold.number, str(after or state))]
        assert ledger.audit().ok


# --- expiry ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "pending"), [(1, True), (0, False), (-1, False)])
def test_it_expires_at_the_very_microsecond(
    database_url: str, before: int, pending: bool  # noqa: FBT001 (a row of the table)
) -> None:  # fmt: skip
    clock = Still()
    with economy(database_url, "alice", "bob", clock=clock) as ledger:
        until = START + 9 * SECOND
        hold = ledger.hold("alice", 1_000, "bob", expires_at=moment_of(until))
        assert hold.expires_at == until
        clock.now = until - before
        if pending:
            assert ledger.post_hold(hold.id).amount == 1_000
        else:
            with unchanged(database_url):
                assert refused_by(lambda: ledger.post_hold(hold.id)) == Rule.HOLD_EXPIRED
                assert refused_by(lambda: ledger.void_hold(hold.id)) == Rule.HOLD_EXPIRED
            assert ledger.transfer("alice", "bob", 1_000).amount == 1_000


@pytest.mark.parametrize(("after", "passed"), [(-1, True), (0, True), (1, False)])
def test_it_must_expire_after_it_began(
    database_url: str, after: int, passed: bool  # noqa: FBT001 (a row of the table)
) -> None:  # fmt: skip
    clock = Still()
    with economy(database_url, "alice", clock=clock) as ledger:
        clock.now = START + SECOND

        def ask() -> Hold:
            return ledger.hold("alice", 5, expires_at=moment_of(clock.now + after))

        if passed:
            with unchanged(database_url):
                assert refused_by(ask) == Rule.EXPIRY_PASSED
        else:
            assert ask().expires_at == clock.now + 1


def test_the_beginning_of_time_has_passed(database_url: str) -> None:
    with economy(database_url, "alice") as ledger, unchanged(database_url):
        assert refused_by(lambda: ledger.hold("alice", 5, expires_at=moment_of(0))) == (
            Rule.EXPIRY_PASSED
        )


def test_the_earliest_expiry_is_swept_first_and_of_equals_the_oldest(database_url: str) -> None:
    clock = Still()
    with economy(database_url, "alice", "bob", clock=clock) as ledger:
        seconds = [5, 3, 9, 3, 4, 3]
        made = [
            ledger.hold("alice", 10, expires_at=moment_of(START + each * SECOND))
            for each in seconds
        ]
        clock.now = START + 6 * SECOND
        ledger.mint("bob", 1)
        due = sorted((each, place) for place, each in enumerate(seconds) if each <= 6)
        assert events(database_url, "hold_expired") == [
            ("hold_expired", made[place].number) for _, place in due
        ]
        assert numbers(ledger) == (1_000, 10, 990)
        assert ledger.audit().ok


def test_a_sweep_is_bounded_and_the_next_goes_on(database_url: str) -> None:
    clock = Still()
    with economy(database_url, "alice", "bob", balance=MAX_SWEEP + 5, clock=clock) as ledger:
        until = moment_of(START + SECOND)
        made = [
            accepted(result).hold
            for result in ledger.post_many(
                [PlaceHold("alice", 1, "bob", expires_at=until)] * (MAX_SWEEP + 2)
            )
        ]
        clock.now = START + 2 * SECOND
        last = made[-1]
        assert last is not None
        ledger.mint("bob", 1)
        assert numbers(ledger)[1] == 2
        with unchanged(database_url):  # it is late, swept or not
            assert refused_by(lambda: ledger.post_hold(last.id)) == Rule.HOLD_EXPIRED
        ledger.mint("bob", 1)
        assert numbers(ledger)[1] == 0
        expired = [hold for _, hold in events(database_url, "hold_expired")]
        assert expired == sorted(expired)
        assert len(expired) == MAX_SWEEP + 2
        assert ledger.audit().ok


def test_what_expired_behind_a_bounded_sweep_is_available(database_url: str) -> None:
    clock = Still()
    with economy(database_url, "alice", "bob", balance=MAX_SWEEP + 5, clock=clock) as ledger:
        until = moment_of(START + SECOND)
        ledger.post_many([PlaceHold("alice", 1, expires_at=until)] * (MAX_SWEEP + 2))
        ledger.post_many([PlaceHold("bob", 1, expires_at=until)] * 3)
        clock.now = START + 2 * SECOND
        assert ledger.burn("alice", MAX_SWEEP + 5).balance_after_to == MAX_SWEEP + 5
        assert ledger.balance("bob").total_staked == 3
        assert len(events(database_url, "hold_expired")) == MAX_SWEEP + 2
        ledger.burn("bob", MAX_SWEEP + 5)
        assert ledger.balance("bob").total_staked == 0
        assert ledger.audit().ok


def test_a_call_in_which_all_is_refused_sweeps_nothing(database_url: str) -> None:
    clock = Still()
    with economy(database_url, "alice", "bob", clock=clock) as ledger:
        ledger.transfer("alice", "bob", 1, idempotency_key="k")
        ledger.hold("alice", 100, expires_at=moment_of(START + SECOND))
        clock.now = START + SECOND
        with unchanged(database_url):
            refused = [Movement("alice", "bob", 5_000), Movement("alice", "alice", 1)]
            assert all(isinstance(it, RefusedError) for it in ledger.post_many(refused))
            assert ledger.transfer("alice", "bob", 1, idempotency_key="k").repeated
            ledger.transfer("alice", "bob", 999, dry_run=True)
        assert numbers(ledger) == (999, 100, 899)
        ledger.transfer("alice", "bob", 999)  # which takes what was held
        assert numbers(ledger) == (0, 0, 0)


def test_another_assets_holds_are_not_swept(database_url: str) -> None:
    clock = Still()
    with economy(database_url, "alice", "bob", clock=clock) as ledger:
        ledger.create_asset("B", "B")
        ledger.hold("alice", 100, asset="SCI", expires_at=moment_of(START + SECOND))
        clock.now = START + SECOND
        ledger.mint("bob", 1, asset="B")
        assert ledger.balance("alice", "SCI").total_staked == 100
        ledger.mint("bob", 1, asset="SCI")
        assert ledger.balance("alice", "SCI").total_staked == 0


# --- limits and standing -----------------------------------------------------------------------


def test_a_hold_is_a_debit_to_the_limits(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.set_limits("alice", max_debit=100)
        ledger.set_limits("bob", max_balance=1_050)
        with unchanged(database_url):
            assert refused_by(lambda: ledger.hold("alice", 101)) == Rule.DEBIT_LIMIT
        hold = ledger.hold("alice", 100, "bob")
        with unchanged(database_url):
            assert refused_by(lambda: ledger.post_hold(hold.id)) == Rule.BALANCE_LIMIT
            assert refused_by(lambda: ledger.post_hold(hold.id, 51)) == Rule.BALANCE_LIMIT
        ledger.set_limits("alice", max_debit=40)
        with unchanged(database_url):
            assert refused_by(lambda: ledger.post_hold(hold.id, 41)) == Rule.DEBIT_LIMIT
        assert ledger.post_hold(hold.id, 40, keep_rest=True).amount == 40
        assert numbers(ledger) == (960, 60, 900)


def test_nothing_of_a_frozen_account_is_held_or_posted_but_voided(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        hold = ledger.hold("alice", 100, "bob")
        for_alice = ledger.hold("bob", 100, "alice")
        ledger.freeze_account("alice")
        with unchanged(database_url):
            assert refused_by(lambda: ledger.hold("alice", 1)) == Rule.ACCOUNT_FROZEN
            assert refused_by(lambda: ledger.post_hold(hold.id)) == Rule.ACCOUNT_FROZEN
        ledger.post_hold(for_alice.id)  # credits arrive
        ledger.void_hold(hold.id)
        assert numbers(ledger) == (1_100, 0, 1_100)


def test_a_closed_account_gets_no_hold(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        hold = ledger.hold("alice", 100, "bob")
        ledger.burn("bob", 1_000)
        ledger.close_account("bob")
        with unchanged(database_url):
            assert refused_by(lambda: ledger.post_hold(hold.id)) == Rule.ACCOUNT_CLOSED
            assert refused_by(lambda: ledger.hold("alice", 1, "bob")) == Rule.ACCOUNT_CLOSED
            assert refused_by(lambda: ledger.hold("bob", 1)) == Rule.ACCOUNT_CLOSED
        ledger.reopen_account("bob")
        ledger.post_hold(hold.id)


# --- keys --------------------------------------------------------------------------------------

KEYED: dict[str, Callable[[Hash32], Item]] = {
    "hold": lambda _: PlaceHold("alice", 5, "bob", idempotency_key="k"),
    "post": lambda hold: PostHold(hold, idempotency_key="k"),
    "post a part": lambda hold: PostHold(hold, 5, keep_rest=True, idempotency_key="k"),
    "void": lambda hold: VoidHold(hold, "k"),
}


@pytest.mark.parametrize("kind", KEYED)
def test_the_same_request_again_is_the_first_result(database_url: str, kind: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        hold = ledger.hold("alice", 10, "bob")
        item = KEYED[kind](hold.id)
        made, again = map(accepted, ledger.post_many([item, item]))
        assert (made.repeated, again.repeated) == (False, True)
        assert again.hold == made.hold
        for change in (lambda: ledger.mint("bob", 1), lambda: _resolve_all(ledger, database_url)):
            with unchanged(database_url):
                later = accepted(ledger.post_many([item])[0])
            assert later == again  # whatever became of the hold since
            assert [dataclasses.replace(e, repeated=False) for e in later.entries] == list(
                made.entries
            )
            change()
        assert ledger.audit().ok


def _resolve_all(ledger: Ledger, url: str) -> None:
    """Void whatever is pending."""
    with raw(url) as database:
        rows = database.run("SELECT id FROM token_holds WHERE state = 'pending'")
    for (id_,) in rows:
        ledger.void_hold(Hash32(bytes(id_)))


@pytest.mark.parametrize("kind", KEYED)
def test_another_request_with_the_key_is_refused(database_url: str, kind: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        hold, other = ledger.hold("alice", 10, "bob"), ledger.hold("alice", 10)
        accepted(ledger.post_many([KEYED[kind](hold.id)])[0])
        same = KEYED[kind](hold.id)
        others: list[Item] = [
            *(make(hold.id) for name, make in KEYED.items() if name != kind),
            PlaceHold("alice", 6, "bob", idempotency_key="k"),
            PlaceHold("alice", 5, idempotency_key="k"),
            PlaceHold("alice", 5, "bob", expires_at=moment_of(2 * START), idempotency_key="k"),
            PlaceHold("alice", 5, "bob", memo="m", idempotency_key="k"),
            PostHold(other.id, to_account="bob", idempotency_key="k"),
            PostHold(hold.id, 10, idempotency_key="k"),
            PostHold(hold.id, 5, idempotency_key="k"),
            PostHold(hold.id, to_account="bob", idempotency_key="k"),
            PostHold(hold.id, reason="r", idempotency_key="k"),
            PostHold(NOBODY, idempotency_key="k"),
            VoidHold(other.id, "k"),
            Movement("alice", "bob", 5, idempotency_key="k"),
        ]
        with unchanged(database_url):
            for result in ledger.post_many([it for it in others if it != same]):
                assert isinstance(result, RefusedError)
                assert result.rule == Rule.KEY_REUSED


# --- at once -----------------------------------------------------------------------------------


def _resolve(url: str, hold: bytes, way: str, start: Any) -> str:  # noqa: ANN401 (a barrier)
    """Open the ledger, wait for the others, resolve the hold; return the name of what came."""
    with Ledger.open(url) as ledger:
        start.wait(120)
        item = PostHold(Hash32(hold)) if way == "post" else VoidHold(Hash32(hold))
        [result] = ledger.post_many([item])
        return str(result.rule) if isinstance(result, RefusedError) else "made"


def _worker(url: str, hold: bytes, way: str, start: Any, answers: Any) -> None:  # noqa: ANN401 (of a process)
    answers.put(_resolve(url, hold, way, start))


def test_two_processes_and_two_threads_resolve_it_once(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    with economy(database_url, "alice", "bob", clock=None) as ledger:
        hold = ledger.hold("alice", 100, "bob").id
        start, answers = spawn.Barrier(2), spawn.Queue()
        processes = [
            spawn.Process(target=_worker, args=(database_url, bytes(hold), way, start, answers))
            for way in ("post", "void")
        ]
        for process in processes:
            process.start()
        came = sorted(answers.get(timeout=240) for _ in processes)
        for process in processes:
            process.join(120)
        [(_, state)] = holds(database_url)
        assert came == sorted(["made", "HOLD_POSTED" if state == "posted" else "HOLD_VOIDED"])

        for _ in range(10):
            hold = ledger.hold("bob", 1, "alice").id
            seen: list[str] = []
            gate = threading.Barrier(4)
            threads = [
                threading.Thread(
                    target=lambda way=way, hold=hold, gate=gate, seen=seen: seen.append(
                        _resolve(database_url, bytes(hold), way, gate)
                    )
                )
                for way in ("post", "void", "post", "void")
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)
            assert len(seen) == 4
            assert seen.count("made") == 1
        assert ledger.audit().ok


def _crossed(url: str, items: list[Item], start: Any, answers: Any) -> None:  # noqa: ANN401 (of a process)
    with Ledger.open(url) as ledger:
        start.wait(120)
        results = ledger.post_many(items)
        answers.put([isinstance(it, Receipt) and it.repeated for it in results])


def test_crossed_keys_from_two_processes_make_each_thing_once(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    with economy(database_url, "alice", "bob", clock=None) as ledger:
        made = [ledger.hold("alice", 10, "bob").id for _ in range(4)]
        items: list[Item] = [
            PlaceHold("bob", 1, "alice", idempotency_key="a"),
            PostHold(made[0], idempotency_key="b"),
            PostHold(made[1], 3, keep_rest=True, idempotency_key="c"),
            VoidHold(made[2], "d"),
        ]
        start, answers = spawn.Barrier(2), spawn.Queue()
        processes = [
            spawn.Process(target=_crossed, args=(database_url, order, start, answers))
            for order in (items, items[::-1])
        ]
        for process in processes:
            process.start()
        came = [answers.get(timeout=240) for _ in processes]
        for process in processes:
            process.join(120)
        assert sorted(came) == [[False] * 4, [True] * 4]
        assert [state for _, state in holds(database_url)] == [
            "posted", "pending", "voided", "pending", "pending",
        ]  # fmt: skip
        assert ledger.audit().ok


# --- bad input ---------------------------------------------------------------------------------

BAD: list[tuple[str, dict[str, Any]]] = [
    ("account_id", {"account_id": ""}),
    ("account_id", {"account_id": 5}),
    ("account_id", {"account_id": ISSUER}),
    ("to_account", {"to_account": "a\x00"}),
    ("to_account", {"to_account": 5}),
    ("amount", {"amount": -1}),
    ("amount", {"amount": 1.5}),
    ("amount", {"amount": True}),
    ("amount", {"amount": None}),
    ("amount", {"amount": MAX_AMOUNT + 1}),
    ("asset", {"asset": ""}),
    ("expires_at", {"expires_at": "2030-01-01"}),
    ("expires_at", {"expires_at": 5}),
    ("expires_at", {"expires_at": moment_of(START).replace(tzinfo=None)}),
    ("reason", {"reason": "r" * 256}),
    ("reference_type", {"reference_type": 5}),
    ("reference_id", {"reference_id": "\ud800"}),
    ("memo", {"memo": "é" * 2_049}),
    ("idempotency_key", {"idempotency_key": "\x00"}),
]


@pytest.mark.parametrize(("field", "fields"), BAD, ids=repr)
def test_what_is_no_hold_is_refused(database_url: str, field: str, fields: Anything) -> None:
    with economy(database_url, "alice", "bob") as ledger, unchanged(database_url):
        with pytest.raises(FieldError) as refused:
            ledger.hold(**{"account_id": "alice", "amount": 5, **fields})
        assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("hold", {"hold": "0x" + "00" * 32}),
        ("hold", {"hold": bytes(32)}),
        ("hold", {"hold": None}),
        ("amount", {"amount": -1}),
        ("amount", {"amount": 1.0}),
        ("amount", {"amount": False}),
        ("keep_rest", {"amount": 1, "keep_rest": "yes"}),
        ("keep_rest", {"amount": 1, "keep_rest": None}),
        ("keep_rest", {"keep_rest": True}),
        ("to_account", {"to_account": "a\n"}),
        ("reason", {"reason": 5}),
        ("memo", {"memo": b"m"}),
        ("idempotency_key", {"idempotency_key": "k" * 256}),
    ],
    ids=repr,
)
def test_what_posts_no_hold_is_refused(database_url: str, field: str, fields: Anything) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        hold = ledger.hold("alice", 5, "bob").id
        with unchanged(database_url), pytest.raises(FieldError) as refused:
            ledger.post_hold(**{"hold": hold, **fields})
        assert refused.value.field == field


@pytest.mark.parametrize("hold", [b"", "x", None, 5, bytes(32)], ids=repr)
def test_what_is_no_hold_is_not_voided(database_url: str, hold: Anything) -> None:
    with economy(database_url, "alice") as ledger, unchanged(database_url):
        with pytest.raises(FieldError) as refused:
            ledger.void_hold(hold)
        assert refused.value.field == "hold"


@pytest.mark.parametrize("key", ["\x00", "k" * 256, 5, b"k"], ids=repr)
def test_what_is_no_key_voids_nothing(database_url: str, key: Anything) -> None:
    with economy(database_url, "alice") as ledger:
        hold = ledger.hold("alice", 5)
        with unchanged(database_url), pytest.raises(FieldError) as refused:
            ledger.void_hold(hold.id, idempotency_key=key)
        assert refused.value.field == "idempotency_key"


# --- the id of a hold --------------------------------------------------------------------------


def test_a_hold_of_the_same_run_has_no_id_yet(database_url: str) -> None:
    """Nothing was read for it: only the next call can post it."""
    clock = Still()
    with economy(database_url, "alice", "bob", clock=clock) as ledger:
        item = PlaceHold("alice", 5)
        foreseen = accepted(ledger.post_many([item], dry_run=True)[0]).hold
        assert foreseen is not None
        made, early = ledger.post_many([item, PostHold(foreseen.id, to_account="bob")])
        assert accepted(made).hold == foreseen
        assert isinstance(early, RefusedError)
        assert early.rule == Rule.UNKNOWN_HOLD
        assert ledger.post_hold(foreseen.id, to_account="bob").cause == foreseen.id


@pytest.mark.parametrize(("named", "forged"), [("system", None), ("", "system")])
def test_a_burn_set_aside_is_not_a_hold_for_anybody(
    database_url: str, named: str, forged: str | None
) -> None:
    """The issuer's address is zero; who is named by nobody must not hash as the issuer."""
    with economy(database_url, "alice") as ledger:
        ledger.hold("alice", 5, named)
        with attacker(database_url) as database:
            database.run("UPDATE token_holds SET to_account = ?", forged)
        found = ledger.audit().finding
        assert found is not None
        assert (found.table, found.what) == ("token_holds", "id")
