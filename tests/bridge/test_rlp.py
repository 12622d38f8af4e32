"""RLP is what another implementation says it is, and each value has one encoding."""

from __future__ import annotations

from typing import TypeAlias

import pytest
import rlp  # type: ignore[import-untyped]  # it has no types
from hypothesis import given
from hypothesis import strategies as st

from bridge.rlp import Item, decode, decode_list, encode_bytes, encode_int, encode_list, to_int

Nested: TypeAlias = "bytes | list[Nested]"

LENGTHS = st.sampled_from([0, 1, 2, 55, 56, 57, 255, 256, 70_000])
BYTES = st.binary(max_size=70) | LENGTHS.flatmap(lambda n: st.sampled_from([bytes(n), b"\x80" * n]))
NESTED: st.SearchStrategy[Nested] = st.recursive(BYTES, lambda it: st.lists(it, max_size=20))


def encoded(value: Nested) -> bytes:
    """Return the encoding of lists in lists."""
    if isinstance(value, bytes):
        return encode_bytes(value)
    return encode_list(map(encoded, value))


def nested(item: Item) -> Nested:
    """Return all that is in an item."""
    return [nested(it) for it in decode_list(item.raw)] if item.is_list else item.payload


@given(NESTED)
def test_it_is_what_another_implementation_says(value: Nested) -> None:
    data = encoded(value)
    assert data == rlp.encode(value)
    assert nested(decode(data)) == value


@given(st.integers(0, 2**256 - 1))
def test_numbers_have_no_leading_zeros(number: int) -> None:
    data = encode_int(number)
    assert data == rlp.encode(number)
    assert to_int(decode(data)) == number


@given(st.binary(max_size=60) | NESTED.map(encoded).flatmap(lambda it: st.binary().map(it.__add__)))
def test_whatever_is_decoded_was_written_the_one_way(data: bytes) -> None:
    try:
        found = nested(decode(data))
    except ValueError:
        return
    assert encoded(found) == data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "no bytes"),
        ("80", "a string where a list"),
        ("c0c0", "bytes after the end"),
        ("c1", "longer than what it is in"),
        ("c28361", "longer than what it is in"),
        ("c28101", "a byte below 0x80 has a prefix"),
        ("c3b801ff", "not written the one way"),
        ("c3b800ff", "not written the one way"),
        ("f837" + "00" * 0x37, "not written the one way"),
        ("f90038" + "00" * 0x38, "not written the one way"),
        ("f9", "not written the one way"),
        ("ff" + "ff" * 8, "longer than what it is in"),
    ],
)
def test_what_is_not_canonical_is_refused(data: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decode_list(bytes.fromhex(data))


@pytest.mark.parametrize("data", ["00", "820001", "c0", "a1" + "11" * 33])
def test_what_is_no_number_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        to_int(decode(bytes.fromhex(data)))


def test_depth_is_no_way_to_end_the_process() -> None:
    """A node may send anything: what is in a list is decoded when somebody looks."""
    data = b""
    for _ in range(20_000):
        data = encode_list([data])
    assert len(decode_list(data)) == 1
