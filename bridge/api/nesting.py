"""How deep JSON of others is, before it is parsed: the parser recurses, on a stack that ends.

Python's own limit does not help where a library has raised it for the whole process, as py_ecc
does, which eth-account imports: then nested JSON would end the process (Python 3.11).
"""

from __future__ import annotations

import re
from typing import Final

DEEPEST: Final = 64
"""Levels; no request of the API has more than five."""

_TEXT: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A string of JSON, or what is left of one: each byte is looked at once."""
_OTHERS: Final = bytes(set(range(256)) - set(b"[]{}"))


def is_deep(content: bytes) -> bool:
    """Tell whether JSON is nested deeper than `DEEPEST`; so is what never closes what it opened.

    What has a NUL is no JSON in UTF-8, but may be some in UTF-16, where brackets look otherwise: it
    counts as deep.
    """
    if b"\0" in content:
        return True
    if content.count(b"[") + content.count(b"{") <= DEEPEST:
        return False
    left = _TEXT.sub(b"", content).translate(None, _OTHERS)
    for _ in range(DEEPEST):
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    return bool(left)
