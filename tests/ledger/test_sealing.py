"""Seals: ledger-wide, chained, a prefix of the order, no group split, O(batch)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import Group, Kind, Ledger, Movement, OpenAccount, Sealed
from ledger.ids import batch_id, first_head, seal_id
from ledger.merkle import Frontier, root
from ledger.model import ZERO_HASH
from ledger.weights import MAX_BYTES, MAX_ENTRIES, MAX_GAS, Weight
from tests.ledger.support import Clock, accepted, attacker, create, economy, place, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger import Entry


def seal_all(ledger: Ledger) -> list[Sealed]:
    return list(iter(ledger.seal, None))


def check_seals(ledger: Ledger, *, complete: bool = True) -> None:
    """Assert I7 from outside, by the stored seals and entries alone."""
    assets = {asset.symbol: asset for asset in ledger.assets()}
    entries = {symbol: list(ledger.entries(symbol)) for symbol in assets}
    ends: dict[str, tuple[int, int]] = dict.fromkeys(assets, (0, 0))
    prev, time_before = ZERO_HASH, 0
    for number, sealed in enumerate(ledger.seals(), 1):
        seal = sealed.seal
        assert (seal.number, seal.prev_seal) == (number, prev)
        assert seal.timestamp > time_before
        assert sealed.id == seal_id(ledger.identity.domain, seal)
        assert seal.batches == tuple(batch.id for batch in sealed.batches)
        assert [b.batch.asset for b in sealed.batches] == sorted(
            b.batch.asset for b in sealed.batches
        )
        for stored in sealed.batches:
            batch = stored.batch
            last_number, last_seq = ends[stored.symbol]
            assert (batch.number, batch.first_seq) == (last_number + 1, last_seq + 1)
            assert stored.id == batch_id(ledger.identity.domain, batch)
            taken = entries[stored.symbol][: batch.last_seq]
            assert batch.tree_root == root([entry.id for entry in taken])
            assert batch.new_head == taken[-1].head
            start = first_head(ledger.identity.domain, batch.asset)
            assert batch.prev_head == (taken[last_seq - 1].head if last_seq else start)
            assert Frontier.from_bytes(stored.frontier).size == batch.last_seq
            assert seal.timestamp > taken[-1].timestamp
            ends[stored.symbol] = (batch.number, batch.last_seq)
        prev, time_before = sealed.id, seal.timestamp
        _check_cut(entries, {symbol: last for symbol, (_, last) in ends.items()})
    if complete:
        assert {symbol: last for symbol, (_, last) in ends.items()} == {
            symbol: len(journal) for symbol, journal in entries.items()
        }


def _check_cut(entries: dict[str, list[Entry]], ends: dict[str, int]) -> None:
    """After each seal: every group is wholly in or wholly out, and what is out is later."""
    inside = [e for symbol, journal in entries.items() for e in journal[: ends[symbol]]]
    outside = [e for symbol, journal in entries.items() for e in journal[ends[symbol] :]]
    groups = {entry.group for entry in inside} - {ZERO_HASH}
    assert groups.isdisjoint({entry.group for entry in outside})
    if inside and outside:
        assert max(e.timestamp for e in inside) <= min(e.timestamp for e in outside)


# --- one seal ---


def test_nothing_to_seal_is_none_and_changes_nothing(database_url: str) -> None:
    with create(database_url) as ledger:
        assert ledger.seal() is None
        ledger.create_asset("SCI", "Science")
        with unchanged(database_url):
            assert ledger.seal() is None
        ledger.create_account("alice", 5)
        assert ledger.seal() is not None
        with unchanged(database_url):
            assert ledger.seal() is None


def test_a_seal_takes_the_next_batch_of_each_asset_that_has_entries(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.create_asset("B", "B")
        ledger.create_asset("C", "C")
        ledger.mint("alice", 5, asset="B")
        one = ledger.seal()
        ledger.transfer("alice", "bob", 1, asset="SCI")
        two = ledger.seal()
        ledger.mint("bob", 1, asset="C")
        ledger.transfer("alice", "bob", 1, asset="B")
        three = ledger.seal()
        assert one
        assert two
        assert three
        cuts = [
            {(b.symbol, b.batch.first_seq, b.batch.last_seq) for b in sealed.batches}
            for sealed in (one, two, three)
        ]
        assert cuts == [{("SCI", 1, 2), ("B", 1, 1)}, {("SCI", 3, 3)}, {("C", 1, 1), ("B", 2, 2)}]
        assert list(ledger.seals()) == [one, two, three]
        assert list(ledger.seals(2)) == [two, three]
        assert list(ledger.seals(4)) == []
        check_seals(ledger)
        assert ledger.audit().ok


def test_a_seal_is_later_than_what_it_seals(database_url: str) -> None:
    clock = Clock()
    with economy(database_url, "alice", clock=clock) as ledger:
        clock.now = 1
        one = ledger.seal()
        ledger.mint("alice", 1)
        two = ledger.seal()
        assert one
        assert two
        assert one.seal.timestamp == next(ledger.entries(first=1, last=1)).timestamp + 1
        assert two.seal.timestamp > one.seal.timestamp
        check_seals(ledger)


# --- the limits ---


def test_a_batch_has_at_most_4000_entries(database_url: str) -> None:
    with economy(database_url, "alice", "bob", balance=10_000) as ledger:
        ledger.post_many([Movement("alice", "bob", 1)] * (2 * MAX_ENTRIES - 1))
        sizes = [sealed.batches[0].batch.size for sealed in seal_all(ledger)]
        assert sizes == [MAX_ENTRIES, MAX_ENTRIES, 1]
        check_seals(ledger)
        assert ledger.audit().ok


@pytest.mark.parametrize("alone", [3_998, 3_999])
def test_a_group_that_does_not_fit_waits_whole(database_url: str, alone: int) -> None:
    with economy(database_url, "alice", "bob", balance=10_000) as ledger:
        ledger.post_many([Movement("alice", "bob", 1)] * (alone - 2))
        accepted(ledger.post_many([Group((Movement("alice", "bob", 1),) * 2)])[0])
        ledger.post_many([Movement("alice", "bob", 1)] * 5)
        sizes = [sealed.batches[0].batch.size for sealed in seal_all(ledger)]
        assert sizes == ([4_000, 5] if alone == 3_998 else [3_999, 7])
        check_seals(ledger)
        assert ledger.audit().ok


def test_what_fits_in_no_batch_of_one_asset_stops_them_all(database_url: str) -> None:
    """A seal is a prefix of the ledger-wide order: what is later waits in every journal."""
    with economy(database_url, "alice", "bob", balance=10_000) as ledger:
        ledger.create_asset("B", "B")
        ledger.mint("alice", 50, asset="B")
        ledger.post_many([Movement("alice", "bob", 1, "SCI")] * (MAX_ENTRIES - 3))
        both = Group((Movement("alice", "bob", 1, "SCI"), Movement("alice", "bob", 1, "B")) * 2)
        accepted(ledger.post_many([both])[0])
        ledger.transfer("alice", "bob", 1, asset="B")
        one, two = seal_all(ledger)
        assert {(b.symbol, b.batch.last_seq) for b in one.batches} == {("SCI", 3_999), ("B", 1)}
        assert {(b.symbol, b.batch.last_seq) for b in two.batches} == {("SCI", 4_001), ("B", 4)}
        check_seals(ledger)
        assert ledger.audit().ok


def test_a_batch_fits_in_one_transaction(database_url: str) -> None:
    """Long amounts and new accounts reach the limits of bytes and gas before that of entries."""
    big = 2**255 // 3_000
    with economy(database_url) as ledger:
        ledger.post_many(OpenAccount(f"a{number}", big + number) for number in range(2_500))
        ledger.create_account("rich", big)
        ledger.post_many(Movement("rich", "a0", big // 5_000 + n) for n in range(3_500))
        sealed = seal_all(ledger)
        entries = list(ledger.entries())
        sizes = []
        for one in sealed:
            batch = one.batches[0].batch
            weight = Weight()
            for entry in entries[batch.first_seq - 1 : batch.last_seq]:
                weight.add(entry)
            assert weight.fits
            sizes.append((weight.entries, weight.size, weight.gas))
            if batch.last_seq < len(entries):
                weight.add(entries[batch.last_seq])
                assert not weight.fits  # it takes as much as fits
        assert any(gas > 0.99 * MAX_GAS for _, _, gas in sizes)
        assert any(size > 0.99 * MAX_BYTES for _, size, _ in sizes)
        assert all(count < MAX_ENTRIES for count, _, _ in sizes)
        check_seals(ledger)
        assert ledger.audit().ok


def test_a_group_too_heavy_for_any_batch_is_taken_alone(sqlite_url: str) -> None:
    with economy(sqlite_url) as ledger:
        ledger.create_account("rich", 2**200)
        ledger.post_many(OpenAccount(f"a{number}", 0) for number in range(1_000))
        assert ledger.seal()
        group = Group(tuple(Movement("rich", f"a{n}", 2**180 + n) for n in range(1_000)))
        accepted(ledger.post_many([group])[0])
        ledger.transfer("a0", "a1", 1)
        sizes = [sealed.batches[0].batch.size for sealed in seal_all(ledger)]
        assert sizes == [1_000, 1]
        check_seals(ledger)
        assert ledger.audit().ok


# --- any order of posting and sealing ---

steps = st.lists(
    st.one_of(
        st.just("seal"),
        st.lists(st.sampled_from(["SCI", "B", "C"]), min_size=1, max_size=4),
    ),
    max_size=15,
)


@given(history=steps)
@settings(max_examples=25)
def test_any_history_is_sealed_in_order(world: Ledger, history: list[str | list[str]]) -> None:
    for step in history:
        if isinstance(step, str):
            world.seal()
            continue
        movements = tuple(
            Movement("alice", "alice", 0, asset, kind=Kind.CHAIN, cause=place()) for asset in step
        )
        accepted(world.post_many([Group(movements)])[0])
    check_seals(world, complete=False)


@pytest.fixture
def world(database_url: str) -> Iterator[Ledger]:
    """Return one ledger for all examples: its history only grows."""
    with economy(database_url, "alice") as ledger:
        ledger.create_asset("B", "B")
        ledger.create_asset("C", "C")
        yield ledger
        seal_all(ledger)
        check_seals(ledger)
        assert ledger.audit().ok


# --- several at once ---


def test_two_sealers_at_once_make_one_chain(database_url: str) -> None:
    with (
        economy(database_url, "alice", "bob", balance=20_000) as one,
        Ledger.open(database_url) as two,
        ThreadPoolExecutor(4) as pool,
    ):
        one.post_many([Movement("alice", "bob", 1)] * 9_000)
        made = [pool.submit(seal_all, ledger) for ledger in (one, two, one, two)]
        sealed = [seal for future in made for seal in future.result(60)]
        assert sorted(seal.seal.number for seal in sealed) == list(range(1, len(sealed) + 1))
        assert len(sealed) == 3
        check_seals(one)
        assert one.audit().ok


def test_sealing_and_auditing_while_others_post(database_url: str) -> None:
    """Groups over both assets, and assets that come while a seal is cut."""
    with (
        economy(database_url, "alice", "bob") as ledger,
        Ledger.open(database_url) as sealer,
        Ledger.open(database_url) as auditor,
        ThreadPoolExecutor(3) as pool,
    ):
        ledger.create_asset("B", "B")
        ledger.mint("alice", 5_000, asset="B")

        def work() -> int:
            for number in range(60):
                new = f"N{number % 20}"
                if number < 20:
                    ledger.create_asset(new, "New")
                pair = [Movement("alice", "bob", 1, "SCI"), Movement("system", "bob", 1, new)]
                accepted(ledger.post_many([Group(tuple(pair))])[0])
            return 60

        posting = pool.submit(work)
        reports = []
        while not posting.done():
            sealer.seal()
            reports.append(auditor.audit())
        assert posting.result() == 60
        assert [report.finding for report in reports] == [None] * len(reports)
        seal_all(sealer)
        check_seals(sealer)
        assert auditor.audit().ok


def test_posting_does_not_wait_for_a_sealer_on_postgresql(postgres_url: str) -> None:
    with economy(postgres_url, "alice", "bob", lock_timeout=0.5) as ledger:
        with ledger._transactions.writing("hold the seals") as connection:
            connection.exec_driver_sql("UPDATE token_settings SET sealed = sealed")
            assert ledger.transfer("alice", "bob", 1).seq == 3
        assert ledger.seal() is not None


# --- the frontier ---


def test_sealing_costs_the_batch_not_the_journal(sqlite_url: str) -> None:
    """After 8,000 sealed entries a seal over one more reads one row of the journal."""
    with economy(sqlite_url, "alice", "bob", balance=20_000) as ledger:
        ledger.post_many([Movement("alice", "bob", 1)] * 7_998)
        seal_all(ledger)
        entry = ledger.transfer("alice", "bob", 1)
        reads: list[str] = []
        with ledger._transactions.reading() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.set_trace_callback(reads.append)
        before = time.thread_time()  # the processor's, whatever else runs
        sealed = ledger.seal()
        took = time.thread_time() - before
        assert sealed is not None
        assert (sealed.batches[0].batch.first_seq, sealed.batches[0].batch.last_seq) == (8_001,) * 2
        scans = [sql for sql in reads if "FROM token_ledger" in sql]
        assert len(scans) == 1
        assert f"BETWEEN {entry.seq} AND {entry.seq}" in scans[0]
        assert took < 0.5
        assert sealed.batches[0].batch.tree_root == root([e.id for e in ledger.entries()])


def test_a_frontier_that_was_altered_is_found_whatever_was_built_on_it(database_url: str) -> None:
    with economy(database_url, "alice") as ledger:
        ledger.seal()
        with attacker(database_url) as database:
            [(frontier,)] = database.run("SELECT frontier FROM token_batches")
            wrong = bytes(frontier)[:-1] + bytes([bytes(frontier)[-1] ^ 1])
            database.run("UPDATE token_batches SET frontier = ?", wrong)
        ledger.mint("alice", 1)
        ledger.seal()
        finding = ledger.audit().finding
        assert finding is not None
        assert (finding.table, finding.row, finding.what) == ("token_batches", "SCI/1", "frontier")
