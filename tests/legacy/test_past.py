"""What happened before the ledger was there is posted at its own times, whole or not at all."""

from __future__ import annotations

import pytest

from ledger import ISSUER, FieldError, Group, Movement, OpenAccount, RefusedError, Rule
from tests.ledger.support import START, Clock, create, unchanged

A_YEAR = 31_536_000_000_000
LAST_YEAR = START - A_YEAR


def minted(amount: int, key: str = "") -> Movement:
    return Movement(ISSUER, "a", amount, "SCI", idempotency_key=key)


def test_entries_and_accounts_keep_their_times(database_url: str) -> None:
    with create(database_url) as ledger:
        ledger.create_asset("SCI", "Science", 2)
        [opened] = ledger.post_past([(LAST_YEAR, OpenAccount("a", 0))])
        assert opened.account is not None
        assert opened.account.created_at == LAST_YEAR
        receipts = ledger.post_past([(LAST_YEAR + 5, minted(7)), (LAST_YEAR + 9, minted(8))])
        assert [it.entries[0].timestamp for it in receipts] == [LAST_YEAR + 5, LAST_YEAR + 9]
        assert ledger.mint("a", 1).timestamp > START
        assert ledger.get_balance("a") == 16
        assert ledger.audit().ok


@pytest.mark.parametrize(
    ("times", "rule"),
    [
        ((LAST_YEAR, LAST_YEAR), Rule.TIME_PASSED),
        ((LAST_YEAR + 1, LAST_YEAR), Rule.TIME_PASSED),
        ((LAST_YEAR - A_YEAR, LAST_YEAR), Rule.TIME_PASSED),
        ((LAST_YEAR, 2**62), Rule.CLOCK_AHEAD),
    ],
    ids=["equal", "backwards", "before the journal's last", "in the future"],
)
def test_a_time_that_cannot_be_kept_refuses_the_run(
    database_url: str, times: tuple[int, int], rule: Rule
) -> None:
    with create(database_url) as ledger:
        ledger.create_asset("SCI", "Science", 2)
        ledger.post_past([(LAST_YEAR - A_YEAR, OpenAccount("a", 1))])
        with unchanged(database_url), pytest.raises(RefusedError) as refused:
            ledger.post_past([(at, minted(1)) for at in times])
        assert refused.value.rule is rule


def test_one_refusal_refuses_the_whole_run(database_url: str) -> None:
    with create(database_url) as ledger:
        ledger.create_asset("SCI", "Science", 2)
        ledger.create_account("a", 0)
        ledger.create_account("b", 0)
        items = [(LAST_YEAR, minted(1)), (LAST_YEAR + 1, Movement("a", "b", 2, "SCI"))]
        with unchanged(database_url), pytest.raises(RefusedError) as refused:
            ledger.post_past(items)
        assert refused.value.rule is Rule.INSUFFICIENT_AVAILABLE


def test_a_run_that_is_repeated_books_nothing(database_url: str) -> None:
    with create(database_url) as ledger:
        ledger.create_asset("SCI", "Science", 2)
        ledger.create_account("a", 0)
        items = [(LAST_YEAR + n, minted(n, f"old-{n}")) for n in (1, 2)]
        ledger.post_past(items)
        with unchanged(database_url):
            assert all(receipt.repeated for receipt in ledger.post_past(items))
            assert ledger.post_past([]) == []


def test_a_group_has_one_time(database_url: str) -> None:
    with create(database_url, clock=Clock()) as ledger:
        ledger.create_asset("SCI", "Science", 2)
        ledger.create_account("a", 0)
        [receipt] = ledger.post_past([(LAST_YEAR, Group((minted(1), minted(2))))])
        assert {entry.timestamp for entry in receipt.entries} == {LAST_YEAR}
        assert ledger.audit().ok


@pytest.mark.parametrize("at", [-1, 2**63, 1.5, True, None])
def test_a_time_is_microseconds(sqlite_url: str, at: int) -> None:
    with create(sqlite_url) as ledger, pytest.raises(FieldError) as refused:
        ledger.post_past([(at, OpenAccount("a", 0))])
    assert refused.value.field == "timestamp"


def test_a_run_fits_in_one_commit(sqlite_url: str) -> None:
    with create(sqlite_url) as ledger, pytest.raises(FieldError) as refused:
        ledger.post_past([(LAST_YEAR + n, minted(1)) for n in range(5_001)])
    assert refused.value.field == "items"
