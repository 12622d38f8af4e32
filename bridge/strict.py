"""Strict JSON: one way to write a row, and readers that name what is wrong with one.

A field that is missing, unknown or of another type is an error that names file, line and field.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bridge.errors import ExportFileError
from ledger.amounts import MAX_AMOUNT
from ledger.errors import FieldError
from ledger.model import Address, Hash32, Kind

if TYPE_CHECKING:
    from bridge.codec import RpcLog

Row: TypeAlias = dict[str, Any]
Reader: TypeAlias = Callable[[object], Any]
"""Returns a field's value, or raises ValueError saying what it must be."""

_MAX_INT: Final = 2**63 - 1
MAX_RECURSION: Final = 1_000
"""Python's own default, which holds while JSON of others is read."""
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_KINDS: Final = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is in an export, for errors."""

    file: str
    line: int | None = None
    prefix: str = ""

    def error(self, message: str, field: str | None = None) -> ExportFileError:
        """Return the error that names this place and `field`."""
        if field is not None:  # it may be a name that somebody else gave
            field = field.encode(errors="backslashreplace").decode()
        name = f"{self.prefix}{field}" if field else self.prefix.rstrip(".") or None
        return ExportFileError(self.file, message, line=self.line, field=name)

    def inside(self, field: str) -> Place:
        """Return the place of what is in `field`."""
        return Place(self.file, self.line, f"{self.prefix}{field}.")


# --- fields ---


def read_text(found: object) -> str:
    """Return text."""
    if type(found) is not str:
        raise ValueError("must be text")
    return found


def read_int(found: object) -> int:
    """Return an integer of 0 .. 2**63 - 1."""
    if type(found) is not int or not 0 <= found <= _MAX_INT:
        raise ValueError("must be an integer of 0 .. 2**63 - 1")
    return found


def read_bool(found: object) -> bool:
    """Return true or false."""
    if type(found) is not bool:
        raise ValueError("must be true or false")
    return found


def read_amount(found: object) -> int:
    """Return an amount: digits in a string, because JSON numbers end at 2**53 in most readers."""
    if type(found) is not str or not (found.isascii() and found.isdigit()):
        raise ValueError("must be digits in a string")
    if (found != "0" and found.startswith("0")) or len(found) > len(str(MAX_AMOUNT)):
        raise ValueError("must be digits without leading zeros, at most 2**256 - 1")
    if (amount := int(found)) > MAX_AMOUNT:
        raise ValueError("must be at most 2**256 - 1")
    return amount


def read_hash(found: object) -> Hash32:
    """Return 32 bytes written as 0x and lower-case hex."""
    return Hash32(read_hex(found, Hash32.size))


def read_address(found: object) -> Address:
    """Return an address written with its EIP-55 checksum."""
    address = Address(read_hex(str(found).lower() if type(found) is str else found, Address.size))
    if found != str(address):
        raise ValueError(f"must be {address}, with its EIP-55 checksum")
    return address


def read_kind(found: object) -> str:
    """Return the kind of an entry."""
    if type(found) is not str or found not in _KINDS:
        raise ValueError("is no kind of entry")
    return _KINDS[found]


def read_list(found: object) -> list[object]:
    """Return a list."""
    if type(found) is not list:
        raise ValueError("must be a list")
    return found


def read_object(found: object) -> Row:
    """Return an object."""
    if type(found) is not dict:
        raise ValueError("must be an object")
    return found


def optional(reader: Reader, found: object) -> Any:  # noqa: ANN401 (what `reader` returns)
    """Return None for null, else what `reader` returns."""
    return None if found is None else reader(found)


def read_hex(found: object, size: int) -> bytes:
    """Return the bytes of 0x and `size` * 2 lower-case hex digits."""
    if type(found) is str and len(found) == 2 + 2 * size:
        try:
            value = bytes.fromhex(found[2:])
        except ValueError:
            value = b""
        if found == "0x" + value.hex():
            return value
    raise ValueError(f"must be 0x and {2 * size} lower-case hex digits")


# --- JSON ---


def dump_line(row: Mapping[str, object] | RpcLog) -> bytes:
    """Return `row` as its one line: no spaces, fields in their order, UTF-8 as it is."""
    return _encode(row).encode() + b"\n"


def load_json(place: Place, text: bytes) -> Any:  # noqa: ANN401 (JSON is anything)
    """Return the JSON in `text`; ExportFileError if it is none or an object repeats a field."""
    floats: list[_Float] = []

    def refuse(text: str) -> _Float:
        floats.append(_Float(text))
        return floats[-1]

    def unique(pairs: list[tuple[str, Any]]) -> Row:
        row = dict(pairs)
        if floats or len(row) != len(pairs):
            _refuse_pairs(place, pairs)
        return row

    # py_ecc, which eth-account imports, lets the whole process recurse 100,000 deep; that is more
    # than the stack holds, and nested JSON would end the process (Python 3.11).
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(min(limit, MAX_RECURSION))
        found = json.loads(
            text.decode(), object_pairs_hook=unique, parse_constant=refuse, parse_float=refuse
        )
    except (ValueError, RecursionError):
        raise place.error("is not JSON in UTF-8") from None
    finally:
        sys.setrecursionlimit(limit)
    if floats:
        raise place.error(floats[0].message)
    return found


class _Float(str):
    """The text of a number that is no integer, until it is known which field it is in."""

    __slots__ = ()

    @property
    def message(self) -> str:
        """What is wrong with it."""
        return f"holds {self[:80]}: no number here is a float"


def _refuse_pairs(place: Place, pairs: list[tuple[str, Any]]) -> None:
    """Refuse an object that names a field twice, or has a float in one."""
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen:
            raise place.error("is named twice in one object", name[:80])
        seen.add(name)
        for one in value if type(value) is list else [value]:
            if isinstance(one, _Float):
                raise place.error(one.message, name[:80])


def load_line(place: Place, line: bytes) -> Any:  # noqa: ANN401 (JSON is anything)
    """Return the row in `line`, which must be written the one canonical way."""
    row = load_json(place, line)
    try:
        canonical = dump_line(row)
    except ValueError:
        raise lone_surrogate(place, row) from None
    if canonical != line:
        raise place.error("is not written as this program writes it (spaces, escapes, line end)")
    return row


def lone_surrogate(place: Place, found: object) -> ExportFileError:
    """Return the error for JSON that UTF-8 cannot encode; it names the field, however deep."""
    path: list[str] = []
    while isinstance(found, dict | list):
        pairs = found.items() if isinstance(found, dict) else enumerate(found)
        name, found = next(pair for pair in pairs if not _is_unicode(list(pair)))
        path.append(f"[{name}]" if isinstance(name, int) else f".{str(name)[:80]}")
    field = "".join(path).removeprefix(".") or None
    return place.error("holds a lone surrogate, which UTF-8 cannot encode", field)


def _is_unicode(found: object) -> bool:
    """Tell whether UTF-8 can encode what was in JSON."""
    try:
        _encode(found).encode()
    except ValueError:
        return False
    return True


def read_fields(place: Place, row: object, fields: Mapping[str, Reader]) -> Row:
    """Return the fields of `row`, exactly those of `fields` in their order, each as read.

    Raises:
        ExportFileError: naming the field that is missing, unknown, misplaced or wrong.
    """
    if not isinstance(row, dict):
        raise place.error("is not an object")
    if list(row) != list(fields):
        raise _wrong_names(place, row, fields)
    values: Row = {}
    for name, read in fields.items():
        try:
            values[name] = read(row[name])
        except FieldError as error:
            message = error.message.removeprefix(f"{error.field}: ")
            raise place.error(message, name) from None
        except ValueError as error:
            raise place.error(str(error), name) from None
    return values


def _wrong_names(place: Place, row: Row, fields: Mapping[str, Reader]) -> ExportFileError:
    """Return the error for a row that has other fields, or has them in another order."""
    for name in fields:
        if name not in row:
            return place.error("is missing", name)
    for name in row:
        if name not in fields:
            return place.error("is unknown", name[:80])
    return place.error(f"fields must be in the order {', '.join(fields)}")
