"""Random histories against a slow, obvious model, a dict of balances (I1, I2, I4, I5, I6, I8)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import ISSUER, MAX_AMOUNT, Group, Kind, Ledger, Movement, RefusedError, Rule
from tests.ledger.support import accepted, economy, place, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger import Receipt

ACCOUNTS = ("a", "b", "c")
PLAYERS = (*ACCOUNTS, ISSUER)

amounts = st.one_of(
    st.integers(0, 30), st.integers(0, MAX_AMOUNT), st.integers(MAX_AMOUNT - 3, MAX_AMOUNT)
)
moves = st.tuples(
    st.sampled_from([*PLAYERS, "nobody"]), st.sampled_from(PLAYERS), amounts, st.booleans()
)
histories = st.lists(st.lists(moves, min_size=1, max_size=3), max_size=8)
Move = tuple[str, str, int, bool]


class Model:
    """What anyone would write on paper: who has what, and what each earned and spent in all."""

    def __init__(self) -> None:
        self.has = dict.fromkeys(PLAYERS, 0)
        self.earned = dict.fromkeys(PLAYERS, 0)
        self.spent = dict.fromkeys(PLAYERS, 0)

    def posted(self, moves: list[Move]) -> Model | Rule:
        """Return the model after all `moves`, or the rule against the first that cannot be."""
        after = Model()
        after.has, after.earned, after.spent = dict(self.has), dict(self.earned), dict(self.spent)
        for move in moves:
            if rule := after.refusal(move):
                return rule
            after.move(*move[:3])
            if max(*after.earned.values(), *after.spent.values()) > MAX_AMOUNT:
                return Rule.TOTAL_OVERFLOW
        return after

    def refusal(self, move: Move) -> Rule | None:
        source, target, amount, from_chain = move
        if source not in self.has:
            return Rule.UNKNOWN_ACCOUNT
        if source == target and (source == ISSUER or not from_chain):
            return Rule.SAME_ACCOUNT
        if amount == 0 and not from_chain:
            return Rule.AMOUNT_ZERO
        if source == ISSUER:
            return Rule.SUPPLY_OVERFLOW if self.has[ISSUER] + amount > MAX_AMOUNT else None
        return Rule.INSUFFICIENT_AVAILABLE if amount > self.has[source] else None

    def move(self, source: str, target: str, amount: int) -> None:
        """Move; of the issuer, `has` is the supply, `earned` is minted and `spent` is burned."""
        if source == ISSUER:
            self.has[ISSUER] += amount
            self.earned[ISSUER] += amount
        else:
            self.has[source] -= amount
            self.spent[source] += amount
        if target == ISSUER:
            self.has[ISSUER] -= amount
            self.spent[ISSUER] += amount
        else:
            self.has[target] += amount
            self.earned[target] += amount


@dataclass
class World:
    """One ledger for all histories; each history has an asset, and so a journal, of its own."""

    ledger: Ledger
    numbers: Iterator[int]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with economy(database_url) as ledger:
        for account_id in ACCOUNTS:
            ledger.create_account(account_id, 0)
        yield World(ledger, count())
        assert ledger.audit().ok


def item(asset: str, moves: list[Move]) -> Movement | Group:
    movements = tuple(
        Movement(source, target, amount, asset, kind=Kind.CHAIN, cause=place())
        if from_chain
        else Movement(source, target, amount, asset)
        for source, target, amount, from_chain in moves
    )
    return movements[0] if len(movements) == 1 else Group(movements)


@given(history=histories, together=st.booleans())
@settings(max_examples=80)
def test_any_history_is_what_a_dict_of_balances_says(
    world: World,
    history: list[list[Move]],
    together: bool,  # noqa: FBT001 (Hypothesis draws it by name)
) -> None:
    asset = world.ledger.create_asset(f"H{next(world.numbers)}", "History").symbol
    results = _post(world.ledger, [item(asset, moves) for moves in history], together=together)
    model, length = Model(), 0
    for moves, result in zip(history, results, strict=True):
        after = model.posted(moves)
        if isinstance(after, Rule):
            assert isinstance(result, RefusedError)
            assert result.rule == after
        else:
            assert not isinstance(result, RefusedError), result
            model, length = after, length + len(moves)
    _check(world.ledger, asset, model, length)


def _post(
    ledger: Ledger, items: list[Movement | Group], *, together: bool
) -> list[Receipt | RefusedError]:
    """Post all at once, or one after the other."""
    if together:
        return ledger.post_many(items)
    return [result for one in items for result in ledger.post_many([one])]


def _check(ledger: Ledger, asset: str, model: Model, length: int) -> None:
    stored = {b.account_id: b for b in ledger.balances(asset)}
    for name in ACCOUNTS:
        row = stored.get(name) or ledger.balance(name, asset)
        assert row.balance == model.has[name]
        assert (row.total_earned, row.total_spent) == (model.earned[name], model.spent[name])
        assert row.balance == row.total_earned - row.total_spent >= row.total_staked >= 0  # I2
    minted, burned = model.earned[ISSUER], model.spent[ISSUER]
    supply = ledger.get_total_supply(asset)
    assert sum(b.balance for b in stored.values()) == supply == minted - burned  # I1
    entries = list(ledger.entries(asset))
    assert [entry.seq for entry in entries] == list(range(1, length + 1))  # I4
    assert all(b.timestamp > a.timestamp or a.group == b.group for a, b in pairwise(entries))
    running = dict.fromkeys(PLAYERS, 0)
    for entry in entries:  # I6
        running[entry.from_account] += entry.amount * (1 if entry.from_account == ISSUER else -1)
        running[entry.to_account] += entry.amount * (-1 if entry.to_account == ISSUER else 1)
        assert entry.balance_after_from == running[entry.from_account]
        assert entry.balance_after_to == running[entry.to_account]


@given(history=histories)
@settings(max_examples=25)
def test_what_is_refused_leaves_no_trace(world: World, history: list[list[Move]]) -> None:
    ledger = world.ledger
    asset = ledger.create_asset(f"H{next(world.numbers)}", "History").symbol
    url = ledger._transactions.engine.url.render_as_string(hide_password=False)
    model = Model()
    for moves in history:
        after = model.posted(moves)
        if isinstance(after, Rule):
            with unchanged(url):  # I8
                assert isinstance(ledger.post_many([item(asset, moves)])[0], RefusedError)
        else:
            accepted(ledger.post_many([item(asset, moves)])[0])
            model = after
    assert ledger.get_total_supply(asset) == model.has[ISSUER]
