"""Keys of secp256k1: the address of a private one, and the address that made a signature.

The only module of the ledger that knows the curve.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from eth_keys.constants import SECPK1_N
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature

from ledger.model import Address

if TYPE_CHECKING:
    from ledger.model import Hash32

SIGNATURE_SIZE: Final = 65
"""Bytes of a key's signature: r (32), s (32), v (1)."""

_V_OFFSET: Final = 27
"""What the Yellow Paper adds to the parity of the point (appendix F); some wallets do not."""


def address_of_key(private_key: Hash32) -> Address:
    """Return the address whose signatures `private_key` makes (Yellow Paper, appendix F)."""
    return Address(PrivateKey(private_key).public_key.to_canonical_address())


def canonical_signature(signature: bytes) -> bytes | None:
    """Return `signature` (r, s, v) with v 27 or 28; None if no key makes one of that form.

    `s` above half the curve's order is the other form of a signature that also exists (EIP-2):
    refused, so that one signature has one form. v 0 and 1 mean 27 and 28.
    """
    if len(signature) != SIGNATURE_SIZE:
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    v = signature[64] if signature[64] >= _V_OFFSET else signature[64] + _V_OFFSET
    if not 0 < r < SECPK1_N or not 0 < s <= SECPK1_N // 2 or v - _V_OFFSET > 1:
        return None
    return bytes(signature[:64]) + bytes([v])


def signer_of(digest: Hash32, signature: bytes) -> Address | None:
    """Return the address whose key signed `digest`; None if `signature` has no canonical form.

    Every well-formed signature recovers to some address: compare it with the one expected.
    """
    canonical = canonical_signature(signature)
    if canonical is None:
        return None
    return _recovered(digest, canonical)


@lru_cache(maxsize=16_384)
def _recovered(digest: Hash32, canonical: bytes) -> Address | None:
    """Return the address whose key made the point of a signature, if there is one.

    Cached: it takes milliseconds in plain Python, and a batch that is tried again asks again.
    """
    try:
        plain = Signature(canonical[:64] + bytes([canonical[64] - _V_OFFSET]))
        key = plain.recover_public_key_from_msg_hash(digest)
    except BadSignature:
        return None
    return Address(key.to_canonical_address())
