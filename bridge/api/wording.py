"""How values are written on pages: shorter, in groups of digits, or as how long ago."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Final

from ledger.views import time_text

_AGES: Final = (
    (365 * 86_400, "year"),
    (86_400, "day"),
    (3_600, "hour"),
    (60, "minute"),
    (1, "second"),
)
"""Seconds of what people count in, the longest first."""


def short(value: object) -> str:
    """Return the beginning and the end of a hash."""
    text = str(value)
    return f"{text[:10]}…{text[-6:]}"


def named(name: str) -> str:
    """Return a name as it is, in quotes if nothing of it could be seen."""
    is_seen = any(unicodedata.category(character)[0] not in "CZ" for character in name)
    return name if is_seen else f"“{name}”"


def grouped(amount: object) -> str:
    """Return a decimal number with commas between thousands; its fraction stays as it is."""
    whole, dot, fraction = str(amount).partition(".")
    sign = whole[: len(whole) - len(whole.lstrip("+-"))]
    return f"{sign}{int(whole.lstrip('+-')):,}{dot}{fraction}"


def percent(share: str) -> str:
    """Return a share of 0 .. 1, as text, in percent: with two places less."""
    return f"{Decimal(share).scaleb(2):f}%"


def moment(at: int) -> str:
    """Return microseconds UTC as people read them, to the second."""
    return time_text(at)[:19].replace("T", " ") + " UTC"


def iso(at: int) -> str:
    """Return microseconds UTC as ISO 8601 has them, whole."""
    return time_text(at)


def ago(at: int, now: int) -> str:
    """Return how long before `now` something was (both in microseconds); "" if it is ahead."""
    seconds = (now - at) // 1_000_000
    if seconds < 0:
        return ""
    for size, name in _AGES:
        if seconds >= size:
            count = seconds // size
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
