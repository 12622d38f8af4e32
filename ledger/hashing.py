"""keccak-256, the one hash function of every format (not the same as SHA3-256).

The only module that imports the native library, so that it can be replaced in one place.
"""

from __future__ import annotations

from functools import lru_cache

from tiny_keccak import keccak256 as _keccak256

KECCAK_EMPTY = _keccak256(b"")
"""keccak-256 of no bytes."""


def keccak(data: bytes) -> bytes:
    """Return the 32 bytes of keccak-256 of `data` (Yellow Paper, section 3; not FIPS 202)."""
    return _keccak256(data)


@lru_cache(maxsize=65_536)
def keccak_text(text: str) -> bytes:
    """Return keccak-256 of the UTF-8 bytes of `text`. Cached: reasons and symbols repeat."""
    return _keccak256(text.encode())


def keccak_unique_text(text: str) -> bytes:
    """Return the same as `keccak_text`, of text that seldom repeats unless it is empty.

    Not cached: a miss costs more than the hash, and a cache full of memos holds 256 MB.
    """
    return _keccak256(text.encode()) if text else KECCAK_EMPTY
