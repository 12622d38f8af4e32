"""Parquet files, written in one canonical way: the same rows give the same bytes, for ever.

The format is Apache's (github.com/apache/parquet-format): columns of a few types, PLAIN and
uncompressed, one page a column and group of rows, metadata in Thrift's compact protocol. A
library's bytes change with its version; these do not, so an export is reproducible, and an import
checks them byte for byte. Every column may hold null, as in files that Polars writes; none does.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GROUP_ROWS: Final = 65_536
"""Rows of a group: what is in memory at once, and what a reader reads at once."""

_MAGIC: Final = b"PAR1"
_CREATED_BY: Final = "evm-ledger version 1"
"""The version of these bytes, not of the program: it is part of every file."""


class Sink(Protocol):
    """Where the bytes of a file go."""

    def write(self, data: bytes, rows: int = 1, values: Values | None = None) -> None:
        """Take `data`, which ends `rows` rows; `values` tells whose it is in a Parquet file."""


class Kind(Enum):
    """The type of a column: (physical type, converted type, logical type), and how it is packed."""

    UINT32 = "uint32"
    UINT64 = "uint64"
    DOUBLE = "double"
    BINARY = "binary"
    STRING = "string"

    @property
    def pack(self) -> Callable[..., bytes]:
        """What packs a value as the PLAIN encoding has it; bytes for BINARY and STRING."""
        return _PACK[self]

    def row_at(self, packed: bytes, at: int) -> int:
        """Return which value (from 0) the byte `at` of `packed` values belongs to."""
        if self in _WIDTHS:
            return at // _WIDTHS[self]
        row = -1
        begin = 0
        while begin <= at and begin < len(packed):
            begin += 4 + int.from_bytes(packed[begin : begin + 4], "little")
            row += 1
        return row


def _pack_bytes(value: bytes) -> bytes:
    """Return bytes after their length."""
    return len(value).to_bytes(4, "little") + value


_PACK: Final[Mapping[Kind, Callable[..., bytes]]] = {
    Kind.UINT32: struct.Struct("<I").pack,
    Kind.UINT64: struct.Struct("<Q").pack,
    Kind.DOUBLE: struct.Struct("<d").pack,
    Kind.BINARY: _pack_bytes,
    Kind.STRING: _pack_bytes,
}
_WIDTHS: Final[Mapping[Kind, int]] = {Kind.UINT32: 4, Kind.UINT64: 8, Kind.DOUBLE: 8}


class Values(NamedTuple):
    """Which values some bytes of a file are."""

    column: str
    kind: Kind
    first_row: int
    """The row of the first of them, from 1."""


class ParquetFile:
    """One file being written; at most one group of rows is kept."""

    def __init__(self, columns: Mapping[str, Kind], out: Sink) -> None:
        self._columns = columns
        self._out = out
        self._written = self._rows = self._buffered = 0
        self._groups: list[_Field] = []
        self._buffers = [bytearray() for _ in columns]
        self._write(_MAGIC)

    def add(self, packed: Sequence[bytes]) -> None:
        """Add a row: the packed value of each column, in their order."""
        for buffer, value in zip(self._buffers, packed, strict=True):
            buffer.extend(value)
        self._buffered += 1
        if self._buffered == GROUP_ROWS:
            self._end_group()

    def end(self) -> None:
        """Write what is left, and the metadata."""
        if self._buffered:
            self._end_group()
        fields = {
            1: _i32(1),
            2: _list(_STRUCT, _schema(self._columns)),
            3: _i64(self._rows),
            4: _list(_STRUCT, self._groups),
            6: _text(_CREATED_BY),
        }
        footer = _struct(fields).data
        self._write(footer + len(footer).to_bytes(4, "little") + _MAGIC)

    def _end_group(self) -> None:
        """Write the rows that are kept, column by column."""
        begin, count = self._written, self._buffered
        chunks = []
        for (name, kind), buffer in zip(self._columns.items(), self._buffers, strict=True):
            offset = self._written
            levels = _present(count)
            self._write(_page_header(count, len(levels) + len(buffer)) + levels)
            self._write(bytes(buffer), Values(name, kind, self._rows + 1))
            buffer.clear()
            chunks.append(_chunk(name, kind, offset, self._written - offset, count))
        size = self._written - begin
        self._groups.append(_struct({1: _list(_STRUCT, chunks), 2: _i64(size), 3: _i64(count)}))
        self._out.write(b"", count)
        self._rows += count
        self._buffered = 0

    def _write(self, data: bytes, values: Values | None = None) -> None:
        """Write some bytes of the file."""
        self._out.write(data, 0, values)
        self._written += len(data)


# --- what parquet.thrift calls these: the numbers are its enums and field ids ---

_PHYSICAL: Final[Mapping[Kind, int]] = {
    Kind.UINT32: 1,  # INT32
    Kind.UINT64: 2,  # INT64
    Kind.DOUBLE: 5,
    Kind.BINARY: 6,  # BYTE_ARRAY
    Kind.STRING: 6,
}
_CONVERTED: Final[Mapping[Kind, int]] = {Kind.UINT32: 13, Kind.UINT64: 14, Kind.STRING: 0}
_PLAIN: Final = 0
_RLE: Final = 3
_OPTIONAL: Final = 1


def _schema(columns: Mapping[str, Kind]) -> list[_Field]:
    """Return the SchemaElements: the root, then one each of the columns."""
    root = _struct({4: _text("root"), 5: _i32(len(columns))})
    return [root, *(_element(name, kind) for name, kind in columns.items())]


def _element(name: str, kind: Kind) -> _Field:
    """Return the SchemaElement of a column."""
    fields = {1: _i32(_PHYSICAL[kind]), 3: _i32(_OPTIONAL), 4: _text(name)}
    if kind in _CONVERTED:
        fields[6] = _i32(_CONVERTED[kind])
        fields[10] = _struct(_logical(kind))
    return _struct(fields)


def _logical(kind: Kind) -> dict[int, _Field]:
    """Return the LogicalType: a string, or an integer of so many bits without a sign."""
    if kind == Kind.STRING:
        return {1: _struct({})}
    bits = _WIDTHS[kind] * 8
    return {10: _struct({1: _Field(_I8, bytes([bits])), 2: _Field(_FALSE, b"")})}


def _present(count: int) -> bytes:
    """Return the definition levels of `count` values, none of which is null: one run of ones."""
    run = _varint(count << 1) + b"\x01"
    return len(run).to_bytes(4, "little") + run


def _page_header(count: int, size: int) -> bytes:
    """Return the PageHeader of a data page of `size` bytes."""
    page = _struct({1: _i32(count), 2: _i32(_PLAIN), 3: _i32(_RLE), 4: _i32(_RLE)})
    return _struct({1: _i32(0), 2: _i32(size), 3: _i32(size), 5: page}).data


def _chunk(name: str, kind: Kind, offset: int, size: int, count: int) -> _Field:
    """Return the ColumnChunk of a column in a group, which begins at `offset` of the file."""
    encodings = _list(_I32, [_i32(_PLAIN), _i32(_RLE)])
    metadata = _struct(
        {
            1: _i32(_PHYSICAL[kind]),
            2: encodings,
            3: _list(_BINARY, [_text(name)]),
            4: _i32(0),  # UNCOMPRESSED
            5: _i64(count),
            6: _i64(size),
            7: _i64(size),
            9: _i64(offset),
        }
    )
    return _struct({2: _i64(offset), 3: metadata})


# --- Thrift's compact protocol ---


class _Field(NamedTuple):
    """A value: its type's number, and its bytes."""

    code: int
    data: bytes


_FALSE: Final = 2
_I8: Final = 3
_I32: Final = 5
_I64: Final = 6
_BINARY: Final = 8
_LIST: Final = 9
_STRUCT: Final = 12
_SHORT_LIST: Final = 15


def _varint(number: int) -> bytes:
    """Return a number, seven bits a byte, the lowest first."""
    found = bytearray()
    while number > 0x7F:  # noqa: PLR2004 (seven bits)
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _i32(number: int) -> _Field:
    """Return a number that is not negative; Thrift doubles it, odd ones are negative."""
    return _Field(_I32, _varint(number << 1))


def _i64(number: int) -> _Field:
    """Return the same in 64 bits."""
    return _Field(_I64, _varint(number << 1))


def _text(text: str) -> _Field:
    """Return text after its length."""
    return _Field(_BINARY, _varint(len(text.encode())) + text.encode())


def _list(code: int, items: Sequence[_Field]) -> _Field:
    """Return a list of values of one type."""
    if len(items) < _SHORT_LIST:
        head = bytes([len(items) << 4 | code])
    else:
        head = bytes([0xF0 | code]) + _varint(len(items))
    return _Field(_LIST, head + b"".join(item.data for item in items))


def _struct(fields: Mapping[int, _Field]) -> _Field:
    """Return a struct; its fields ascend by id, each at most 15 above the last."""
    found = bytearray()
    last = 0
    for number, field in fields.items():
        found.append((number - last) << 4 | field.code)
        found += field.data
        last = number
    return _Field(_STRUCT, bytes(found) + b"\x00")
