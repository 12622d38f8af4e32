"""The ledger's own registrar key: its address, without which no account could be derived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eth_keys.datatypes import PrivateKey

from ledger.model import Address

if TYPE_CHECKING:
    from ledger.model import Hash32


def address_of_key(private_key: Hash32) -> Address:
    """Return the address whose signatures `private_key` makes (Yellow Paper, appendix F)."""
    return Address(PrivateKey(private_key).public_key.to_canonical_address())
