"""RLP as headers, tries and accounts need it: one list, strictly (Yellow Paper, appendix B).

There is one encoding of each value, and nothing else is decoded: a length in more bytes than it
needs, a lone byte below 0x80 with a prefix, bytes too few or too many are refused. What is nested
is handed back as it is, so nothing that a node sends makes the decoder recurse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_STRING: Final = 0x80
_LIST: Final = 0xC0
_SHORT: Final = 55
"""The longest payload whose length is in the prefix byte itself."""


class Item(NamedTuple):
    """One item of a list."""

    is_list: bool
    payload: bytes
    """The bytes of a string, or the encoded items of a list."""
    raw: bytes
    """The item as it was encoded."""


def encode_bytes(value: bytes) -> bytes:
    """Return the encoding of a string of bytes."""
    if len(value) == 1 and value[0] < _STRING:
        return value
    return _prefix(_STRING, len(value)) + value


def encode_int(value: int) -> bytes:
    """Return the encoding of a number: big-endian without leading zeros, 0 as no bytes."""
    return encode_bytes(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def encode_list(items: Iterable[bytes]) -> bytes:
    """Return the encoding of a list of items that are encoded already."""
    payload = b"".join(items)
    return _prefix(_LIST, len(payload)) + payload


def decode_list(data: bytes) -> list[Item]:
    """Return the items of the list that `data` is; ValueError if it is not exactly one."""
    item = decode(data)
    if not item.is_list:
        raise ValueError("RLP: a string where a list must be")
    items, start, payload = [], 0, item.payload
    while start < len(payload):
        items.append(found := _item(payload, start))
        start += len(found.raw)
    return items


def decode(data: bytes) -> Item:
    """Return the one item that `data` is; ValueError if it is none, or more than one."""
    item = _item(data, 0)
    if len(item.raw) != len(data):
        raise ValueError("RLP: bytes after the end")
    return item


def decode_bytes(data: bytes) -> bytes:
    """Return the string of bytes that `data` is; ValueError if it is a list or none."""
    item = decode(data)
    if item.is_list:
        raise ValueError("RLP: a list where a string must be")
    return item.payload


def to_int(item: Item, size: int = 32) -> int:
    """Return the number that an item is, of at most `size` bytes, without leading zeros."""
    if item.is_list or len(item.payload) > size or item.payload[:1] == b"\x00":
        raise ValueError(f"RLP: no number of at most {size} bytes")
    return int.from_bytes(item.payload, "big")


def _prefix(kind: int, length: int) -> bytes:
    """Return what stands before a payload of `length` bytes."""
    if length <= _SHORT:
        return bytes([kind + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([kind + _SHORT + len(digits)]) + digits


def _item(data: bytes, start: int) -> Item:
    """Return the item that begins at `start`."""
    if start >= len(data):
        raise ValueError("RLP: no bytes where an item must begin")
    first = data[start]
    if first < _STRING:
        return Item(is_list=False, payload=(one := data[start : start + 1]), raw=one)
    kind = _LIST if first >= _LIST else _STRING
    begin, length = start + 1, first - kind
    if length > _SHORT:
        begin, length = _long(data, start + 1, length - _SHORT)
    if begin + length > len(data):
        raise ValueError("RLP: an item is longer than what it is in")
    payload = data[begin : begin + length]
    if kind == _STRING and length == 1 and payload[0] < _STRING:
        raise ValueError("RLP: a byte below 0x80 has a prefix")
    return Item(kind == _LIST, payload, data[start : begin + length])


def _long(data: bytes, start: int, size: int) -> tuple[int, int]:
    """Return (where the payload begins, its length) for a length of `size` bytes."""
    digits = data[start : start + size]
    length = int.from_bytes(digits, "big")
    if len(digits) < size or digits[0] == 0 or length <= _SHORT:
        raise ValueError("RLP: a length is not written the one way that it can be")
    return start + size, length
