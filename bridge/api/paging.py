"""Pages of lists that have no numbers without gaps: what is shown, and where the others begin.

Each link says where its page begins, so a page stays what it is while the list grows.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from bridge.api.links import PAGE, Pager, account_url, url
from bridge.api.lists import MOST, accounts_until, holds_from, holds_until
from ledger.cursors import Cursor, format_cursor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger import Account, Asset, Entry, Hold, Ledger


def statement(
    ledger: Ledger, asset: Asset, own: Account, at: int | None
) -> tuple[Sequence[Entry], Pager]:
    """Return an account's entries from seq `at` down, and where the other pages are."""

    def read(seq: int | None, *, newest_first: bool) -> tuple[Sequence[Entry], bool]:
        cursor = None
        if seq is not None:
            cursor = format_cursor(Cursor(seq, newest_first), asset.id, own.account_id)
        page = ledger.statement_page(
            own.account_id,
            asset=asset.symbol,
            cursor=cursor,
            limit=PAGE,
            newest_first=newest_first,
        )
        return page.entries, page.cursor is not None

    def to(seq: int | None) -> str:
        return account_url(own.account_id, asset=asset.symbol, at=seq)

    head = ledger.head(asset.symbol).seq
    shown, has_more = read(None if at is None or at >= head else at + 1, newest_first=True)
    if not shown:
        return shown, Pager("", first=None if at is None else to(None))
    newer, has_newer = read(shown[0].seq, newest_first=False)
    following = last = None
    if has_more:
        following = to(shown[-1].seq - 1)
        last = to(read(None, newest_first=False)[0][-1].seq)
    pager = Pager(
        f"entries {shown[0].seq:,} to {shown[-1].seq:,}",
        first=to(None) if newer else None,
        previous=to(newer[-1].seq if has_newer else None) if newer else None,
        following=following,
        last=last,
    )
    return shown, pager


def account_pager(
    ledger: Ledger, ids: Sequence[str], prefix: str, after: str, symbol: str | None
) -> Pager:
    """Return where a page of accounts is: `ids` are its own, and one more if there is a next."""

    def to(start: str | None) -> str:
        return url("/accounts", asset=symbol, prefix=prefix or None, after=start or None)

    if not ids:
        return Pager("", first=to(None) if after else None)
    before = accounts_until(ledger, prefix, ids[0], PAGE + 2)[1:]
    shown, has_more = ids[:PAGE], len(ids) > PAGE
    previous = first = last = None
    if before:
        first, previous = to(None), to(before[PAGE] if len(before) > PAGE else None)
    if has_more:
        last = to(accounts_until(ledger, prefix, None, PAGE + 1)[-1])
    return Pager(
        f"{shown[0]} to {shown[-1]}", first, previous, to(shown[-1]) if has_more else None, last
    )


def holds_page(
    ledger: Ledger, asset: Asset, account_id: str | None, at: int | None
) -> tuple[Sequence[Hold], Pager]:
    """Return the holds from number `at` down: an account's, or all of an asset."""

    def to(number: int | None) -> str:
        return url("/holds", asset=asset.symbol, account=account_id, at=number)

    numbers = holds_until(ledger, asset, account_id, at or MOST - 1, PAGE + 1)
    shown, more = numbers[:PAGE], numbers[PAGE:]
    if not shown:
        return (), Pager("", first=None if at is None else to(None))
    newer = holds_from(ledger, asset, account_id, shown[0] + 1, PAGE + 1)
    previous = first = last = None
    if newer:
        first, previous = to(None), to(newer[PAGE - 1] if len(newer) > PAGE else None)
    if more:
        last = to(holds_from(ledger, asset, account_id, 1, PAGE)[-1])
    found = ledger.holds(account_id, asset.symbol, after=shown[-1] - 1)
    holds = [*islice(found, len(shown))][::-1]
    position = f"numbers {shown[0]:,} to {shown[-1]:,}"
    return holds, Pager(position, first, previous, to(more[0]) if more else None, last)
