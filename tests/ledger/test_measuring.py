"""Supply, distribution and velocity against a naive sum over all entries, in plain Python."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import pytest

from ledger import ISSUER, FieldError, Ledger, RefusedError
from ledger.times import moment_of
from tests.ledger.support import START, Anything, create, economy, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = 3_600_000_000
HUGE = 2**255
NAMES = [f"account-{number}" for number in range(12)]


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def ledger(database_url: str, clock: Time) -> Iterator[Ledger]:
    dice = random.Random(11)
    with create(database_url, clock=clock) as opened:
        opened.create_asset("SCI", "Science", 0)
        opened.create_asset("B", "B", 0)
        for name in NAMES:
            opened.create_account(name, 0)
            opened.mint(name, dice.randrange(1, 2**250), asset="SCI")
        for number in range(150):
            clock.now += dice.randrange(HOUR)
            one, other = dice.sample(NAMES, 2)
            most = opened.balance(one, "SCI").available
            if most < 2:
                continue
            amount = dice.randrange(1, most) if number % 3 else most
            if number % 10 == 0:
                opened.burn(one, amount, asset="SCI")
            elif number % 10 == 5:
                opened.hold(one, amount, asset="SCI")
            else:
                opened.transfer(one, other, amount, asset="SCI")
        yield opened


def held(ledger: Ledger) -> Counter[str]:
    """Return the balances that the entries add up to."""
    found: Counter[str] = Counter()
    for entry in ledger.entries("SCI"):
        found[entry.from_account] -= entry.amount
        found[entry.to_account] += entry.amount
    del found[ISSUER]
    return found


def test_totals_are_those_of_all_entries(ledger: Ledger) -> None:
    entries = list(ledger.entries("SCI"))
    supply = ledger.supply("SCI")
    assert supply.minted == sum(e.amount for e in entries if e.from_account == ISSUER) > 2**250
    assert supply.burned == sum(e.amount for e in entries if e.to_account == ISSUER) > 2**128
    assert supply.earned == sum(e.amount for e in entries if e.to_account != ISSUER)
    assert supply.spent == sum(e.amount for e in entries if e.from_account != ISSUER)
    assert supply.staked == sum(hold.remaining for hold in ledger.holds(asset="SCI")) > 0
    balances = held(ledger)
    assert supply.total == sum(balances.values()) == supply.minted - supply.burned
    assert supply.total == supply.earned - supply.spent == ledger.get_total_supply("SCI")
    assert supply.holders == sum(balance > 0 for balance in balances.values()) < len(NAMES)


def test_the_distribution_is_that_of_all_entries(ledger: Ledger) -> None:
    balances = {name: balance for name, balance in held(ledger).items() if balance}
    found = ledger.distribution("SCI", top=3)
    assert (found.holders, found.total) == (len(balances), sum(balances.values()))
    differences = sum(abs(a - b) for a, b in product(balances.values(), repeat=2))
    assert found.gini == Fraction(differences, 2 * len(balances) * sum(balances.values()))
    largest = sorted(balances, key=lambda name: (-balances[name], name))
    assert [balance.account_id for balance in found.top] == largest[:3]
    assert found.top == tuple(ledger.balance(name, "SCI") for name in largest[:3])
    everybody = ledger.distribution("SCI", top=1_000)
    assert [balance.account_id for balance in everybody.top] == largest
    assert everybody.gini == found.gini == ledger.distribution("SCI", top=0).gini
    assert sum(everybody.share(balance) for balance in everybody.top) == 1


def test_velocity_is_the_transfers_of_the_hours_that_began_in_the_window(
    ledger: Ledger, clock: Time
) -> None:
    transfers = [
        entry
        for entry in ledger.entries("SCI")
        if ISSUER not in (entry.from_account, entry.to_account)
    ]
    supply = ledger.get_total_supply("SCI")
    last = clock.now
    amounts = []
    for hours, now in product((1, 2, 24, 72, 720), (last, last // HOUR * HOUR, last + HOUR - 1)):
        clock.now = now
        window = timedelta(hours=hours)
        counted = [
            entry.amount
            for entry in transfers
            if now - hours * HOUR <= entry.timestamp // HOUR * HOUR < now
        ]
        found = ledger.velocity("SCI", window=window)
        assert (found.entries, found.amount) == (len(counted), sum(counted))
        assert found.ratio == Fraction(sum(counted), supply)
        amounts.append(found.amount)
    assert amounts[-1] == sum(entry.amount for entry in transfers) > 2**250


def test_the_edges_of_a_window(sqlite_url: str, clock: Time) -> None:
    noon = START // HOUR * HOUR + HOUR
    with create(sqlite_url, clock=clock) as ledger:
        clock.now = noon - HOUR
        ledger.create_asset("SCI", "Science", 0)
        ledger.create_account("alice", 100)
        ledger.create_account("bob", 0)
        for at, amount in ((noon - 1, 1), (noon, 2), (noon + HOUR - 1, 4), (noon + HOUR, 8)):
            clock.now = at
            ledger.transfer("alice", "bob", amount)

        def moved(now: int, hours: int) -> int:
            clock.now = now
            return ledger.velocity(window=timedelta(hours=hours)).amount

        assert moved(noon, 1) == 1  # from 11 to 12
        assert moved(noon + 1, 1) == 6  # the hour that began at 12, whole; 11 began before
        assert moved(noon + 1, 2) == 7
        assert moved(noon + HOUR, 1) == 6
        assert moved(noon + HOUR + 1, 1) == 8
        assert moved(noon + HOUR + 1, 2) == 14
        assert moved(noon + 2 * HOUR + 1, 1) == 0


def test_volumes_pass_what_an_amount_can_be(database_url: str) -> None:
    with economy(database_url, "alice", "bob", balance=0) as ledger:
        ledger.mint("alice", HUGE - 1)
        for one, other in (("alice", "bob"), ("bob", "alice")):
            ledger.transfer(one, other, HUGE - 1)
        ledger.transfer("alice", "bob", 1)
        found = ledger.velocity()
        assert found.amount == 2**256 - 1
        ledger.transfer("bob", "alice", 1)
        assert ledger.velocity().amount == 2**256
        assert ledger.supply().earned == HUGE - 1 + 2**256


def test_where_there_is_nothing(database_url: str) -> None:
    with create(database_url) as ledger:
        with pytest.raises(RefusedError, match="ASSET_REQUIRED"):
            ledger.supply()
        ledger.create_asset("SCI", "Science", 0)
        supply, spread, velocity = ledger.supply(), ledger.distribution(), ledger.velocity()
        assert (supply.total, supply.minted, supply.earned, supply.holders) == (0, 0, 0, 0)
        assert (spread.total, spread.holders, spread.gini, spread.top) == (0, 0, None, ())
        assert (velocity.entries, velocity.amount, velocity.ratio) == (0, 0, None)
        ledger.create_account("alice", 5)
        assert ledger.distribution().gini == 0
        ledger.burn("alice", 5)
        assert ledger.distribution().gini is None
        assert ledger.velocity().ratio is None


def test_the_database_has_the_clock_where_none_is_given(database_url: str) -> None:
    with economy(database_url, "alice", "bob", clock=None) as ledger:
        ledger.transfer("alice", "bob", 5)
        assert ledger.velocity(window=timedelta(days=1)).amount == 5
        with raw(database_url) as database:
            [(hour,)] = database.run("SELECT hour FROM token_volume")
        assert moment_of(hour * HOUR) <= next(ledger.entries(first=3)).time


@pytest.mark.parametrize("top", [-1, 1_001, True, "3"])
def test_a_wrong_top_is_refused(ledger: Ledger, top: Anything) -> None:
    with pytest.raises(FieldError, match="top"):
        ledger.distribution("SCI", top=top)


def test_a_wrong_window_is_refused(ledger: Ledger) -> None:
    with pytest.raises(FieldError, match="window"):
        ledger.velocity("SCI", window=timedelta(minutes=90))
