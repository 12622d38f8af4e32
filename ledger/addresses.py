"""Account ids, and the EVM address that every account has from birth.

A derived address is where CREATE2 (EIP-1014) would put the account's own contract, so that the
tokens that lie there can be claimed; a plain hash would strand them for ever.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from ledger.encoding import account_struct
from ledger.errors import FieldError
from ledger.hashing import keccak
from ledger.model import ISSUER, ZERO_ADDRESS, Address, Hash32

MAX_ACCOUNT_ID = 255
"""Code points in an account id, after NFC normalisation."""

_HEX_ID = re.compile(r"0[xX][0-9a-fA-F]{40}")
_FORBIDDEN_CATEGORIES = {"Cc": "control", "Cs": "surrogate", "Cn": "unassigned"}

DEPLOYMENT_PROXY = Address.parse("0x4e59b44847b379578588920cA78FbF26c0B4956C")
"""The deterministic deployment proxy: at this address on every EVM chain that has it."""

_FIRST_FREE_ADDRESS = 2**16
"""Addresses below this are kept for precompiles and system contracts."""


def normalize_account_id(account_id: str, field: str = "account_id") -> str:
    """Return `account_id` in NFC, as it is stored and hashed.

    Raises:
        FieldError: naming `field`, if it is not 1..255 code points, holds a control, surrogate
            or unassigned code point, or is an address that is not written in lower case.
    """
    if type(account_id) is not str:
        raise FieldError(field, f"must be text, not {type(account_id).__name__}")
    return _normalized(account_id, field)


@lru_cache(maxsize=65_536)
def _normalized(account_id: str, field: str) -> str:
    """Return the NFC form, refusing code points that another Unicode version may change."""
    for position, character in enumerate(account_id):
        kind = _FORBIDDEN_CATEGORIES.get(unicodedata.category(character))
        if kind:
            code = f"U+{ord(character):04X}"
            raise FieldError(field, f"has {kind} code point {code} at position {position}")
    text = unicodedata.normalize("NFC", account_id)
    if not 1 <= len(text) <= MAX_ACCOUNT_ID:
        raise FieldError(field, f"must be 1..{MAX_ACCOUNT_ID} code points, not {len(text)}")
    if _HEX_ID.fullmatch(text) and text != text.lower():
        raise FieldError(field, f"is an address; write it in lower case: {text.lower()}")
    return text


def address_in_id(account_id: str) -> Address | None:
    """Return the address that `account_id` itself is, or None if the id is a name."""
    if account_id == ISSUER:
        return ZERO_ADDRESS
    return Address.parse(account_id) if _HEX_ID.fullmatch(account_id) else None


def check_linkable(address: Address, forbidden: frozenset[Address] = frozenset()) -> Address:
    """Return `address` if an account may have it.

    `forbidden` holds the factory and the ledger's tokens, whose own balances nobody could move.

    Raises:
        FieldError: for zero, addresses below 2**16, the deployment proxy and `forbidden`.
    """
    if int.from_bytes(address, "big") < _FIRST_FREE_ADDRESS:
        raise FieldError("address", f"{address} is below 2**16, kept for precompiles")
    if address == DEPLOYMENT_PROXY or address in forbidden:
        raise FieldError("address", f"{address} is a contract of the system; tokens strand there")
    return address


def account_blind(pepper: bytes, account_id: str) -> Hash32:
    """Return the blind of an account: keccak(pepper || "account" || 0x00 || id)."""
    return Hash32(keccak(pepper + b"account\x00" + account_id.encode()))


def account_key(blind: bytes, account_id: str) -> Hash32:
    """Return the key of an account: keccak(blind || id). (id, blind) opens this account only."""
    return Hash32(keccak(blind + account_id.encode()))


def account_salt(ledger_id: bytes, key: bytes, registrar: bytes) -> Hash32:
    """Return the CREATE2 salt of an account's contract."""
    return Hash32(account_struct(ledger_id, key, registrar))


def create2_address(deployer: bytes, salt: bytes, init_code_hash: bytes) -> Address:
    """Return keccak(0xff || deployer || salt || keccak(init code))[12:] (EIP-1014)."""
    return Address(keccak(b"\xff" + deployer + salt + init_code_hash)[12:])


def entry_blind(pepper: bytes, asset: bytes, seq: int) -> bytes:
    """Return the blind of an entry: keccak(pepper || "entry" || 0x00 || asset || u64 seq)."""
    return keccak(pepper + b"entry\x00" + asset + seq.to_bytes(8, "big"))


def hold_blind(pepper: bytes, asset: bytes, number: int) -> bytes:
    """Return the blind of a hold: keccak(pepper || "hold" || 0x00 || asset || u64 number)."""
    return keccak(pepper + b"hold\x00" + asset + number.to_bytes(8, "big"))


def registrar_key(pepper: bytes) -> Hash32:
    """Return the private key of the ledger's own registrar: keccak(pepper || "registrar" || 0)."""
    return Hash32(keccak(pepper + b"registrar\x00"))


def pepper_check(pepper: bytes) -> bytes:
    """Return what is stored beside a pepper, so that an altered one is found at once."""
    return keccak(pepper + b"check\x00")
