"""Signatures of keys: one form for each, and the address that made it."""

from __future__ import annotations

from typing import Final

import pytest
from eth_account import Account
from eth_keys.datatypes import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.keys import address_of_key, canonical_signature, signer_of
from ledger.model import Hash32
from tests.core.strategies import hashes

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY: Final = Hash32(b"\x6b" * 32)
DIGEST: Final = Hash32(bytes(range(32)))

private_keys = st.integers(1, ORDER - 1).map(lambda number: Hash32(number.to_bytes(32, "big")))


def packed(r: int, s: int, v: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


def signed(key: Hash32 = KEY, digest: Hash32 = DIGEST) -> bytes:
    return bytes(Account.from_key(key).unsafe_sign_hash(digest).signature)


@given(private_keys, hashes)
def test_the_signer_is_who_eth_account_signed_for(key: Hash32, digest: Hash32) -> None:
    signature = signed(key, digest)
    expected = Account.from_key(key).address
    assert str(signer_of(digest, signature)) == str(address_of_key(key)) == expected
    assert canonical_signature(signature) == signature


@pytest.mark.parametrize("v", range(256))
def test_v_is_27_or_28_and_0_and_1_mean_these(v: int) -> None:
    *_, right = signature = signed()
    canonical = canonical_signature(signature[:64] + bytes([v]))
    if v in {0, 1, 27, 28}:
        assert canonical == signature[:64] + bytes([v if v >= 27 else v + 27])
        is_the_signers = signer_of(DIGEST, signature[:64] + bytes([v])) == address_of_key(KEY)
        assert is_the_signers == (canonical[64] == right)
    else:
        assert canonical is None


@pytest.mark.parametrize("length", [0, 1, 32, 64, 66, 130])
def test_a_signature_has_65_bytes(length: int) -> None:
    cut = (signed() * 2)[:length]
    assert canonical_signature(cut) is None
    assert signer_of(DIGEST, cut) is None


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, 1),
        (1, 0),
        (0, 0),
        (ORDER, 1),
        (ORDER + 1, 1),
        (2**256 - 1, 1),
        (1, ORDER // 2 + 1),
        (1, ORDER - 1),
        (1, ORDER),
        (1, 2**256 - 1),
    ],
)
def test_r_and_s_are_in_their_ranges(r: int, s: int) -> None:
    assert canonical_signature(packed(r, s, 27)) is None
    assert signer_of(DIGEST, packed(r, s, 28)) is None


@pytest.mark.parametrize(("r", "s"), [(1, 1), (ORDER - 1, 1), (1, ORDER // 2)])
def test_the_ends_of_the_ranges_are_in_them(r: int, s: int) -> None:
    assert canonical_signature(packed(r, s, 27)) == packed(r, s, 27)


def test_the_other_form_of_a_signature_is_refused() -> None:
    signature = signed()
    high = ORDER - int.from_bytes(signature[32:64], "big")
    other = signature[:32] + high.to_bytes(32, "big") + bytes([55 - signature[64]])
    assert signer_of(DIGEST, other) is None


def test_no_signer_where_r_is_on_no_curve() -> None:
    # x = 5 is the smallest for which x**3 + 7 is no square (SEC 1, section 4.1.6).
    assert signer_of(DIGEST, packed(5, 1, 27)) is None
    assert signer_of(DIGEST, packed(1, 1, 27)) is not None


@pytest.mark.parametrize("nonce", [1, 2, 3, 2**200])
def test_no_signer_where_the_key_would_be_the_point_at_infinity(nonce: int) -> None:
    # With s = z / k the key (s * R - z * G) / r is nothing at all.
    point = PrivateKey(nonce.to_bytes(32, "big")).public_key.to_bytes()
    r, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    s = int.from_bytes(DIGEST, "big") * pow(nonce, -1, ORDER) % ORDER
    parity = y % 2
    if s > ORDER // 2:
        s, parity = ORDER - s, 1 - parity
    assert canonical_signature(packed(r, s, 27 + parity)) is not None
    assert signer_of(DIGEST, packed(r, s, 27 + parity)) is None
