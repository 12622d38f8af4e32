"""Entries and accounts found by what they have to do with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger import (
    Address,
    FieldError,
    Group,
    Hash32,
    Ledger,
    Movement,
    NotFoundError,
    Receipt,
    Rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger.create(database_url) as ledger:
        for symbol in ("AAA", "BBB"):
            ledger.create_asset(symbol, symbol, 2)
        for account in ("alice", "bob", "carol"):
            ledger.create_account(account, 1_000, asset="AAA")
            ledger.mint(account, 1_000, asset="BBB")
        yield ledger


def test_a_group_is_found_by_each_of_its_entries(ledger: Ledger) -> None:
    movements = (
        Movement("alice", "bob", 5, "BBB"),
        Movement("bob", "carol", 6, "AAA"),
        Movement("carol", "alice", 7, "BBB"),
    )
    [receipt] = ledger.post_many([Group(movements)])
    assert isinstance(receipt, Receipt)
    entries = receipt.entries
    expected = sorted((e.asset, e.seq, e.id) for e in entries)
    for entry in entries:
        assert [(e.asset, e.seq, e.id) for e in ledger.group(entry.id)] == expected
    alone = ledger.transfer("alice", "bob", 1, asset="AAA")
    assert [e.id for e in ledger.group(alone.id)] == [alone.id]
    with pytest.raises(NotFoundError) as refused:
        ledger.group(Hash32(b"\7" * 32))
    assert refused.value.rule is Rule.UNKNOWN_ENTRY


def test_a_reversal_is_found_by_what_it_undid(ledger: Ledger) -> None:
    entry = ledger.transfer("alice", "bob", 9, asset="AAA")
    assert ledger.reversal(entry.id) is None
    [undone] = ledger.reverse(entry.id)
    found = ledger.reversal(entry.id)
    assert found is not None
    assert (found.id, found.cause) == (undone.id, entry.id)
    assert ledger.reversal(undone.id) is None


def test_entries_are_found_by_what_they_refer_to(ledger: Ledger) -> None:
    first = ledger.transfer(
        "alice", "bob", 1, asset="BBB", reference_type="order", reference_id="7"
    )
    second = ledger.transfer(
        "bob", "alice", 1, asset="AAA", reference_type="order", reference_id="7"
    )
    untyped = ledger.transfer("bob", "alice", 1, asset="AAA", reference_id="7")
    ledger.transfer("bob", "alice", 1, asset="AAA", reference_type="order", reference_id="8")
    assert [e.id for e in ledger.referenced("order", "7")] == [second.id, first.id]
    assert [e.id for e in ledger.referenced("order", "7", limit=1)] == [second.id]
    assert [e.id for e in ledger.referenced("", "7")] == [untyped.id]
    assert ledger.referenced("order", "9") == []
    with pytest.raises(FieldError, match="limit"):
        ledger.referenced("order", "7", limit=0)


def test_an_account_is_found_by_its_address(ledger: Ledger) -> None:
    account = ledger.account("bob")
    assert ledger.account_with(account.address) == account
    with pytest.raises(NotFoundError) as refused:
        ledger.account_with(Address(b"\7" * 20))
    assert refused.value.rule is Rule.UNKNOWN_ACCOUNT


def test_accounts_go_on_after_an_id(ledger: Ledger) -> None:
    every = [account.account_id for account in ledger.accounts()]
    for position, last in enumerate(every):
        assert [a.account_id for a in ledger.accounts(after=last)] == every[position + 1 :]
    assert [a.account_id for a in ledger.accounts("b", after="a")] == ["bob"]
    assert [a.account_id for a in ledger.accounts("b", after="bob")] == []


def test_hours_and_batches_are_told_in_order(database_url: str) -> None:
    hour = 3_600_000_000
    now = [490_000 * hour]

    def clock() -> int:
        now[0] += 1_000
        return now[0]

    with Ledger.create(database_url, clock=clock) as ledger:
        ledger.create_asset("AAA", "AAA", 2)
        assert ledger.hours() == []
        assert ledger.batches() == []
        ledger.create_account("alice")
        ledger.create_account("bob", 0)
        for amounts in ((5, 7), (), (11,)):
            for amount in amounts:
                ledger.transfer("alice", "bob", amount)
            ledger.seal()
            now[0] += hour
        assert ledger.hours() == [(490_000 * hour, 2, 12), (490_002 * hour, 1, 11)]
        assert ledger.hours(last=1) == [(490_002 * hour, 1, 11)]
        assert [(it.batch.number, it.batch.last_seq) for it in ledger.batches()] == [(1, 3), (2, 4)]
        assert ledger.batches(first=2) == ledger.batches()[1:]
        assert ledger.batches(limit=1) == ledger.batches()[:1]
        assert ledger.batch(2) == ledger.batches()[1]
        assert ledger.batch(3) is None
        for wrong in (lambda: ledger.hours(last=0), lambda: ledger.batches(limit=1_001)):
            with pytest.raises(FieldError):
                wrong()


def test_reading_waits_for_no_writer(database_url: str) -> None:
    with Ledger.create(database_url) as ledger, ledger.connection() as writing:
        writing.exec_driver_sql("UPDATE token_journals SET seq = seq")
        with ledger.reading() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
