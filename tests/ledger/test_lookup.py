"""Looking up entries, holds, accounts and limits by what names them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from ledger import (
    ISSUER,
    FieldError,
    Hash32,
    HoldState,
    Ledger,
    NotFoundError,
    OpenAccount,
    RefusedError,
    Rule,
    reads,
)
from tests.ledger.support import Anything, create, economy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger import Hold

IDS = [
    "a", "aa", "ab", "a\u00e9", "b", "\u00e9", "\u00e9a", "\ud7fb", "\ud7fba", "\ue000", "\ue000a",
    "\U0001f600", "\U0010fffd", "\U0010fffda", "0x" + "ab" * 20, "z" * 255,
]  # fmt: skip


# --- accounts ---


@pytest.fixture
def named(database_url: str) -> Iterator[Ledger]:
    with create(database_url) as ledger:
        ledger.post_many(OpenAccount(account_id, 0) for account_id in IDS)
        yield ledger


def test_accounts_by_prefix_are_those_that_begin_with_it(named: Ledger) -> None:
    known = sorted([*IDS, ISSUER])
    prefixes = {known_id[:size] for known_id in known for size in range(len(known_id) + 1)}
    for prefix in sorted(prefixes | {"\ud7ff", "\U0010ffff", "b\U0010ffff", "no", "z" * 254}):
        found = [account.account_id for account in named.accounts(prefix)]
        assert found == [known_id for known_id in known if known_id.startswith(prefix)]


def test_a_prefix_is_normalised_as_ids_are(named: Ledger) -> None:
    found = [account.account_id for account in named.accounts("e\u0301")]
    assert found == ["\u00e9", "\u00e9a"]


@pytest.mark.parametrize("prefix", ["\x00", "\ud800", "x" * 256, 7, b"a"])
def test_what_no_id_begins_with_is_refused(named: Ledger, prefix: Anything) -> None:
    with pytest.raises(FieldError, match="prefix"):
        named.accounts(prefix)


def test_accounts_by_prefix_come_in_pages(named: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(named.accounts("a"))
    monkeypatch.setattr(reads, "PAGE", 1)
    assert list(named.accounts("a")) == whole
    assert len(list(named.accounts())) == len(IDS) + 1


# --- balances ---


def test_a_balance_shows_its_limits(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.set_limits("alice", max_debit=2**200, max_balance=2**256 - 1)
        balance = ledger.balance("alice")
        assert (balance.max_debit, balance.max_balance) == (2**200, 2**256 - 1)
        assert list(ledger.balances()) == [balance, ledger.balance("bob")]
        assert (ledger.balance("bob").max_debit, ledger.balance("bob").max_balance) == (None, None)
        ledger.set_limits("alice", max_debit=0)
        assert (ledger.balance("alice").max_debit, ledger.balance("alice").max_balance) == (0, None)


# --- entries ---


def test_an_entry_by_its_id(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.create_asset("B", "B", 0)
        posted = [
            ledger.mint("alice", 5, asset="B"),
            ledger.transfer("alice", "bob", 1, asset="SCI"),
        ]
        for entry in posted:
            assert ledger.entry(entry.id) == entry
        with pytest.raises(NotFoundError) as refused:
            ledger.entry(Hash32(bytes(32)))
        assert refused.value.rule == Rule.UNKNOWN_ENTRY


@pytest.mark.parametrize("id_", ["0x" + "00" * 32, bytes(31), 7, None])
def test_what_is_no_id_is_refused(sqlite_url: str, id_: Anything) -> None:
    with economy(sqlite_url) as ledger:
        for read in (ledger.entry, ledger.find_hold):
            with pytest.raises(FieldError):
                read(id_)


# --- holds ---


@pytest.fixture
def held(database_url: str) -> Iterator[Ledger]:
    dice = random.Random(5)
    with economy(database_url, "alice", "bob", "carol") as ledger:
        for number in range(40):
            hold = ledger.hold(dice.choice(["alice", "bob"]), 1 + number % 3, "carol")
            if number % 4 == 1:
                ledger.void_hold(hold.id)
            elif number % 4 == 2:
                ledger.post_hold(hold.id)
            ledger.transfer("carol", "bob", 1)
        yield ledger


def test_a_hold_by_its_id_is_as_it_is_now(held: Ledger) -> None:
    made = held.hold("alice", 10, reason="deposit")
    assert held.find_hold(made.id) == made
    held.post_hold(made.id, 4, to_account="bob", keep_rest=True)
    now = held.find_hold(made.id)
    assert (now.remaining, now.state, now.amount) == (6, HoldState.PENDING, 10)
    with pytest.raises(NotFoundError) as refused:
        held.find_hold(Hash32(bytes(32)))
    assert refused.value.rule == Rule.UNKNOWN_HOLD


@pytest.mark.parametrize("page", [(1, 1), (3, 4), (1_000, 10_000)])
def test_holds_are_those_asked_for_in_order(
    held: Ledger, page: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = list(held.holds())
    assert len(everything) == 40
    assert [hold.number for hold in everything] == sorted({hold.number for hold in everything})
    monkeypatch.setattr(reads, "PAGE", page[0])
    monkeypatch.setattr(reads, "MAX_EXAMINED", page[1])

    def wanted(hold: Hold, account_id: str | None, state: HoldState | None, after: int) -> bool:
        return (
            account_id in {None, hold.account_id}
            and state in {None, hold.state}
            and hold.number > after
        )

    for account_id in (None, "alice", "bob", "carol"):
        for state in (None, *HoldState):
            for after in (0, everything[17].number):
                found = list(held.holds(account_id, state=state, after=after))
                assert found == [h for h in everything if wanted(h, account_id, state, after)]


def test_holds_are_of_one_asset(held: Ledger) -> None:
    held.create_asset("B", "B", 0)
    held.mint("alice", 5, asset="B")
    hold = held.hold("alice", 5, asset="B")
    assert list(held.holds(asset="B")) == list(held.holds("alice", "B")) == [hold]
    assert held.find_hold(hold.id) == hold
    with pytest.raises(RefusedError, match="ASSET_REQUIRED"):
        held.holds()


def test_a_wrong_argument_is_named(held: Ledger) -> None:
    wrong: Anything = "waiting"
    with pytest.raises(FieldError, match="state"):
        held.holds(state=wrong)
    for after in (-1, 2**63, wrong):
        with pytest.raises(FieldError, match="after"):
            held.holds(after=after)
    with pytest.raises(NotFoundError):
        held.holds("nobody")
