"""Opaque cursors of lists: where a list goes on, bound to the list that gave it."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, TypeVar

from bridge.api.nesting import is_deep
from ledger.errors import FieldError
from ledger.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T", str, int)

_TAG = 8
_MOST = 2**62 - 1


def write_cursor(of: Sequence[object], position: str | int) -> str:
    """Return the cursor of the list `of` (its name and what it was asked for) after `position`."""
    body = json.dumps(position).encode()
    return base64.urlsafe_b64encode(_tag(of, body) + body).decode().rstrip("=")


def read_cursor(of: Sequence[object], text: str | None, kind: type[T]) -> T | None:
    """Return the position in a cursor of the same list; None without one.

    Raises:
        FieldError: the text is no cursor, or one of another list.
    """
    if text is None:
        return None
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    tag, body = data[:_TAG], data[_TAG:]
    if tag != _tag(of, body) or is_deep(body):
        raise FieldError("cursor", "is none that this list gave; start without one")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if type(found) is not kind or (isinstance(found, int) and not 0 <= found < _MOST):
        raise FieldError("cursor", "is none that this list gave; start without one")
    return found


def _tag(of: Sequence[object], body: bytes) -> bytes:
    """Return what tells the cursors of one list from those of another."""
    return keccak(json.dumps([*of]).encode() + b"\0" + body)[:_TAG]
