"""The values of the core: words that cannot have the wrong length, and what is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar, NamedTuple, Self

from ledger.errors import FieldError
from ledger.hashing import keccak

_exactly = bytes.__new__
"""Make a value whose length has been checked; `super()` costs as much again, millions of times."""


class FixedBytes(bytes):
    """Bytes of exactly `size`; no value of another length can exist."""

    size: ClassVar[int] = 0
    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Take `value` as it is.

        Raises:
            FieldError: naming the type, if `value` is not bytes of the right length.
        """
        if type(value) is bytes and len(value) == cls.size:
            return _exactly(cls, value)
        if not isinstance(value, bytes) or len(value) != cls.size:
            found = f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
            raise FieldError(cls.__name__, f"must be {cls.size} bytes, not {found}")
        return _exactly(cls, value)

    @classmethod
    def trusted(cls, value: bytes) -> Self:
        """Take what a hash function made, whose length needs no check (the hot path)."""
        return bytes.__new__(cls, value)

    @classmethod
    def parse(cls, text: str, field: str | None = None) -> Self:
        """Return the value written as 0x and hex digits in `text`.

        Raises:
            FieldError: naming `field`, if `text` is anything else.
        """
        name = field or cls.__name__
        if type(text) is not str or not text.startswith("0x") or len(text) != 2 + 2 * cls.size:
            raise FieldError(name, f"must be 0x and {2 * cls.size} hex digits")
        try:
            return cls(bytes.fromhex(text[2:]) if text.isascii() and text.isalnum() else b"")
        except ValueError:
            raise FieldError(name, f"must be 0x and {2 * cls.size} hex digits") from None

    def __str__(self) -> str:
        return "0x" + self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self}')"


class Hash32(FixedBytes):
    """32 bytes: an id, a head, a root, a key, a blind."""

    size = 32
    __slots__ = ()


class Address(FixedBytes):
    """20 bytes: an account's address on every EVM chain. Its text has the EIP-55 checksum."""

    size = 20
    __slots__ = ()

    @classmethod
    def parse(cls, text: str, field: str | None = None) -> Self:
        """Return the address in `text`; mixed case must be its EIP-55 checksum.

        Raises:
            FieldError: naming `field`, if it is no address or a letter's case is wrong.
        """
        address = super().parse(text, field)
        digits = text[2:]
        if digits not in (digits.lower(), digits.upper()) and text != str(address):
            raise FieldError(field or cls.__name__, f"{text} has a wrong EIP-55 checksum")
        return address

    def __str__(self) -> str:
        return _checksum(bytes(self))


ZERO_HASH = Hash32(bytes(32))
ZERO_ADDRESS = Address(bytes(20))
"""The address of the issuer: mints come from it, burns go to it (EIP-20)."""

ISSUER = "system"
"""The account id of the issuer, whose address is `ZERO_ADDRESS`."""


class Kind(StrEnum):
    """Why an entry exists, beyond a plain posting (design: formats, Metadata)."""

    PLAIN = ""
    REVERSAL = "reversal"
    HOLD = "hold"
    CHAIN = "chain"
    SIGNED = "signed"


class Status(StrEnum):
    """What may be posted to an account."""

    OPEN = "open"
    FROZEN = "frozen"
    """No debits, no holds; credits arrive."""
    CLOSED = "closed"
    """Nothing; its balance is zero."""


class HoldState(StrEnum):
    """What became of a hold. All but pending are final."""

    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


class Record(NamedTuple):
    """One movement of a payload, by addresses; `amount` in base units."""

    from_: Address
    to: Address
    amount: int


@dataclass(frozen=True, slots=True)
class AssetTerms:
    """What an asset's id commits to; none of it ever changes."""

    symbol: str
    name: str
    decimals: int


class Metadata(NamedTuple):
    """What an entry's `ref` commits to. Absent text is ""."""

    reason: str = ""
    reference_type: str = ""
    reference_id: str = ""
    memo: str = ""
    idempotency_key: str = ""
    group: bytes = ZERO_HASH
    kind: str = Kind.PLAIN
    cause: bytes = ZERO_HASH
    blind: bytes = ZERO_HASH


class EntryWords(NamedTuple):
    """The seven words of an entry, as EIP-712 hashes them; `timestamp` in microseconds UTC."""

    asset: bytes
    seq: int
    from_: bytes
    to: bytes
    amount: int
    timestamp: int
    ref: bytes


@dataclass(frozen=True, slots=True)
class HoldWords:
    """The eight words of a hold, as EIP-712 hashes them; times in microseconds UTC.

    `to` is `from_` where the hold names nobody, `expiry` is zero where it never expires.
    """

    asset: bytes
    number: int
    from_: bytes
    to: bytes
    amount: int
    timestamp: int
    expiry: int
    ref: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """An asset's run of consecutive entries in one seal; its id is an EIP-712 digest."""

    asset: Hash32
    number: int
    first_seq: int
    last_seq: int
    prev_head: Hash32
    new_head: Hash32
    tree_root: Hash32
    payload_hash: Hash32

    @property
    def size(self) -> int:
        """How many entries the batch has."""
        return self.last_seq - self.first_seq + 1


@dataclass(frozen=True, slots=True)
class Seal:
    """A ledger-wide checkpoint: batch ids ascending by asset; chained by `prev_seal`."""

    number: int
    prev_seal: Hash32
    timestamp: int
    batches: tuple[Hash32, ...]


@lru_cache(maxsize=65_536)
def _checksum(address: bytes) -> str:
    """Return `address` in EIP-55 mixed case."""
    digits = address.hex()
    nibbles = keccak(digits.encode()).hex()
    return "0x" + "".join(
        d.upper() if int(n, 16) > 7 else d  # noqa: PLR2004 (EIP-55: hash nibble of 8 or more)
        for d, n in zip(digits, nibbles, strict=False)
    )
