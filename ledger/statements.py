"""Statements in pages: both directions, filters, and what a balance was. Changes nothing.

Debit and credit side are each read by their own index and put together, never with OR, which
would read the whole journal. A page examines a bounded number of entries, so that a filter that
never matches takes no longer than one that always does: a short page with a cursor means "go on".

Whatever the database believes about its rows, it has no other way: the pair (account, seq) is an
order that only one index has, and filters look at what that index gave (a LIMIT between them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger import store
from ledger.dialects import dialect_of
from ledger.errors import FieldError
from ledger.reads import first_seq_since
from ledger.texts import after_prefix, check_text
from ledger.times import microseconds

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from ledger.results import Asset, Entry

MAX_PAGE = 1_000
"""Entries in a page."""

MAX_EXAMINED = 5_000
"""Entries of each side that a page looks at."""

_SIDES = {"from_account": "to_account", "to_account": "from_account"}
"""Each side's column, and the column of the other."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries of an account a statement shows; what is None shows all.

    Raises:
        FieldError: naming the field.
    """

    since: datetime | None = None
    """At or after this moment."""
    until: datetime | None = None
    """Before this moment."""
    reason_prefix: str | None = None
    reference_type: str | None = None
    reference_id: str | None = None
    counterparty: str | None = None
    """The account on the other side."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("since", "until"):
            moment = getattr(self, name)
            if moment is not None:
                microseconds(moment, name)
        for name in ("reason_prefix", "reference_type", "reference_id", "counterparty"):
            if getattr(self, name) is not None:
                check_text(getattr(self, name), name)

    def condition(self, other: str) -> tuple[str, list[str]]:
        """Return the SQL condition on an entry `e` and its values; `other` is a column."""
        pairs: list[tuple[str, str | None]] = [
            ("e.reference_type = ?", self.reference_type),
            ("e.reference_id = ?", self.reference_id),
            (f"e.{other} = ?", self.counterparty),
        ]
        if self.reason_prefix:
            pairs += [
                ("e.reason >= ?", self.reason_prefix),
                ("e.reason < ?", after_prefix(self.reason_prefix)),
            ]
        wanted = [(sql, value) for sql, value in pairs if value is not None]
        return "".join(f" AND {sql}" for sql, _ in wanted), [value for _, value in wanted]


@dataclass(frozen=True, slots=True)
class StatementPage:
    """A page of a statement."""

    entries: tuple[Entry, ...]
    cursor: str | None
    """Where the next page begins; None after the last. A short page may have one: go on."""


@dataclass(frozen=True, slots=True)
class Span:
    """The seqs that a page may show, and in which order."""

    first: int
    last: int
    newest_first: bool

    @property
    def order(self) -> str:
        """The direction, in SQL."""
        return "DESC" if self.newest_first else "ASC"

    def cut_at(self, examined: int) -> Span:
        """Return the part up to the last seq that was examined."""
        if self.newest_first:
            return Span(examined, self.last, newest_first=True)
        return Span(self.first, examined, newest_first=False)

    def after(self, seq: int) -> Span:
        """Return the part that follows `seq`."""
        if self.newest_first:
            return Span(self.first, seq - 1, newest_first=True)
        return Span(seq + 1, self.last, newest_first=False)

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return self.first > self.last


def span_of(
    connection: Connection, asset: Asset, filters: Filters, last: int, *, newest_first: bool
) -> Span:
    """Return the seqs from `since` up to `until`: times become seqs by bisection."""
    first = 1
    if filters.since is not None:
        first = first_seq_since(connection, asset, last, microseconds(filters.since))
    if filters.until is not None:
        last = first_seq_since(connection, asset, last, microseconds(filters.until)) - 1
    return Span(first, last, newest_first)


def read_page(
    connection: Connection,
    asset: Asset,
    pepper: bytes | None,
    account_id: str,
    *,
    span: Span,
    filters: Filters,
    limit: int,
) -> tuple[list[Entry], int | None]:
    """Return at most `limit` entries of an account in `span`, and the seq to go on after.

    The seq is None when nothing is left in the span.
    """
    if span.empty:
        return [], None
    condition, _ = filters.condition("to_account")
    bound = _examined(connection, asset, account_id, span) if condition else None
    part = span if bound is None else span.cut_at(bound)
    found = {
        seq
        for side in _SIDES
        for seq in _matching(
            connection, asset, account_id, side, span=part, filters=filters, most=limit + 1
        )
    }
    ordered = sorted(found, reverse=span.newest_first)
    shown = store.entries_at(connection, asset, pepper, ordered[:limit]) if ordered else []
    if span.newest_first:
        shown.reverse()
    return shown, ordered[limit - 1] if len(ordered) > limit else bound


def _matching(
    connection: Connection,
    asset: Asset,
    account_id: str,
    side: str,
    *,
    span: Span,
    filters: Filters,
    most: int,
) -> list[int]:
    """Return the first seqs in `span` where `account_id` is on `side` and the filters match."""
    other = _SIDES[side]
    condition, values = filters.condition(other)
    order = _order(side, span)
    columns = f"seq, {side}, {other}, reason, reference_type, reference_id"
    sql = (
        f"SELECT e.seq FROM (SELECT {columns} {_walk(side, span)} LIMIT ?) AS e "  # noqa: S608 (our own names)
        f"WHERE TRUE{condition} {order} LIMIT ?"
    )
    looked_at = MAX_EXAMINED if condition else most
    walked = (asset.number, account_id, span.first, account_id, span.last)
    rows = dialect_of(connection).rows(connection, sql, *walked, looked_at, *values, most)
    return [int(row[0]) for row in rows]


def _order(side: str, span: Span) -> str:
    """Return the order in which a page shows entries, as the index of `side` has it."""
    return f"ORDER BY {side} {span.order}, seq {span.order}"


def _walk(side: str, span: Span) -> str:
    """Return the rest of a query for what an account has on `side` in a span, in its order.

    Its values are the asset, the account and the first seq, the account and the last.
    """
    between = f"({side}, seq) BETWEEN (?, ?) AND (?, ?)"
    return f"FROM token_ledger WHERE asset = ? AND {between} {_order(side, span)}"


def _examined(connection: Connection, asset: Asset, account_id: str, span: Span) -> int | None:
    """Return the seq up to which a page may look; None if it may look at all of `span`."""
    dialect = dialect_of(connection)
    bounds = []
    for side in _SIDES:
        sql = f"SELECT seq {_walk(side, span)} LIMIT 1 OFFSET ?"
        walked = (asset.number, account_id, span.first, account_id, span.last)
        rows = dialect.rows(connection, sql, *walked, MAX_EXAMINED - 1)
        bounds += [row[0] for row in rows]
    if not bounds:
        return None
    return int(max(bounds) if span.newest_first else min(bounds))


def balance_after(connection: Connection, asset: Asset, account_id: str, seq: int) -> int:
    """Return what an account had of `asset` right after entry `seq`: 0 before its first."""
    dialect = dialect_of(connection)
    latest = (0, 0)
    for side in _SIDES:
        after = side.replace("_account", "")
        sql = (
            f"SELECT seq, balance_after_{after} FROM token_ledger WHERE asset = ? "  # noqa: S608 (our own names)
            f"AND ({side}, seq) BETWEEN (?, 0) AND (?, ?) ORDER BY {side} DESC, seq DESC LIMIT 1"
        )
        for row in dialect.rows(connection, sql, asset.number, account_id, account_id, seq):
            latest = max(latest, (int(row[0]), dialect.to_amount(row[1])))
    return latest[1]


def check_limit(limit: object) -> int:
    """Return `limit` if a page may have so many entries. Raises FieldError."""
    if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
        raise FieldError("limit", f"must be an int of 1 .. {MAX_PAGE}")
    return limit
