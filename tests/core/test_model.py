"""Words that cannot have the wrong length, and their text."""

from __future__ import annotations

import pickle

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FieldError
from ledger.model import ZERO_ADDRESS, ZERO_HASH, Address, Batch, FixedBytes, Hash32
from tests.core.strategies import addresses, hashes

WORDS: list[type[FixedBytes]] = [Hash32, Address]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_has_exactly_its_length(word: type[FixedBytes]) -> None:
    for length in (0, 1, 19, 20, 21, 31, 32, 33, 64):
        if length == word.size:
            assert word(bytes(length)) == bytes(length)
            continue
        with pytest.raises(FieldError) as refusal:
            word(bytes(length))
        assert refusal.value.field == word.__name__


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("value", [None, 32, 20, "0x" + "00" * 32, [0] * 32, bytearray(32)])
def test_only_bytes_make_a_word(word: type[FixedBytes], value: object) -> None:
    with pytest.raises(FieldError) as refusal:
        word(value)  # type: ignore[arg-type]  # the mistake
    assert refusal.value.field == word.__name__


def test_a_word_of_one_kind_is_not_taken_for_another() -> None:
    with pytest.raises(FieldError):
        Address(ZERO_HASH)
    with pytest.raises(FieldError):
        Hash32(ZERO_ADDRESS)


@given(hashes)
def test_a_hash_round_trips_through_text(value: Hash32) -> None:
    assert Hash32.parse(str(value)) == value
    assert Hash32.parse("0x" + value.hex().upper()) == value
    assert type(Hash32.parse(str(value))) is Hash32
    assert f"{value}" == "0x" + value.hex()


@given(addresses)
def test_an_address_round_trips_through_its_checksum(value: Address) -> None:
    assert str(value) == to_checksum_address(bytes(value))
    assert Address.parse(str(value)) == value
    assert Address.parse("0x" + value.hex()) == value
    assert Address.parse("0x" + value.hex().upper()) == value


@given(st.one_of(hashes, addresses))
def test_a_word_survives_pickling_as_what_it_is(value: FixedBytes) -> None:
    copy = pickle.loads(pickle.dumps(value))  # noqa: S301 (made on the line itself)
    assert copy == value
    assert type(copy) is type(value)


EIP55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
"""The test cases of EIP-55."""


@pytest.mark.parametrize("text", EIP55)
def test_the_checksum_is_eip_55s(text: str) -> None:
    assert str(Address.parse(text.lower())) == text
    assert Address.parse(text).hex() == text[2:].lower()


@pytest.mark.parametrize("text", EIP55[4:])
def test_a_wrong_checksum_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match="checksum") as refusal:
        Address.parse("0x" + text[2:].swapcase(), "wallet")
    assert refusal.value.field == "wallet"


@pytest.mark.parametrize("digits", ["D" + "d" * 39, "d" * 39 + "D", "d" + "D" * 39])
def test_one_letter_of_another_case_is_no_checksum(digits: str) -> None:
    with pytest.raises(FieldError, match="checksum"):
        Address.parse("0x" + digits)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "0x{digits}0",
        "0x{digits}00",
        "{digits}",
        "00{digits}",
        "0X{digits}",
        " 0x{digits}",
        "0x{digits}\n",
        "0x{short}0g",
        "0x{short}_0",
        "0x{short}  ",
        "0x{short}-1",
        "0x{short}\uff11\uff11",
        None,
        0,
        b"0x",
    ],
)
def test_other_text_is_no_word(word: type[FixedBytes], text: object) -> None:
    digits = "0" * 2 * word.size
    if isinstance(text, str):
        text = text.format(digits=digits, short=digits[:-2])
    for field in (None, "there"):
        with pytest.raises(FieldError) as refusal:
            word.parse(text, field)  # type: ignore[arg-type]  # the mistake
        assert refusal.value.field == (field or word.__name__)


def test_a_batch_counts_both_its_ends() -> None:
    words = [ZERO_HASH] * 4
    assert Batch(ZERO_HASH, 1, 5, 5, *words).size == 1
    assert Batch(ZERO_HASH, 1, 1, 4_000, *words).size == 4_000
