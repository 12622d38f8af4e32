"""What is announced and settled, and what a deferral costs, against the contract itself."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.artifacts import token_artifact
from bridge.deferral import (
    LIMIT,
    ROWS_A_CALL,
    Row,
    announce,
    changes,
    commitments,
    deferred_gas,
    pack,
    rows_between,
)
from ledger.errors import FieldError
from ledger.formats import TOKEN_VERSIONS
from ledger.model import ZERO_ADDRESS, ZERO_HASH, Address, Hash32, Record
from ledger.payload import encode_payload
from tests.contracts import deferred
from tests.contracts.token import address, mint
from tests.core.strategies import addresses, amounts, hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger import Ledger
    from tests.support.nodes import Node

rows_lists = st.dictionaries(addresses, st.tuples(amounts, amounts), max_size=8).map(
    lambda found: [Row(account, *both) for account, both in found.items()]
)
A, B, C = (address(number) for number in (1, 2, 3))


@given(rows=rows_lists, history=hashes)
def test_rows_are_committed_as_the_contract_reads_them(rows: list[Row], history: Hash32) -> None:
    plan = announce(history, 7, rows)
    plain = [(row.account, row.balance) for row in sorted(rows)]
    assert pack(plan.rows) == deferred.packed(plain)
    assert [bytes(link) for link in plan.links] == [
        deferred.commitment(plain[cut:]) for cut in range(len(plain) + 1)
    ]


@given(rows=rows_lists.filter(bool), data=st.data())
def test_settling_goes_on_after_any_link(rows: list[Row], data: st.DataObject) -> None:
    plan = announce(ZERO_HASH, 7, rows)
    first = data.draw(st.integers(0, len(rows) - 1))
    calls = list(plan.settle_calls(plan.links[first], data.draw(st.integers(1, 4))))
    assert calls[0].first == first
    assert sum(call.rows for call in calls) == len(rows) - first
    with pytest.raises(ValueError, match="not in tuple"):
        next(plan.settle_calls(Hash32(b"\x07" * 32)))


def test_without_rows_one_call_ends_it() -> None:
    plan = announce(ZERO_HASH, 7, [])
    assert [(call.first, call.rows) for call in plan.settle_calls(plan.settlement)] == [(0, 0)]
    assert commitments([]) == (ZERO_HASH,)


@given(
    records=st.lists(
        st.builds(
            Record,
            st.sampled_from([ZERO_ADDRESS, A, B]),
            st.sampled_from([ZERO_ADDRESS, A, C]),
            st.integers(0, 99),
        )
    )
)
def test_changes_are_those_of_the_records(records: Sequence[Record]) -> None:
    net: dict[Address, int] = {}
    assert changes(records, net) == sum(record.amount for record in records)
    assert {who: n for who, n in net.items() if n} == {
        who: n for who, n in deferred.change([records]).items() if n
    }


def test_rows_between_are_the_differences() -> None:
    before = {A: 5, B: 7, ZERO_ADDRESS: 12}
    after = {B: 7, C: 6, ZERO_ADDRESS: 13}
    assert set(rows_between(before, after)) == {Row(A, 5, 0), Row(C, 0, 6)}


def test_the_limit_is_the_contracts() -> None:
    assert LIMIT == deferred.LIMIT


@pytest.mark.parametrize("version", TOKEN_VERSIONS)
def test_every_version_that_an_asset_may_have_is_in_the_package(version: str) -> None:
    assert token_artifact(version).label == version


def test_no_asset_has_another_version(book: Ledger) -> None:
    with pytest.raises(FieldError, match=r"token_version.*LedgerTokenDeferred/1"):
        book.create_asset("TIN", "Tin", token_version="LedgerToken/2")
    found = book.create_asset("TIN", "Tin", token_version=TOKEN_VERSIONS[1])
    assert book.asset("TIN") == found


CENT: Final = 10**16
SHAPES: Final = {
    "few": (1, 40, 30),
    "one batch": (1, 1_000, 100),
    "many accounts": (2, 1_500, 1_400),
    "a full batch over few": (1, 4_000, 50),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gas_of_a_deferral_is_known_before(anvil: Node, shape: str) -> None:
    batches, entries, accounts = SHAPES[shape]
    chance = random.Random(shape)
    holders = [address(chance.randrange(2**160)) for _ in range(accounts)]
    records = [mint(holder, 10**9 * CENT) for holder in holders]
    while len(records) < batches * entries:
        payer, payee = chance.sample(holders, 2)
        records.append(Record(payer, payee, chance.randrange(1, 10**6) * CENT))
    cut = [records[start : start + entries] for start in range(0, len(records), entries)]
    token = deferred.new_deferred(anvil)
    rows = [Row(who, 0, balance) for who, balance in deferred.settled({}, cut)]
    used = _used(token, cut)
    expected = deferred_gas(map(encode_payload, cut), rows)
    assert used <= expected * 1.01
    assert expected <= used * 1.03


def _used(token: deferred.DeferredToken, cut: Sequence[Sequence[Record]]) -> int:
    """Return the gas of all transactions of an honest deferral, but the one that begins it."""
    announced = token.begin(cut)
    plan = announce(ZERO_HASH, 1, (Row(who, 0, balance) for who, balance in announced.rows))
    receipts = [token.replay(*records) for records in cut]
    rows = announced.rows
    for call in plan.settle_calls(plan.settlement):
        end = call.first + call.rows
        receipts.append(token.settle(rows[call.first : end], rows[end:]))
    assert not token.call("deferring")
    begin = 130_000
    return begin + sum(int(receipt["gasUsed"], 16) for receipt in receipts)


def test_the_rows_of_a_call_fit_a_transaction(anvil: Node) -> None:
    """Every byte counts: addresses and balances without a zero, each slot new."""
    token = deferred.new_deferred(anvil)
    step = 2**160 // (ROWS_A_CALL + 2) | 1
    holders = [address(step * number) for number in range(1, ROWS_A_CALL + 1)]
    amount = int("01" * 30, 16)
    batches = [[mint(holder, amount) for holder in holders]]
    rows = token.begin(batches).rows
    token.play(batches)
    assert int(token.settle(rows)["gasUsed"], 16) < 2**24
