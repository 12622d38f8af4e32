"""A JSON document read strictly: every refusal names the value, and none goes unread.

What nothing reads nothing checks, so a document is refused for it (`Part.refuse_unread`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.amounts import check_uint
from ledger.errors import FieldError
from ledger.model import Address, Hash32

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,77}")
_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


@dataclass(frozen=True, slots=True)
class Part:
    """A value under its name in the document, such as `entries[3].id`."""

    value: object
    name: str = ""
    read: set[str] = field(default_factory=set)
    """Names of all leaves read so far, shared by all parts of one file."""

    def __getitem__(self, key: str) -> Part:
        name = f"{self.name}.{key}" if self.name else key
        if not isinstance(self.value, Mapping):
            raise FieldError(self.name or "document", "must be an object")
        if key not in self.value:
            raise FieldError(name, "is missing")
        return Part(self.value[key], name, self.read)

    def items(self, *, at_least: int = 0) -> list[Part]:
        """Return the parts of a list."""
        if not isinstance(self.value, list):
            raise FieldError(self.name, "must be a list")
        if len(self.value) < at_least:
            raise FieldError(self.name, f"must have at least {at_least} items")
        return [Part(v, f"{self.name}[{at}]", self.read) for at, v in enumerate(self.value)]

    def pairs(self, one: str, other: str, extra: int = 0) -> list[tuple[Part, Part]]:
        """Return two lists in step; `other` must be longer by `extra`, which are left out."""
        these, those = self[one].items(), self[other].items()
        if len(those) != len(these) + extra:
            expected = f"{len(these) + extra} items, for {len(these)} {one}"
            raise FieldError(self[other].name, f"must have {expected}, not {len(those)}")
        return list(zip(these, those[extra:], strict=True))

    def text(self) -> str:
        """Return text that has a UTF-8 form (JSON can write surrogates that have none)."""
        self.read.add(self.name)
        if not isinstance(self.value, str):
            raise FieldError(self.name, "must be text")
        if any("\ud800" <= character <= "\udfff" for character in self.value):
            raise FieldError(self.name, "holds a lone surrogate")
        return self.value

    def uint(self, bits: int) -> int:
        """Return an integer, written as such or, beyond what JSON keeps, as decimal text."""
        self.read.add(self.name)
        if isinstance(self.value, str) and _DECIMAL.fullmatch(self.value):
            return check_uint(int(self.value), bits, self.name)
        return check_uint(self.value, bits, self.name)

    def hash32(self) -> Hash32:
        """Return 32 bytes written in hex."""
        return Hash32.parse(self.text(), self.name)

    def address(self) -> Address:
        """Return an address; mixed case must be its EIP-55 checksum."""
        return Address.parse(self.text(), self.name)

    def hex_bytes(self) -> bytes:
        """Return any number of bytes written in hex."""
        if not _HEX.fullmatch(self.text()):
            raise FieldError(self.name, "must be 0x and an even number of hex digits")
        return bytes.fromhex(self.text()[2:])

    def refuse_unread(self) -> None:
        """Refuse the first leaf that nobody has read, unless it is an "about"."""
        if isinstance(self.value, Mapping):
            for key in self.value:
                self[key].refuse_unread()
        elif isinstance(self.value, list):
            for item in self.items():
                item.refuse_unread()
        elif self.name not in self.read and self.name.rpartition(".")[2] != "about":
            raise FieldError(self.name, "is no part of the format, so nothing can check it")
