"""Amounts: exact in both directions, and nothing that is not an int or a plain decimal."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.amounts import MAX_AMOUNT, check_amount, check_uint, format_amount, parse_amount
from ledger.errors import FieldError, Rule
from tests.core.strategies import amounts

decimals = st.integers(0, 255)


@pytest.mark.parametrize(
    ("text", "places", "amount"),
    [
        ("0", 0, 0),
        ("0", 255, 0),
        ("12.5", 18, 12_500_000_000_000_000_000),
        ("12.500", 3, 12_500),
        ("007", 0, 7),
        ("0.000000000000000001", 18, 1),
        ("9007199254740993", 0, 2**53 + 1),
        ("9.007199254740993", 15, 2**53 + 1),
        ("0." + "0" * 254 + "1", 255, 1),
        (str(MAX_AMOUNT), 0, MAX_AMOUNT),
        ("0." + str(MAX_AMOUNT), 78, MAX_AMOUNT),
    ],
)
def test_a_plain_decimal_is_base_units(text: str, places: int, amount: int) -> None:
    assert parse_amount(text, places) == amount


@pytest.mark.parametrize(
    ("amount", "places", "text"),
    [
        (0, 0, "0"),
        (0, 18, "0"),
        (1, 18, "0.000000000000000001"),
        (12_500, 3, "12.5"),
        (12_000, 3, "12"),
        (100, 0, "100"),
        (1, 255, "0." + "0" * 254 + "1"),
        (MAX_AMOUNT, 0, str(MAX_AMOUNT)),
        (MAX_AMOUNT, 78, "0." + str(MAX_AMOUNT)),
    ],
)
def test_base_units_are_a_plain_decimal(amount: int, places: int, text: str) -> None:
    assert format_amount(amount, places) == text


@given(amounts, decimals)
def test_text_round_trips_and_is_exact(amount: int, places: int) -> None:
    text = format_amount(amount, places)
    assert parse_amount(text, places) == amount
    assert Fraction(text) * 10**places == amount
    assert set(text) <= set("0123456789.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "-1",
        "-0",
        ".5",
        "5.",
        "1.2.3",
        "1e3",
        "1E3",
        "0x10",
        "1_000",
        "1,000",
        "nan",
        "NaN",
        "inf",
        "Infinity",
        "١٢",
        "\uff11\uff12",
        "²",
        "1\x00",
        "0.0001",
        "0.1234",
        "9" * 511,
        str(MAX_AMOUNT + 1),
        str(MAX_AMOUNT)[:-3] + "." + str(MAX_AMOUNT + 1)[-3:],
        "1" * 78,
    ],
)
def test_other_text_is_no_amount_of_three_decimals(text: str) -> None:
    with pytest.raises(FieldError) as refusal:
        parse_amount(text, 3, "endowment")
    assert refusal.value.field == "endowment"


@pytest.mark.parametrize("text", [1, 1.5, None, b"1", Decimal(1), True])
def test_only_text_is_parsed(text: object) -> None:
    with pytest.raises(FieldError) as refusal:
        parse_amount(text, 3)  # type: ignore[arg-type]  # the mistake
    assert refusal.value.field == "amount"


@pytest.mark.parametrize("amount", [0, 1, 2**255, MAX_AMOUNT])
def test_a_uint256_is_an_amount(amount: int) -> None:
    assert check_amount(amount) == amount


@pytest.mark.parametrize(
    "value",
    [
        -1,
        2**256,
        pytest.param(10**5000, id="huge"),
        pytest.param(-(10**5000), id="hugely negative"),
        1.0,
        0.0,
        math.nan,
        math.inf,
        True,
        False,
        None,
        "1",
        b"1",
        Decimal(1),
        Decimal("NaN"),
        Fraction(1),
        1j,
        [1],
    ],
)
def test_nothing_else_is_an_amount(value: object) -> None:
    with pytest.raises(FieldError, match=r"^INVALID_FIELD: paid: must be ") as refusal:
        check_amount(value, "paid")
    assert (refusal.value.field, refusal.value.rule) == ("paid", Rule.INVALID_FIELD)


@pytest.mark.parametrize("bits", [8, 32, 64, 256])
def test_a_uint_ends_at_its_bits(bits: int) -> None:
    assert check_uint(2**bits - 1, bits, "seq") == 2**bits - 1
    for beyond in (2**bits, -1):
        with pytest.raises(FieldError) as refusal:
            check_uint(beyond, bits, "seq")
        assert refusal.value.field == "seq"


@pytest.mark.parametrize("amount", [-1, 2**256, 1.5, True])
def test_what_is_no_amount_is_not_formatted(amount: object) -> None:
    with pytest.raises(FieldError):
        format_amount(amount, 3)  # type: ignore[arg-type]  # the mistake
