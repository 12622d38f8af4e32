"""LedgerTokenDeferred: events first, balances once at the end, and nothing false gets through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.hashing import keccak
from ledger.model import ZERO_ADDRESS, Address, Record
from tests.contracts.chain import ZERO, Reverted, refused
from tests.contracts.deferred import (
    END,
    LIMIT,
    PRIME,
    DeferredToken,
    Rows,
    change,
    commitment,
    new_deferred,
    own,
    packed,
    settled,
    weight,
)
from tests.contracts.people import ALICE, BOB, OPERATOR, STRANGER
from tests.contracts.test_payload import REFUSED
from tests.contracts.token import HEAD, ROOT, address, mint, new_token
from tests.support.nodes import reset_base_fee

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.nodes import Node

A, B, C, D = (address(number) for number in (1, 2, 3, 4))

BATCHES: Final = (
    (mint(A, 1_000), Record(A, B, 400), Record(B, C, 150)),
    (Record(A, C, 600), mint(D, 7)),
    (Record(D, ZERO_ADDRESS, 7), Record(C, B, 50)),
)
"""A, who ends with nothing, and D, who has something in between only, need no row."""

TRUE: Final[Rows] = [(B, 300), (C, 700)]


@pytest.fixture
def deferred(anvil: Node) -> DeferredToken:
    """Return a token without entries, on Anvil."""
    return new_deferred(anvil)


# --- the whole life ---


def test_life(node: Node) -> None:
    token = new_deferred(node)
    announced = token.begin(BATCHES)
    assert announced.rows == TRUE
    for number, records in enumerate(BATCHES, start=1):
        receipt = token.replay(*records)
        *transfers, (name, batch) = token.events(receipt)
        moved = [
            Record(Address.parse(it["from"]), Address.parse(it["to"]), it["amount"])
            for _, it in transfers
        ]
        assert (moved, name, batch["number"]) == ([*records], "BatchReplayed", number)
        assert token.call("deferring")
    assert token.call("history") == announced.history
    assert token.events(token.settle(TRUE[:1], TRUE[1:])) == []
    assert token.call("deferring")
    last = token.settle(TRUE[1:], sender=STRANGER.address)  # anybody may
    told = {"lastSeq": 7, "history": announced.history, "totalSupply": 1_000}
    assert token.events(last) == [("DeferralSettled", told)]
    assert [token.balance(who) for who in (A, B, C, D)] == [0, 300, 700, 0]
    assert token.call("totalSupply") == 1_000
    assert not any(_words(token))

    with refused("Overdraft", 0, f"0x{A.hex()}", 0, 1):
        token.try_replay(Record(A, B, 1))
    token.replay(Record(C, own(ALICE.address), 700))
    token.finalize()
    token.send("transfer", BOB.address, 1, sender=ALICE.address)
    assert [token.balance(who) for who in (C, own(ALICE.address), own(BOB.address))] == [0, 699, 1]


def _words(token: DeferredToken) -> list[Any]:
    """Return the words of the deferral, as numbers: a list of zeros if there is none."""
    return [
        int.from_bytes(it, "big") if isinstance(it, bytes) else int(it, 16) if it == ZERO else it
        for it in token.call("deferral")
    ]


def test_logs_and_history_are_those_of_an_exact_replay(
    anvil: Node, deferred: DeferredToken
) -> None:
    exact = new_token(anvil)
    deferred.begin(BATCHES)
    for records in BATCHES:
        ours, theirs = deferred.replay(*records), exact.replay(*records)
        assert deferred.events(ours) == exact.events(theirs)
        ours_raw, theirs_raw = (
            [(it["topics"], it["data"]) for it in r["logs"]] for r in (ours, theirs)
        )
        assert ours_raw == theirs_raw
    deferred.settle(TRUE)
    for name in ("history", "head", "lastSeq", "batchCount", "totalSupply"):
        assert deferred.call(name) == exact.call(name)
    slots = [_balance_slot(who) for who in (A, B, C, D)] + [hex(0x05345CDF77EB68F44C)]
    for slot in slots:
        read = [
            anvil.rpc("eth_getStorageAt", it.address, slot, "latest") for it in (deferred, exact)
        ]
        assert read[0] == read[1]


def _balance_slot(account: bytes) -> str:
    return "0x" + keccak(account + (0x87A211A2).to_bytes(12, "big")).hex()


def test_without_a_deferral_it_is_a_ledger_token(deferred: DeferredToken) -> None:
    deferred.play(BATCHES)
    assert [deferred.balance(who) for who in (A, B, C, D)] == [0, 300, 700, 0]
    with refused("Overdraft", 0, f"0x{A.hex()}", 0, 1):
        deferred.try_replay(Record(A, B, 1))
    deferred.finalize()
    assert deferred.call("live")


def test_a_deferral_may_follow_balances(deferred: DeferredToken) -> None:
    deferred.replay(mint(A, 10), mint(B, 20), mint(C, 5))
    before = {A: 10, B: 20, C: 5}
    batches = [[Record(A, D, 10), Record(D, B, 4)], [Record(B, ZERO_ADDRESS, 2)]]
    announced = deferred.begin(batches, before=before)
    assert announced.rows == [(A, 0), (B, 22), (D, 6)]  # C keeps what it has, without a row
    deferred.play(batches)
    deferred.settle(announced.rows)
    assert [deferred.balance(who) for who in (A, B, C, D)] == [0, 22, 5, 6]
    assert deferred.call("totalSupply") == 33
    again = [[Record(C, A, 5)]]
    rows = deferred.begin(again, before={C: 5}).rows
    deferred.play(again)
    deferred.settle(rows)
    assert [deferred.balance(who) for who in (A, B, C, D)] == [5, 22, 0, 6]


def test_a_row_that_changes_nothing_is_harmless(deferred: DeferredToken) -> None:
    rows = deferred.begin(BATCHES, [(A, 0), *TRUE, (D, 0)]).rows
    deferred.play(BATCHES)
    deferred.settle(rows)
    assert deferred.call("totalSupply") == 1_000


def test_nothing_may_have_changed(deferred: DeferredToken) -> None:
    batches = [[mint(A, 3), Record(A, ZERO_ADDRESS, 3)]]
    deferred.begin(batches, [])
    deferred.play(batches)
    deferred.settle([])
    assert (deferred.call("deferring"), deferred.call("totalSupply")) == (False, 0)


# --- balances that are not what the records come to ---

FALSE: Final[dict[str, Rows]] = {
    "one more": [(B, 301), (C, 700)],
    "one less": [(B, 300), (C, 699)],
    "moved from one to the other": [(B, 299), (C, 701)],
    "swapped": [(B, 700), (C, 300)],
    "one left out": [(B, 300)],
    "the other left out": [(C, 700)],
    "none": [],
    "all of it to one": [(B, 1_000)],
    "to somebody else": [(A, 300), (C, 700)],
    "one more account": [(B, 300), (C, 700), (D, 7)],
    "twice as much": [(B, 600), (C, 1_400)],
    "what was there in between": [(B, 250), (C, 750)],
    "the most there can be": [(B, 300), (C, LIMIT - 300)],
}


@pytest.mark.parametrize("case", FALSE)
def test_false_balances_are_never_settled(deferred: DeferredToken, case: str) -> None:
    rows = FALSE[case]
    deferred.begin(BATCHES, rows)
    deferred.play(BATCHES)
    if rows:
        deferred.settle(rows[:-1], rows[-1:])  # nothing is wrong yet with the first ones
    seed = deferred.call("deferral")[2]
    wrong = change(BATCHES)
    wrong.subtract(dict(rows))
    left = sum(net * weight(seed, who) for who, net in wrong.items()) % PRIME
    assert left
    with refused("FingerprintDiffers", left):
        deferred.settle(rows[-1:])
    _is_stuck(deferred)


def _is_stuck(token: DeferredToken) -> None:
    """Assert that there is no way to balances, to a batch, or to a live token."""
    with refused("NotSettled"):
        token.balance(B)
    with refused("NotSettled"):
        token.call("totalSupply")
    with refused("NotSettled"):
        token.finalize()
    with refused("NotSettled"):
        token.replay(mint(B, 1))
    with refused("NotSettled"):
        token.begin([[mint(B, 1)]], [(B, 1)])
    for rows in (TRUE, TRUE[1:], [(B, 1)]):
        with pytest.raises(Reverted, match=r"WrongRows|FingerprintDiffers"):
            token.settle(rows)
    for name, arguments in TRANSFERS.items():
        with refused("OnlyLive"):
            token.send(name, *arguments, sender=ALICE.address)


TRANSFERS: Final[dict[str, tuple[object, ...]]] = {
    "transfer": (BOB.address, 1),
    "approve": (BOB.address, 1),
    "transferFrom": (ALICE.address, BOB.address, 1),
}


@given(data=st.data())
@settings(max_examples=25)
def test_random_histories(deferred: DeferredToken, data: st.DataObject) -> None:
    """Balances that are true are settled, in whatever pieces; others never are."""
    batches = data.draw(_batches)
    net = change(batches)
    true = settled({}, batches)
    truth = data.draw(st.booleans()) and min(net.values(), default=0) >= 0
    rows = true if truth else data.draw(_rows)
    cut = data.draw(st.integers(0, max(0, len(rows) - 1)))
    snapshot = deferred.node.rpc("evm_snapshot")
    deferred.begin(batches, rows)
    deferred.play(batches)
    if cut:
        deferred.settle(rows[:cut], rows[cut:])
    if dict(rows) == {who: amount for who, amount in net.items() if amount}:
        deferred.settle(rows[cut:])
        assert {who: deferred.balance(who) for who in net} == dict(net)
    else:
        with pytest.raises(Reverted, match="FingerprintDiffers"):
            deferred.settle(rows[cut:])
    deferred.node.rpc("evm_revert", snapshot)
    reset_base_fee(deferred.node)


_POOL: Final = [address(number) for number in range(1, 6)]
_record = st.builds(
    Record, st.sampled_from([ZERO_ADDRESS, *_POOL]), st.sampled_from(_POOL), st.integers(0, 9)
)
_batches = st.lists(st.lists(_record, min_size=1, max_size=6), min_size=1, max_size=3)
_rows = st.dictionaries(st.sampled_from(_POOL), st.integers(1, 20), min_size=1).map(
    lambda rows: sorted(rows.items())
)


@given(batches=_batches)
@settings(max_examples=15)
def test_the_fingerprint_is_the_weighted_sum(deferred: DeferredToken, batches: Any) -> None:  # noqa: ANN401 (Hypothesis's)
    snapshot = deferred.node.rpc("evm_snapshot")
    start = deferred.call("history")
    announced = deferred.begin(batches, [(A, 1)])
    seed = keccak(start + announced.history + commitment(announced.rows))
    for done, records in enumerate(batches, start=1):
        deferred.replay(*records)
        net = change(batches[:done])
        expected = sum(amount * weight(seed, who) for who, amount in net.items()) % PRIME
        volume = sum(record.amount for batch in batches[:done] for record in batch)
        found = deferred.call("deferral")
        assert (found[2], found[3], found[4]) == (seed, expected, volume)
    deferred.node.rpc("evm_revert", snapshot)
    reset_base_fee(deferred.node)


# --- an operator who knows the arithmetic ---


def test_rows_forged_for_a_seed_have_another_seed(deferred: DeferredToken) -> None:
    """With weights known, false balances of the right weight are easy to find: and too late."""
    deferred.begin(BATCHES)
    seed = deferred.call("deferral")[2]
    forged = _forged(seed)
    assert forged != TRUE
    assert _weight_of(seed, forged) == _weight_of(seed, TRUE)
    deferred.begin(BATCHES, forged)
    assert deferred.call("deferral")[2] != seed
    deferred.play(BATCHES)
    with pytest.raises(Reverted, match="FingerprintDiffers"):
        deferred.settle(forged)


def _forged(seed: bytes) -> Rows:
    """Return rows that give B much more, and weigh what the true ones weigh."""
    ratio = weight(seed, B) * pow(weight(seed, C), -1, PRIME)
    for more in range(1, 1_000):
        other = (700 - more * ratio) % PRIME
        if other <= LIMIT - 300 - more:
            return [(B, 300 + more), (C, other)]
    raise AssertionError("a quarter of all ratios will do")


def _weight_of(seed: bytes, rows: Rows) -> int:
    return sum(balance * weight(seed, who) for who, balance in rows) % PRIME


def test_the_prime_is_one() -> None:
    # Fermat's test to the first primes; that it is the greatest below 2**256 is well known.
    assert all(pow(base, PRIME - 1, PRIME) == 1 for base in (2, 3, 5, 7, 11, 13, 17, 19, 23))


CONGRUENT: Final = {
    "above the prime": ([[mint(A, 5)]], [(A, PRIME + 5)]),
    "below zero": ([[Record(A, B, 3)]], [(A, PRIME - 3), (B, 3)]),
    "below zero, as two's complement": ([[Record(A, B, 3)]], [(A, 2**256 - 3), (B, 3)]),
    "above the limit": ([[mint(A, 5)]], [(A, LIMIT + 1)]),
}
"""What is settled is congruent, or nearly, to what the records come to, and not equal."""


@pytest.mark.parametrize("case", CONGRUENT)
def test_congruent_balances_are_refused(deferred: DeferredToken, case: str) -> None:
    batches, rows = CONGRUENT[case]
    deferred.begin(batches, rows)
    deferred.play(batches)
    with refused("SupplyTooLarge", 0, rows[0][1]):
        deferred.settle(rows)
    with refused("NotSettled"):
        deferred.finalize()


def test_the_supply_has_a_limit(deferred: DeferredToken) -> None:
    deferred.begin([[mint(A, 1)]], [(A, LIMIT), (B, 1)])
    deferred.play([[mint(A, 1)]])
    with refused("SupplyTooLarge", LIMIT, 1):
        deferred.settle([(A, LIMIT), (B, 1)])


def test_as_much_as_the_limit_is_exact(deferred: DeferredToken) -> None:
    batches = [[mint(A, LIMIT - 1)], [mint(B, 1)]]
    deferred.begin(batches)
    deferred.play(batches)
    deferred.settle([(A, LIMIT - 1), (B, 1)])
    assert (deferred.balance(A), deferred.call("totalSupply")) == (LIMIT - 1, LIMIT)


VOLUMES: Final[dict[str, tuple[list[list[Record]], int]]] = {
    "one amount": ([[mint(A, LIMIT + 1)]], 0),
    "the greatest amount": ([[mint(A, 2**256 - 1)]], 0),
    "mint 2**255 twice": ([[mint(A, 2**255), mint(A, 2**255)]], 0),
    "mint 2**253 twice": ([[mint(A, 2**253), mint(A, 2**253)]], 1),
    "to and fro": ([[mint(A, 2**253), Record(A, B, 2**253)]], 1),
    "over two batches": ([[mint(A, LIMIT)], [Record(A, B, 0), Record(A, B, 1)]], 1),
    "over two batches, with a scale": ([[mint(A, 10**76)], [mint(A, 2 * 10**76)]], 0),
    "with a scale": ([[mint(A, 10**76), mint(A, 2 * 10**76)]], 1),
}


@pytest.mark.parametrize("case", VOLUMES)
def test_the_volume_has_a_limit(deferred: DeferredToken, case: str) -> None:
    batches, record = VOLUMES[case]
    deferred.begin(batches, [(A, 1)])
    deferred.play(batches[:-1])
    with refused("VolumeTooLarge", record):
        deferred.try_replay(*batches[-1])


def test_no_deferral_after_a_supply_above_the_limit(deferred: DeferredToken) -> None:
    deferred.replay(mint(A, LIMIT + 1))
    with refused("SupplyTooLarge", LIMIT + 1, 0):
        deferred.begin([[mint(A, 1)]], [(A, 1)])
    deferred.replay(Record(A, ZERO_ADDRESS, 1))
    deferred.begin([[Record(A, B, 1)]], before={A: LIMIT})
    deferred.play([[Record(A, B, 1)]])
    deferred.settle([(A, LIMIT - 1), (B, 1)])


# --- what is not checked, and says so ---


def test_an_overdraft_in_between_passes(deferred: DeferredToken) -> None:
    batches = [[Record(A, B, 5), mint(B, 1)], [mint(A, 5)]]
    deferred.begin(batches)
    deferred.play(batches)
    deferred.settle([(B, 6)])
    assert deferred.balance(B) == 6


@pytest.mark.parametrize("rows", [[(B, 5)], [(A, 0), (B, 5)], [(A, LIMIT - 4), (B, 5)]])
def test_an_overdraft_at_the_end_does_not(deferred: DeferredToken, rows: Rows) -> None:
    batches = [[Record(A, B, 5)]]
    deferred.begin(batches, rows)
    deferred.play(batches)
    with pytest.raises(Reverted, match=r"FingerprintDiffers|SupplyTooLarge"):
        deferred.settle(rows)


# --- beginning ---


def test_begin_says_what_comes(deferred: DeferredToken) -> None:
    deferred.replay(mint(A, 1))
    history, seq = deferred.history_after([[mint(A, 2)]])
    link = commitment([(A, 3)])
    receipt = deferred.send("beginDeferral", history, seq, link, sender=OPERATOR.address)
    told = {"fromSeq": 1, "finalSeq": 2, "finalHistory": history, "settlement": link}
    assert deferred.events(receipt) == [("DeferralBegun", told)]
    seed = keccak(encode(["bytes32"] * 3, [deferred.call("history"), history, link]))
    assert deferred.call("deferral") == (history, link, seed, 0, 0, ZERO, 1, 2)


def test_begin_again_before_a_batch(deferred: DeferredToken) -> None:
    deferred.begin(BATCHES, FALSE["one more"])
    first = deferred.call("deferral")
    deferred.begin([[mint(A, 1)]])
    deferred.begin(BATCHES)
    assert deferred.call("deferral")[2] != first[2]
    deferred.play(BATCHES)
    deferred.settle(TRUE)
    assert deferred.balance(C) == 700


def test_no_begin_after_a_batch(deferred: DeferredToken) -> None:
    deferred.begin(BATCHES)
    deferred.play(BATCHES[:1])
    with refused("NotSettled"):
        deferred.begin(BATCHES[1:], TRUE)


@pytest.mark.parametrize("seq", [0, 1, 2])
def test_nothing_to_defer(deferred: DeferredToken, seq: int) -> None:
    deferred.replay(mint(A, 1), mint(B, 1))
    with refused("NothingToDefer", 2, seq):
        deferred.send("beginDeferral", HEAD, seq, END, sender=OPERATOR.address)


def test_only_the_operator_begins_and_replays(deferred: DeferredToken) -> None:
    with refused("NotOperator", STRANGER.address.lower()):
        deferred.begin(BATCHES, sender=STRANGER.address)
    deferred.begin(BATCHES)
    with refused("NotOperator", STRANGER.address.lower()):
        deferred.replay(*BATCHES[0], sender=STRANGER.address)


def test_a_live_token_defers_nothing(deferred: DeferredToken) -> None:
    deferred.finalize()
    with refused("OnlyMirror"):
        deferred.begin(BATCHES)
    with refused("OnlyMirror"):
        deferred.settle([])
    with refused("OnlyMirror"):
        deferred.replay(*BATCHES[0])


def test_a_new_operator_goes_on(deferred: DeferredToken) -> None:
    deferred.begin(BATCHES)
    deferred.play(BATCHES[:1])
    deferred.send("transferOperator", BOB.address, sender=OPERATOR.address)
    deferred.send("acceptOperator", sender=BOB.address)
    for records in BATCHES[1:]:
        deferred.replay(*records, sender=BOB.address)
    deferred.settle(TRUE, sender=OPERATOR.address)
    deferred.finalize(sender=BOB.address)


# --- batches ---


def test_a_batch_twice_is_stale(deferred: DeferredToken) -> None:
    deferred.begin(BATCHES)
    start = deferred.call("history")
    deferred.play(BATCHES[:1])
    payload = bytes.fromhex("01")
    with refused("StaleHistory", deferred.call("history"), start):
        deferred.send("replay", start, HEAD, ROOT, payload, sender=OPERATOR.address)


WRONG: Final[dict[str, Sequence[Sequence[Record]]]] = {
    "another amount at the end": (*BATCHES[:2], (*BATCHES[2][:1], Record(C, B, 51))),
    "another amount in between": (BATCHES[0], (Record(A, C, 601), mint(D, 7)), BATCHES[2]),
    "another order": (BATCHES[1], BATCHES[0], BATCHES[2]),
    "other cuts": ((*BATCHES[0], BATCHES[1][0]), (BATCHES[1][1], *BATCHES[2])),
    "one entry more": (*BATCHES[:2], (*BATCHES[2], mint(A, 1))),
    "a batch on top of all": (*BATCHES[:2], (*BATCHES[2], *BATCHES[0])),
}


@pytest.mark.parametrize("case", WRONG)
def test_another_history_does_not_arrive(deferred: DeferredToken, case: str) -> None:
    announced = deferred.begin(BATCHES)
    *before, last = WRONG[case]
    deferred.play(before)
    (wrong, _) = deferred.history_after([last])
    with refused("WrongFinalHistory", announced.history, wrong):
        deferred.replay(*last)
    with refused("NotReplayed", deferred.call("lastSeq"), 7):
        deferred.settle(TRUE)


def test_the_history_must_end_with_the_entry_announced(deferred: DeferredToken) -> None:
    history, seq = deferred.history_after(BATCHES)
    rows = commitment(TRUE)
    deferred.send("beginDeferral", history, seq - 1, rows, sender=OPERATOR.address)
    deferred.play(BATCHES[:2])
    with refused("WrongFinalHistory", history, history):
        deferred.replay(*BATCHES[2])


def test_nothing_follows_the_last_batch_before_balances(deferred: DeferredToken) -> None:
    deferred.begin(BATCHES)
    deferred.play(BATCHES)
    with refused("NotSettled"):
        deferred.replay(mint(A, 1))


@pytest.mark.parametrize("case", REFUSED)
def test_refused_payload(deferred: DeferredToken, case: str) -> None:
    deferred.begin(BATCHES)
    payload, name, *arguments = REFUSED[case]
    if name == "AmountOverflow":
        name, arguments = "VolumeTooLarge", arguments[:1]
    with refused(name, *arguments):
        deferred.try_replay(payload=payload)


# --- rows ---


@pytest.fixture
def replayed(deferred: DeferredToken) -> DeferredToken:
    """Return a token whose records are all there, and whose balances are still to come."""
    deferred.begin(BATCHES)
    deferred.play(BATCHES)
    return deferred


OTHER_ROWS: Final[dict[str, tuple[Rows, Rows]]] = {
    "another balance": ([(B, 301), (C, 700)], []),
    "another account": ([(A, 300), (C, 700)], []),
    "only the last": ([(C, 700)], []),
    "only the first, and no more": ([(B, 300)], []),
    "the wrong order": ([(C, 700), (B, 300)], []),
    "one more": ([*TRUE, (D, 1)], []),
    "one twice": ([(B, 300), *TRUE], []),
    "none, and no more": ([], []),
    "the first, then another": ([(B, 300)], [(C, 701)]),
    "all, then one more": (TRUE, [(D, 1)]),
}


@pytest.mark.parametrize("case", OTHER_ROWS)
def test_other_rows_than_announced(replayed: DeferredToken, case: str) -> None:
    rows, rest = OTHER_ROWS[case]
    with refused("WrongRows", commitment(TRUE), commitment([*rows, *rest])):
        replayed.settle(rows, rest, sender=STRANGER.address)
    replayed.settle(TRUE)


def test_rows_twice(replayed: DeferredToken) -> None:
    replayed.settle(TRUE[:1], TRUE[1:])
    with refused("WrongRows", commitment(TRUE[1:]), commitment(TRUE)):
        replayed.settle(TRUE[:1], TRUE[1:])
    replayed.settle([], TRUE[1:])  # no rows: nothing happens
    replayed.settle(TRUE[1:])
    with refused("NotReplayed", 7, 0):
        replayed.settle(TRUE[1:])


def test_rows_cut_in_the_middle(replayed: DeferredToken) -> None:
    for data in (packed(TRUE)[:-1], packed(TRUE) + b"\0", packed(TRUE)[:51]):
        with refused("RowsLength", len(data)):
            replayed.send("settle", data, END, sender=OPERATOR.address)


def test_a_part_is_not_settled(replayed: DeferredToken) -> None:
    replayed.settle(TRUE[:1], TRUE[1:])
    with refused("NotSettled"):
        replayed.balance(B)
    with refused("NotSettled"):
        replayed.finalize()
    with refused("NotSettled"):
        replayed.begin([[mint(A, 1)]])


NOT_ASCENDING: Final[dict[str, tuple[Rows, Address]]] = {
    "descending": ([(C, 700), (B, 300)], B),
    "one account twice": ([(B, 299), (B, 300), (C, 700)], B),
    "the issuer": ([(ZERO_ADDRESS, 5), (B, 300), (C, 700)], ZERO_ADDRESS),
}


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("case", NOT_ASCENDING)
def test_rows_ascend(deferred: DeferredToken, case: str, cut: int) -> None:
    rows, wrong = NOT_ASCENDING[case]
    deferred.begin(BATCHES, rows)
    deferred.play(BATCHES)
    with refused("RowNotAscending", f"0x{wrong.hex()}"):
        deferred.settle(rows[:cut], rows[cut:])
        deferred.settle(rows[cut:])


def test_no_rows_before_the_last_batch(deferred: DeferredToken) -> None:
    with refused("NotReplayed", 0, 0):
        deferred.settle([])
    deferred.begin(BATCHES)
    with refused("NotReplayed", 0, 7):
        deferred.settle(TRUE)
    deferred.play(BATCHES[:2])
    with refused("NotReplayed", 5, 7):
        deferred.settle(TRUE)
