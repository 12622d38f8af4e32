"""Opaque cursors: where a statement goes on. Stable, because a seq never changes. Values only."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple

from ledger.amounts import check_uint
from ledger.errors import FieldError
from ledger.hashing import keccak

if TYPE_CHECKING:
    from ledger.model import Hash32

_VERSION = 1
_SIZE = 18
_TAG = 8
_BITS = 62
"""Of every seq that a journal can have: within what both databases compare."""


class Cursor(NamedTuple):
    """The last seq that was examined, and in which direction."""

    seq: int
    newest_first: bool


def format_cursor(cursor: Cursor, asset: Hash32, account_id: str) -> str:
    """Return `cursor` as text for URLs, bound to one asset's statement of one account."""
    data = (
        bytes([_VERSION, cursor.newest_first])
        + cursor.seq.to_bytes(8, "big")
        + _tag(asset, account_id)
    )
    return base64.urlsafe_b64encode(data).decode()


def parse_cursor(text: str, asset: Hash32, account_id: str, *, newest_first: bool) -> Cursor:
    """Return the cursor that `format_cursor` wrote for the same statement.

    Raises:
        FieldError: the text is no cursor, or of another statement or direction.
    """
    if type(text) is not str:
        raise FieldError("cursor", f"must be text, not {type(text).__name__}")
    try:
        data = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != _SIZE or data[0] != _VERSION or data[1] > 1:
        raise FieldError("cursor", "is none that this ledger gave; start without one")
    if data[10:] != _tag(asset, account_id) or bool(data[1]) != newest_first:
        raise FieldError("cursor", "is of another statement; start without one")
    seq = check_uint(int.from_bytes(data[2:10], "big"), _BITS, "cursor")
    return Cursor(seq, newest_first)


def _tag(asset: Hash32, account_id: str) -> bytes:
    """Return what tells the cursors of one statement from those of another."""
    return keccak(asset + account_id.encode())[:_TAG]
