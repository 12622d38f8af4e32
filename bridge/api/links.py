"""Where things are in the explorer, and the links to the other pages of a list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from ledger import Hash32

PAGE: Final = 25
"""Rows of a list that a page shows."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""Ids that every browser and proxy leaves as they are in a path."""


def url(path: str, **query: object) -> str:
    """Return a path of ours with what is asked of it; what is None is left out."""
    given = {name: str(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, quote_via=quote, safe='')}" if given else path


def account_url(account_id: str, **query: object) -> str:
    """Return where an account's page is.

    Browsers take `.` and `..` for steps in a path, encoded or not, and what is between may rewrite
    slashes and percent signs: such an id is asked for as `?id=`, where nobody touches it.
    """
    if _PLAIN.fullmatch(account_id):
        return url(f"/account/{account_id}", **query)
    return url("/account", id=account_id, **query)


def entry_url(entry_id: Hash32) -> str:
    """Return where an entry's page is."""
    return f"/entry/{entry_id}"


def hold_url(hold_id: Hash32) -> str:
    """Return where a hold's page is."""
    return f"/hold/{hold_id}"


def batch_url(number: int, symbol: str, **query: object) -> str:
    """Return where a batch's page is."""
    return url(f"/batch/{number}", asset=symbol, **query)


def seal_url(number: int) -> str:
    """Return where a seal's page is."""
    return f"/seal/{number}"


class Pager(NamedTuple):
    """Where a page is in its list, and links to the others; None where there is none."""

    position: str
    first: str | None = None
    previous: str | None = None
    following: str | None = None
    last: str | None = None


class Span(NamedTuple):
    """The numbers that a page shows, both included; empty if `first` is above `last`."""

    first: int
    last: int
    pager: Pager


def newest_first(path: str, highest: int, at: int | None, **query: object) -> Span:
    """Return the page of a list of 1 .. `highest` that begins at `at` and goes down."""
    top = highest if at is None else max(1, min(at, highest))
    low = max(1, top - PAGE + 1)

    def to(start: int) -> str:
        return url(path, **query, at=None if start >= highest else start)

    pager = Pager(
        f"{top:,} to {low:,} of {highest:,}" if highest else "",
        first=to(highest) if top < highest else None,
        previous=to(top + PAGE) if top < highest else None,
        following=to(low - 1) if low > 1 else None,
        last=to(min(PAGE, highest)) if low > 1 else None,
    )
    return Span(low, top, pager)


def oldest_first(path: str, lowest: int, highest: int, at: int | None, **query: object) -> Span:
    """Return the page of a list of `lowest` .. `highest` that begins at `at` and goes up."""
    low = lowest if at is None else max(lowest, min(at, highest))
    top = min(highest, low + PAGE - 1)

    def to(start: int) -> str:
        return url(path, **query, at=None if start <= lowest else start)

    whole = f"{highest:,}" if lowest == 1 else f"{lowest:,} to {highest:,}"
    pager = Pager(
        f"{low:,} to {top:,} of {whole}" if highest >= lowest else "",
        first=to(lowest) if low > lowest else None,
        previous=to(low - PAGE) if low > lowest else None,
        following=to(top + 1) if top < highest else None,
        last=to(highest - PAGE + 1) if top < highest else None,
    )
    return Span(low, top, pager)
