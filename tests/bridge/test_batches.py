"""Runs: what one transaction may have, and where a batch is cut for it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from eth_account import Account

from bridge.batches import (
    CALL_BYTES,
    ENVELOPE_BYTES,
    SMALLEST_BLOCK,
    SMALLEST_GAS,
    TRANSACTION_BYTES,
    Limits,
    cut,
    most_gas,
    transaction_bytes,
    weigh,
)
from bridge.codec import encode_call
from bridge.plan_rules import PLANNED, TODAY
from ledger import FieldError, Ledger, Movement
from ledger.weights import MAX_BYTES, MAX_ENTRIES, MAX_GAS, Weight
from tests.bridge.histories import post, seal_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.results import Entry

MAX_WORD = 2**256 - 1


@pytest.fixture
def entries(sqlite_url: str) -> Iterator[list[Entry]]:
    """Return 240 entries: 40 new accounts, then amounts of every length among them."""
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("SCI", "SCI token")
        for number in range(40):
            ledger.create_account(f"a{number}", 2**240)
        many = (Movement(f"a{n % 40}", f"a{(n + 7) % 40}", 2**n) for n in range(200))
        post(ledger, *many)
        seal_all(ledger)
        yield list(ledger.entries())


@pytest.mark.parametrize(
    "limits",
    [
        Limits(),
        Limits(gas=250_000),
        Limits(gas=600_000),
        Limits(entries=1),
        Limits(entries=7),
        Limits(transaction_bytes=1_024),
        Limits(400_000, 30, 2_000),
        Limits(block_gas=1_000_000),
        Limits(rules=PLANNED),
        Limits(gas=600_000, rules=PLANNED),
        Limits(block_gas=2_000_000, rules=PLANNED),
    ],
)
def test_a_cut_takes_as_much_as_each_limit_allows(entries: list[Entry], limits: Limits) -> None:
    counts = list(cut(entries, limits))
    ends = [0, *(sum(counts[: number + 1]) for number in range(len(counts)))]
    assert ends[-1] == len(entries)
    for first, last in pairwise(ends):
        assert limits.allow(weigh(entries[first:last]))
        assert last == len(entries) or not limits.allow(weigh(entries[first : last + 1]))


def test_no_sealed_batch_is_cut_by_the_default(entries: list[Entry]) -> None:
    assert list(cut(entries)) == [240]
    weight = Weight(MAX_ENTRIES, MAX_BYTES)
    while weight.fits:
        weight.touched += 1
        assert Limits().allow(weight)
    assert weight.gas > MAX_GAS


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("gas", 250_000, 2**24),
        ("entries", 1, 4_000),
        ("transaction_bytes", 1_024, 2**17),
        ("block_gas", 1_000_000, 2**63 - 1),
    ],
)
def test_a_limit_is_in_its_range(field: str, least: int, most: int) -> None:
    for good in (least, most):
        assert getattr(Limits(**{field: good}), field) == good  # type: ignore[arg-type]  # an int
    for bad in (least - 1, most + 1, float(least), True, str(least), None):
        with pytest.raises(FieldError, match=f"^INVALID_FIELD: {field}: must be an int of"):
            Limits(**{field: bad})  # type: ignore[arg-type]  # what is refused


def test_rules_are_rules() -> None:
    with pytest.raises(FieldError, match="rules: must be GasRules, not 'planned'"):
        Limits(rules="planned")  # type: ignore[arg-type]  # what is refused


def test_state_gas_is_under_no_cap_but_the_blocks() -> None:
    """EIP-8037: what is given to a transaction may pass 2**24, as far as a block allows."""
    assert Limits().transaction_gas == 2**24
    assert Limits(gas=500_000).transaction_gas == 500_000
    assert Limits(block_gas=10_000_000).transaction_gas == 10_000_000
    assert Limits(gas=500_000, rules=PLANNED).transaction_gas == 60_000_000


def test_any_one_entry_fits_in_the_smallest_block() -> None:
    """By either rules, with two new accounts and the largest amount."""
    weight = Weight(1, 8 + 20 + 5 + 32 + 40, new=2, zeros=1)
    for rules in (TODAY, PLANNED):
        assert sum(most_gas(weight, rules)) <= SMALLEST_BLOCK
    assert most_gas(weight, TODAY)[0] <= SMALLEST_GAS


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, MAX_BYTES])
def test_the_bytes_of_a_transaction_are_bounded(size: int) -> None:
    """By the largest that can be signed: every field of its full width."""
    word = b"\xff" * 32
    data = encode_call("replay(bytes32,bytes32,bytes32,bytes)", word, word, word, b"\xff" * size)
    assert len(data) == CALL_BYTES + -(-size // 32) * 32
    signed = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 2**64 - 1,
            "nonce": 2**64 - 2,
            "maxFeePerGas": MAX_WORD,
            "maxPriorityFeePerGas": MAX_WORD,
            "gas": 2**24,
            "to": b"\xff" * 20,
            "value": 0,
            "data": data,
        },
        "0x" + "6b" * 32,
    )
    raw = len(signed.raw_transaction)
    assert raw <= transaction_bytes(size) <= raw + ENVELOPE_BYTES
    assert size > MAX_BYTES or raw <= TRANSACTION_BYTES
