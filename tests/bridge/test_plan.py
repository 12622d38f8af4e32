"""The planner: what it says a replay takes, beside what nodes then say it took."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import plan_gas
from bridge.batches import Limits, cut, make_run, most_gas, start, weigh
from bridge.chain import Chain
from bridge.codec import encode_call
from bridge.deploy import deploy
from bridge.export import export
from bridge.first_spec import export_ledger_for_chain
from bridge.opened import open_export
from bridge.plan import PlanTotal, plan
from bridge.plan_deferral import PlannedDeferral
from bridge.plan_gas import alone, replay_work, transfer_work
from bridge.plan_rules import PLANNED, TODAY, Gas, Work, blocks_of
from bridge.replay import replay
from ledger import Ledger, Movement
from ledger.model import Address, Hash32
from ledger.results import Entry
from ledger.weights import MAX_GAS, Weight
from tests.bridge import wallet
from tests.bridge.histories import post, seal_all, small_ledger
from tests.bridge.plain_token import plain_token
from tests.bridge.planning import HISTORIES, new_ledger
from tests.contracts.people import ALICE, BOB, STRANGER
from tests.support import nodes

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.keys import Signer
    from bridge.progress import Progress
    from tests.support.guardian import Guardian
    from tests.support.nodes import Node


def near(planned: int, used: int) -> bool:
    """Tell whether a plan is within 3% of what came."""
    return abs(planned - used) * 100 <= 3 * used


def used_by(chain: Chain, hash_: Hash32) -> int:
    """Return what a transaction used, by its receipt."""
    receipt = chain.receipt(hash_)
    assert receipt is not None
    return receipt.gas_used


def replayed(
    ledger: Ledger, chain: Chain, signer: Signer, limits: Limits | None = None
) -> list[int]:
    """Replay everything; return the gas of each transaction."""
    report = replay(ledger, chain, signer, limits=limits)
    sent = [hash_ for asset in report.assets for hash_ in asset.transactions]
    return [used_by(chain, hash_) for hash_ in sent]


# --- beside receipts ---


@pytest.mark.parametrize("history", HISTORIES)
def test_a_replay_takes_what_was_planned(
    history: str, sqlite_url: str, any_chain: Chain, signer: Signer
) -> None:
    """Each transaction, and all of them, within 3 percent; what was not sealed is sealed then."""
    with HISTORIES[history](sqlite_url) as ledger:
        expected = plan(ledger)
        deployed = deploy(ledger, any_chain, signer)
        seal_all(ledger)
        again = plan(ledger)
        used = replayed(ledger, any_chain, signer)
    assert again.unsealed == 0
    assert (again.batches, again.today) == (expected.batches, expected.today)
    planned = [run.gas for run in expected.today.runs]
    assert len(planned) == len(used) == expected.today.replay.transactions
    assert all(map(near, planned, used))
    assert near(expected.today.replay.gas, sum(used))
    assert near(expected.today.deploy.gas, deployed.gas_used)


@pytest.mark.parametrize(
    ("history", "limits"),
    [
        ("mixed", Limits(entries=50)),
        ("many_new_accounts", Limits(gas=5_000_000)),
        ("largest_amounts", Limits(transaction_bytes=1_024)),
    ],
)
def test_a_chain_with_smaller_limits(
    history: str, limits: Limits, sqlite_url: str, chain: Chain, signer: Signer
) -> None:
    """The plan cuts as the replay does, and no transaction is above the limits."""
    with HISTORIES[history](sqlite_url) as ledger:
        seal_all(ledger)
        made = plan(ledger, limits=limits)
        assert made.today.replay.transactions > made.batches
        deploy(ledger, chain, signer)
        used = replayed(ledger, chain, signer, limits)
    assert [run.gas for run in made.today.runs] == pytest.approx(used, rel=0.03)
    for run in (*made.today.runs, *made.planned.runs):
        assert run.gas_needed - run.state_gas <= limits.gas
        assert run.last_seq - run.first_seq < limits.entries
        assert run.calldata_bytes < limits.transaction_bytes


def mint(to: str, amount: int) -> Movement:
    return Movement("system", to, amount)


@pytest.mark.parametrize("version", ["LedgerToken/1", "LedgerTokenDeferred/1"])
def test_the_table_is_what_the_contract_takes(
    version: str, sqlite_url: str, chain: Chain, signer: Signer
) -> None:
    """Each constant, measured again by batches that differ in it alone: correct what differs."""
    samples = {
        "first": [mint("a", 7), mint("b", 7)],
        "one": [mint("a", 7)],
        "two": [mint("a", 7), mint("a", 7)],
        "accounts": [mint("a", 7), mint("b", 7)],
        "tens": [mint("a", 10), mint("a", 7)],
        "scaled": [mint("a", 10)],
    }
    with new_ledger(sqlite_url, version=version) as ledger:
        ledger.create_account("a", 0)
        ledger.create_account("b", 0)
        for movements in samples.values():
            post(ledger, *movements)
            ledger.seal()
        runs = plan(ledger).today.runs
        deploy(ledger, chain, signer)
        used = replayed(ledger, chain, signer)
    more = {name: gas - run.gas for name, gas, run in zip(samples, used, runs, strict=True)}
    record, account = more["two"] - more["one"], more["accounts"] - more["two"]
    measured = {
        "CALL": plan_gas.CALL + more["one"] - record - account,
        "RECORD": plan_gas.RECORD + record,
        "ACCOUNT": plan_gas.ACCOUNT + account,
        "TENFOLD": plan_gas.TENFOLD + more["tens"] - more["two"],
        "SCALED": plan_gas.SCALED + more["scaled"] - more["one"],
    }
    assert measured == {name: getattr(plan_gas, name) for name in measured}
    assert used == [run.gas for run in runs]


@pytest.mark.parametrize("version", ["LedgerToken/1", "LedgerTokenDeferred/1"])
def test_finalizing_takes_what_was_planned(
    version: str, sqlite_url: str, chain: Chain, signer: Signer
) -> None:
    with new_ledger(sqlite_url, version=version) as ledger:
        ledger.create_account("a", 5)
        ledger.seal()
        deployed = deploy(ledger, chain, signer)
        replay(ledger, chain, signer)
        made = plan(ledger)
        [batch] = export_ledger_for_chain(ledger)
    data = encode_call("finalize(bytes32,uint64)", batch.history, batch.sealed.batch.last_seq)
    signed = wallet.transact(chain, signer, deployed.tokens[0].address, data, gas=200_000)
    used = wallet.send_and_wait(chain, signed, "finalize").gas_used
    assert made.today.finalize.gas == used
    assert near(made.today.deploy.gas, deployed.gas_used)


def test_a_transfer_alone_takes_what_a_plain_token_takes(sqlite_url: str, anvil: Node) -> None:
    """OpenZeppelin's ERC-20, to old holders and new ones, from some who keep nothing."""
    alice, bob, other = (who.address.lower() for who in (ALICE, BOB, STRANGER))
    token = plain_token(anvil)
    with new_ledger(sqlite_url) as ledger:
        for name in (alice, bob, other):
            ledger.create_account(name, 0)
        ledger.mint(alice, 10**20)
        token.send("mint", alice, 10**20, sender=ALICE.address)
        for from_, to, amount in (
            (alice, bob, 10**18),
            (alice, bob, 123_456),
            (bob, other, 123_456),
            (other, alice, 123_456),
            (bob, alice, 10**18),
        ):
            entry = ledger.transfer(from_, to, amount)
            sender = next(
                it.address for it in (ALICE, BOB, STRANGER) if it.address.lower() == from_
            )
            receipt = token.send("transfer", to, amount, sender=sender)
            planned = alone(*transfer_work(entry)).price(TODAY).used
            assert near(planned, int(receipt["gasUsed"], 16)), (entry.seq, planned)


# --- by the rules to come ---


def test_planned_prices_as_far_as_a_node_has_them(
    guardian: Guardian, tmp_path: Path, signer: Signer
) -> None:
    """Hardhat has EIP-7976 and the state gas of 8037 by now; of the other prices, today's.

    A replay that is told so cuts as the plan did, and has more gas than a transaction may today.
    """
    as_hardhat = replace(
        PLANNED,
        base=TODAY.base,
        slot_change=TODAY.slot_change,
        slot_new=TODAY.slot_change,
        clear_refund=TODAY.clear_refund,
    )
    plain, small = Limits(rules=as_hardhat), Limits(rules=as_hardhat, block_gas=30_000_000)
    node = nodes.start_hardhat(guardian, "--config", "hardhat.planned.config.js")
    made, used = None, [0]
    with Chain.connect(node.url) as chain:
        for name, limits in (("mixed", plain), ("of_a_chain", plain), ("many_new_accounts", small)):
            before = node.rpc("evm_snapshot")
            with HISTORIES[name](f"sqlite:///{tmp_path}/{name}.db") as ledger:
                seal_all(ledger)
                made = plan(ledger, limits=limits)
                deployed = deploy(ledger, chain, signer, limits=limits)
                used = replayed(ledger, chain, signer, limits)
            assert [run.gas for run in made.planned.runs] == used
            assert near(made.planned.deploy.gas, deployed.gas_used)
            assert max(run.gas_needed for run in made.planned.runs) <= limits.block_gas
            assert sum(used) > made.today.replay.gas
            node.rpc("evm_revert", before)
    assert made is not None
    assert made.planned.replay.transactions > made.today.replay.transactions
    assert max(used) > 2**24
    node.stop()


def test_planned_prices_are_those_of_the_drafts() -> None:
    """The figures that the drafts themselves work out."""
    call = Work(zero_bytes=0, nonzero_bytes=0, compute=0)
    assert call.price(PLANNED).used == 15_000  # 2780: no value, to a contract
    full = replace(call, nonzero_bytes=10 * 2**20)
    assert full.price(PLANNED).floor - 15_000 == 671_088_640  # 7976: "~671M" for 10 MiB
    slot = replace(call, new=1).price(PLANNED)
    assert (slot.state, slot.execution) == (97_920, 25_100)  # 8037: a new slot; 8038: written
    code = replace(call, created=1, code_bytes=24_576).price(PLANNED)
    assert code.state == 37_784_880  # 8037: a contract of 24 kB
    assert code.execution == 15_000 + 12_000 + 6 * 768
    clear = replace(call, cleared=1).price(PLANNED)
    assert (clear.refunds, clear.used) == (11_616, 25_100 - 25_100 // 5)


def test_state_gas_is_under_no_cap_of_a_transaction_but_under_the_blocks(sqlite_url: str) -> None:
    """EIP-8037: 900 new accounts fit in fewer transactions, if a block takes their state gas."""
    with HISTORIES["many_new_accounts"](sqlite_url) as ledger:
        small, large = plan(ledger), plan(ledger, limits=Limits(block_gas=200_000_000))
    assert max(run.gas_needed for run in large.planned.runs) > 60_000_000
    for made in (small, large):
        for run in made.planned.runs:
            assert run.gas_needed - run.state_gas <= 2**24
            assert run.gas_needed <= made.limits.block_gas
    assert small.planned.replay.transactions > large.planned.replay.transactions
    assert small.planned.replay.blocks > large.planned.replay.blocks


# --- bounds ---


class _Books:
    """Entries made up as a ledger would write them, of any accounts and amounts."""

    def __init__(self, held: int) -> None:
        self._held = held
        self._balances: dict[int, int] = {}
        self._supply = 2**200
        self.entries: list[Entry] = []

    def add(self, from_: int, to: int, amount: int) -> None:
        """Move `amount`; account 0 is the issuer, any other begins with what all begin with."""
        if from_ == to == 0:
            return
        amount = min(amount, self._of(from_))
        if from_ != to:
            self._move(from_, -amount)
            self._move(to, amount)
        seq = len(self.entries) + 1
        self.entries.append(
            Entry(
                "SCI",
                seq,
                _HASH,
                _HASH,
                seq,
                f"a{from_}",
                f"a{to}",
                _address(from_),
                _address(to),
                amount,
                self._after(from_),
                self._after(to),
            )
        )

    def _of(self, account: int) -> int:
        return 2**255 if account == 0 else self._balances.get(account, self._held)

    def _move(self, account: int, amount: int) -> None:
        if account == 0:
            self._supply -= amount
        else:
            self._balances[account] = self._of(account) + amount

    def _after(self, account: int) -> int:
        return self._supply if account == 0 else self._of(account)


_HASH = Hash32(b"\x11" * 32)


def _address(number: int) -> Address:
    """Return an address without a zero byte, but for the issuer's."""
    return Address(bytes(20) if number == 0 else b"\xa7" * 16 + (number + 2**31).to_bytes(4, "big"))


def check_bounds(entries: list[Entry], *, is_first: bool = True) -> None:
    """Check that no run of `entries` takes more than it weighs, by either rules."""
    at = start(_HASH) if is_first else replace(start(_HASH), number=7)
    run = make_run(_HASH, _HASH, entries, at)
    weight, work = weigh(entries), replay_work(run, entries)
    assert len(run.payload) <= weight.size
    assert work.price(TODAY).needed <= weight.gas
    for rules in (TODAY, PLANNED):
        gas, (execution, state) = work.price(rules), most_gas(weight, rules)
        assert gas.capped <= execution
        assert gas.state <= state


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.integers(0, 12),
            st.one_of(st.just(0), st.integers(0, 10**6), st.integers(0, 2**180)),
        ),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from([0, 5, 2**190]),
)
def test_no_run_takes_more_than_it_weighs(movements: list[tuple[int, int, int]], held: int) -> None:
    books = _Books(held)
    for movement in movements:
        books.add(*movement)
    if books.entries:
        check_bounds(books.entries, is_first=len(movements) % 2 == 0)


@pytest.mark.parametrize(
    ("count", "accounts", "held", "amount"),
    [
        (2_700, 5_400, 10**9, 7),
        (1_350, 2_700, 2**190, 2**179 + 1),
        (4_000, 2, 10**30, 7),
        (4_000, 2, 10**30, 0),
        (4_000, 600, 10**30, 0),
        (3_000, 30, 2**190, 2**170 + 1),
        (700, 1_400, 10**9, 10**9),
    ],
)
def test_the_largest_runs_take_no_more_than_they_weigh(
    count: int, accounts: int, held: int, amount: int
) -> None:
    """As many accounts, bytes, records or zeros as a transaction can have, and more."""
    books = _Books(held)
    for number in range(count):
        books.add(1 + 2 * number % accounts, 1 + (2 * number + 1) % accounts, amount)
    check_bounds(books.entries)
    fresh = _Books(0)
    for number in range(count):
        fresh.add(0, 1 + number % accounts, amount)
    check_bounds(fresh.entries)


def test_what_fits_in_a_sealed_batch_fits_in_a_transaction() -> None:
    """What weighs 15,000,000 takes less, and the protocol allows 16,777,216."""
    books = _Books(10**9)
    weight = Weight()
    for number in itertools.count():
        books.add(1 + 2 * number, 2 + 2 * number, 7)
        weight.add(books.entries[-1])
        if not weight.fits:
            break
    whole = books.entries[:-1]
    needed = replay_work(make_run(_HASH, _HASH, whole, start(_HASH)), whole).price(TODAY).needed
    assert 14_500_000 < needed <= MAX_GAS < 2**24
    assert list(cut(whole)) == [len(whole)]
    assert sum(cut(whole, Limits(rules=PLANNED))) == len(whole)


def test_a_settlement_fits_in_a_block_by_the_rules_to_come() -> None:
    """Of 580 new balances, which today's cap allows, the state gas alone would fill a block."""
    now, later = Limits(), Limits(rules=PLANNED)
    books, at = _Books(0), start(_HASH)
    both = [PlannedDeferral(now), PlannedDeferral(later)]
    for number in range(1_500):
        books.add(0, 1 + number, 7)
    for first in range(0, 1_500, 500):
        run = make_run(_HASH, _HASH, books.entries[first : first + 500], at)
        for deferral in both:
            deferral.take([run])
        at = run.after
    today, planned = (list(deferral.calls()) for deferral in both)
    assert (len(today), len(planned)) == (1 + 3 + 3, 1 + 3 + 3)
    assert max(call.work.price(PLANNED).needed for call in today) > 60_000_000
    for call in planned:
        gas = call.work.price(PLANNED)
        assert gas.needed <= 60_000_000
        assert gas.capped <= 2**24
    assert both[0].gas == sum(call.work.price(TODAY).used for call in today)


# --- sums ---


def test_an_export_is_planned_as_its_ledger(tmp_path: Path) -> None:
    with small_ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        export(ledger, tmp_path / "x")
        made = plan(ledger)
    with open_export(tmp_path / "x") as copy:
        assert plan(copy) == made
    assert (made.entries, made.unsealed, made.batches) == (20, 0, 4)
    assert [asset.symbol for asset in made.assets] == ["SCI", "GOLD"]
    assert made.today.alone.transactions == 20
    assert made.today.deploy.transactions == 3
    assert made.today.finalize.transactions == 2


def test_an_empty_ledger_takes_no_replay(sqlite_url: str) -> None:
    with new_ledger(sqlite_url) as ledger:
        made = plan(ledger)
    assert (made.entries, made.batches, made.today.runs) == (0, 0, ())
    assert made.today.replay == made.today.alone == PlanTotal(0, 0, 0, 0, 0)
    assert made.today.deploy.transactions == 2


def test_a_plan_says_how_far_it_is(database_url: str) -> None:
    steps: list[Progress] = []
    with HISTORIES["mixed"](database_url) as ledger:
        made = plan(ledger, progress=steps.append)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert (steps[-1].done, steps[-1].total) == (made.entries, made.entries)
    assert len(steps) == made.batches


def test_a_small_block_limits_its_transactions(sqlite_url: str) -> None:
    with HISTORIES["tiny_batches"](sqlite_url) as ledger:
        whole = plan(ledger)
    with HISTORIES["mixed"](sqlite_url + "2") as ledger:
        made = plan(ledger, limits=Limits(block_gas=1_000_000))
    assert whole.today.replay.blocks == 1
    assert all(run.gas_needed <= 1_000_000 for run in (*made.today.runs, *made.planned.runs))
    assert made.today.replay.transactions > made.batches
    assert made.today.replay.blocks >= 6


@pytest.mark.parametrize(
    ("needed", "blocks"),
    [([], 0), ([60], 1), ([30, 30], 1), ([31, 30], 2), ([50, 20, 10], 2), ([20, 50, 10], 2)],
)
def test_blocks_take_transactions_in_their_order(needed: list[int], blocks: int) -> None:
    gas = [Gas(execution=it, state=0, refunds=0, floor=0, kept=False) for it in needed]
    assert blocks_of(gas, 60) == blocks


def test_a_block_has_room_for_what_is_given_not_only_for_what_is_used() -> None:
    """The refund comes when the transaction is done; it makes room for the next one, or none."""
    refunded = Gas(execution=40, state=0, refunds=8, floor=0, kept=False)
    assert blocks_of([refunded, refunded], 72) == 1
    assert blocks_of([refunded, refunded], 71) == 2
    kept = replace(refunded, kept=True)
    assert blocks_of([kept, kept], 79) == 2
    assert blocks_of([kept, kept], 80) == 1


def test_state_gas_fills_a_block_by_itself() -> None:
    mostly_state = Gas(execution=10, state=50, refunds=0, floor=0, kept=True)
    assert blocks_of([mostly_state] * 3, 100) == 3
    assert blocks_of([mostly_state] * 3, 110) == 2
    mostly_work = Gas(execution=50, state=10, refunds=0, floor=0, kept=True)
    assert blocks_of([mostly_work, mostly_state], 110) == 1
