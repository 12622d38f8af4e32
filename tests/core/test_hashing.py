"""keccak-256, not SHA3-256."""

from __future__ import annotations

import hashlib

import pytest
from eth_utils.crypto import keccak as eth_keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.hashing import KECCAK_EMPTY, keccak, keccak_text, keccak_unique_text

RATE = 136
"""Bytes in a block of keccak-256: padding differs around its multiples."""


@pytest.mark.parametrize(
    ("octets", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            b"Transfer(address,address,uint256)",
            "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        ),
    ],
)
def test_known_answers(octets: bytes, digest: str) -> None:
    assert keccak(octets).hex() == digest
    assert keccak_text(octets.decode()).hex() == digest


def test_it_is_not_sha3() -> None:
    assert keccak(b"") == KECCAK_EMPTY != hashlib.sha3_256(b"").digest()


@pytest.mark.parametrize("size", [n + d for n in (RATE, 2 * RATE, 32 * RATE) for d in (-1, 0, 1)])
def test_blocks_end_where_they_should(size: int) -> None:
    assert keccak(bytes(size)) == eth_keccak(bytes(size))


@given(st.binary(max_size=400))
def test_it_is_eth_utils(octets: bytes) -> None:
    assert keccak(octets) == eth_keccak(octets)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_hashed_as_utf_8(text: str) -> None:
    assert keccak_text(text) == keccak_unique_text(text) == eth_keccak(text.encode("utf-8"))
