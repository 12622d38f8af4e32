"""Statements in pages against a plain filter over all entries, and balances in the past."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import FieldError, Filters, Ledger, Movement, NotFoundError, OpenAccount, statements
from ledger.times import moment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger import Entry

START = 1_767_225_600_000_000
NAMES = ["alice", "bob", "carol", "dave"]
REASONS = ["", "earn", "earn:debate", "earn:review", "tip", "é:x"]


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ticks = iter(range(START, 2**62, 1_000_000))
    dice = random.Random(7)
    with Ledger.create(database_url, clock=lambda: next(ticks)) as opened:
        opened.create_asset("SCI", "SCI token", 0)
        opened.post_many(OpenAccount(name, 10_000) for name in NAMES)
        for _ in range(20):
            payers = [dice.sample(NAMES, 2) for _ in range(7)]
            opened.post_many(
                Movement(
                    payer,
                    payee,
                    dice.randrange(1, 9),
                    reason=dice.choice(REASONS),
                    reference_type=dice.choice(["", "job"]),
                    reference_id=dice.choice(["", "1", "2"]),
                )
                for payer, payee in payers
            )
        yield opened


def walked(
    ledger: Ledger, account: str, limit: int, *, newest_first: bool, filters: Filters
) -> list[Entry]:
    """Return every entry of a statement, page by page."""
    found: list[Entry] = []
    cursor = None
    for _ in range(1_000):
        page = ledger.statement_page(
            account, cursor=cursor, limit=limit, newest_first=newest_first, filters=filters
        )
        assert len(page.entries) <= limit
        found += page.entries
        if page.cursor is None:
            return found
        cursor = page.cursor
    raise AssertionError("the pages never end")


def plain(ledger: Ledger, account: str, keep: Callable[[Entry], bool]) -> list[Entry]:
    """Return what a statement must show, by reading everything."""
    return [e for e in ledger.entries() if account in {e.from_account, e.to_account} and keep(e)]


MIDDLE = moment_of(START + 10_000_000)

CASES: dict[str, tuple[Filters, Callable[[Entry], bool]]] = {
    "all": (Filters(), lambda _: True),
    "since": (Filters(since=MIDDLE), lambda e: e.time >= MIDDLE),
    "until": (Filters(until=MIDDLE), lambda e: e.time < MIDDLE),
    "prefix": (Filters(reason_prefix="earn"), lambda e: e.reason.startswith("earn")),
    "accented": (Filters(reason_prefix="é"), lambda e: e.reason.startswith("é")),
    "reference": (
        Filters(reference_type="job", reference_id="2"),
        lambda e: (e.reference_type, e.reference_id) == ("job", "2"),
    ),
    "counterparty": (
        Filters(counterparty="carol"),
        lambda e: "carol" in {e.from_account, e.to_account},
    ),
    "never": (Filters(reason_prefix="no such reason"), lambda _: False),
    "together": (
        Filters(since=MIDDLE, reason_prefix="earn:", counterparty="bob"),
        lambda e: (
            e.time >= MIDDLE
            and e.reason.startswith("earn:")
            and "bob" in {e.from_account, e.to_account}
        ),
    ),
}


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest", "newest"])
@pytest.mark.parametrize("case", CASES)
def test_pages_show_what_a_filter_over_everything_shows(
    ledger: Ledger, case: str, *, newest_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    filters, keep = CASES[case]
    expected = plain(ledger, "alice", keep)
    if newest_first:
        expected.reverse()
    for examined in (5_000, 2):  # a small bound makes short pages with cursors
        monkeypatch.setattr(statements, "MAX_EXAMINED", examined)
        for limit in (4, 1_000):
            found = walked(ledger, "alice", limit, newest_first=newest_first, filters=filters)
            assert found == expected


@settings(max_examples=20)
@given(account=st.sampled_from(NAMES), limit=st.integers(1, 50), seed=st.integers(0, 5))
def test_a_cursor_stays_valid_while_entries_are_posted(
    account: str, limit: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cursor")
    dice = random.Random(seed)
    with Ledger.create(f"sqlite:///{folder}/ledger.db") as ledger:
        ledger.create_asset("SCI", "SCI token", 0)
        ledger.post_many(OpenAccount(name, 1_000) for name in NAMES)
        seen: list[int] = []
        cursor, rounds = None, 0
        while rounds == 0 or (cursor is not None and rounds < 200):
            page = ledger.statement_page(account, cursor=cursor, limit=limit)
            seen += [entry.seq for entry in page.entries]
            cursor, rounds = page.cursor, rounds + 1
            if rounds < 4:
                payer, payee = dice.sample(NAMES, 2)
                ledger.transfer(payer, payee, 1)
        everything = [e.seq for e in ledger.get_statement(account)]
        assert seen == everything[: len(seen)]
        assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("cursor", lambda ledger: ledger.statement_page("alice", cursor="AAAA")),
        ("cursor", lambda ledger: ledger.statement_page("alice", cursor="not base64!")),
        ("cursor", lambda ledger: ledger.statement_page("alice", cursor="")),
        (
            "cursor",
            lambda ledger: ledger.statement_page(
                "bob", cursor=ledger.statement_page("alice", limit=1).cursor
            ),
        ),
        (
            "cursor",
            lambda ledger: ledger.statement_page(
                "alice", cursor=ledger.statement_page("alice", limit=1).cursor, newest_first=True
            ),
        ),
        ("limit", lambda ledger: ledger.statement_page("alice", limit=0)),
        ("limit", lambda ledger: ledger.statement_page("alice", limit=1_001)),
        ("limit", lambda ledger: ledger.statement_page("alice", limit=True)),
        ("since", lambda _: Filters(since=datetime(2026, 1, 1))),  # noqa: DTZ001 (a naive one is the point)
        ("reason_prefix", lambda _: Filters(reason_prefix="\x00")),
        ("at", lambda ledger: ledger.balance_at("alice", 10**6)),
        ("at", lambda ledger: ledger.balance_at("alice", at=True)),
        ("at", lambda ledger: ledger.balance_at("alice", datetime(2026, 1, 1))),  # noqa: DTZ001 (a naive one is the point)
    ],
)
def test_a_wrong_argument_is_named(
    ledger: Ledger, field: str, call: Callable[[Ledger], object]
) -> None:
    with pytest.raises(FieldError) as refused:
        call(ledger)
    assert refused.value.field == field


def test_an_unknown_account_has_no_statement(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError):
        ledger.statement_page("nobody")
    with pytest.raises(NotFoundError):
        ledger.balance_at("nobody", 1)


def test_balances_in_the_past_are_those_of_then(ledger: Ledger) -> None:
    held = dict.fromkeys([*NAMES, "system"], 0)
    for entry in ledger.entries():
        held[entry.from_account] += (
            entry.amount if entry.from_account == "system" else -entry.amount
        )
        held[entry.to_account] += entry.amount
        for name in NAMES:
            assert ledger.balance_at(name, entry.seq) == held[name]
    assert ledger.balance_at("alice", 0) == 0
    assert ledger.balance_at("system", ledger.head().seq) == ledger.get_total_supply()


def test_an_instant_is_the_last_entry_at_or_before_it(ledger: Ledger) -> None:
    for entry in list(ledger.entries())[::20]:
        assert ledger.balance_at("alice", entry.time) == ledger.balance_at("alice", entry.seq)
        before = entry.time - timedelta(microseconds=1)
        assert ledger.balance_at("alice", before) == ledger.balance_at("alice", entry.seq - 1)
    assert ledger.balance_at("alice", datetime(1990, 1, 1, tzinfo=UTC)) == 0
    assert ledger.balance_at("alice", datetime(2200, 1, 1, tzinfo=UTC)) == ledger.get_balance(
        "alice"
    )
