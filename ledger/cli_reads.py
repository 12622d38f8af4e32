"""Commands that read an account: balance, statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.addresses import normalize_account_id
from ledger.amounts import MAX_AMOUNT
from ledger.cli_arguments import one_asset, read_moment
from ledger.console import (
    Database,
    asset_option,
    database_option,
    example,
    json_option,
    say,
    show,
    show_rows,
)
from ledger.statements import MAX_PAGE, Filters, StatementPage
from ledger.views import amount_json, balance_json, entry_json, statement_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ledger.ledger import Ledger
    from ledger.results import Entry


@click.command(
    short_help="Show what ACCOUNT_ID has, or had.",
    epilog=example(
        "evm-ledger balance alice",
        "evm-ledger balance alice --at 1",
        "evm-ledger balance alice --at 2100-01-31T12:00:00Z",
    ),
)
@click.argument("account_id")
@click.option("--at", metavar="SEQ|TIME", help="As it was after that entry, or at that instant.")
@asset_option
@database_option
@json_option
def balance(
    *, account_id: str, at: str | None, asset: str | None, database: Database, as_json: bool
) -> None:
    """Show what ACCOUNT_ID has, or had after the entry SEQ of the asset's journal or at TIME."""
    with database.open() as ledger:
        counted = one_asset(ledger, asset)
        found = ledger.balance(account_id, counted.symbol)
        if at is None:
            text = f"{counted.format(found.balance)} {counted.symbol}"
            show(balance_json(counted, found), text, as_json=as_json)
            return
        then = ledger.balance_at(found.account_id, _at(at), counted.symbol)
        value = {
            "asset": counted.symbol,
            "account_id": found.account_id,
            "at": at,
            "balance": amount_json(counted, then),
        }
        show(value, f"{counted.format(then)} {counted.symbol}", as_json=as_json)


def _at(text: str) -> int | datetime:
    """Return a seq or an instant. Raises FieldError."""
    if text.isascii() and text.isdigit():
        return int(text) if len(text) < len(str(MAX_AMOUNT)) else MAX_AMOUNT
    return read_moment(text, "at")


@click.command(
    short_help="List the entries of ACCOUNT_ID.",
    epilog=example(
        "evm-ledger statement alice --since 2026-01-31T12:00:00Z",
        "evm-ledger statement alice --newest-first --limit 10",
        "evm-ledger statement alice --reason-prefix earn: --counterparty bob",
    ),
)
@click.argument("account_id")
@click.option("--since", metavar="TIME", help="From this instant on: 2026-01-31T12:00:00Z.")
@click.option("--until", metavar="TIME", help="Before this instant.")
@click.option("--reason-prefix", metavar="TEXT", help="Whose reason begins so.")
@click.option("--reference-type", metavar="TEXT", help="Which belong to such things.")
@click.option("--reference-id", metavar="TEXT", help="Which belong to this one.")
@click.option("--counterparty", metavar="ACCOUNT", help="With this account on the other side.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest.")
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_PAGE),
    metavar="N",
    help=f"At most N (1 .. {MAX_PAGE:,}), and where to go on.",
)
@click.option("--cursor", metavar="TEXT", help="Go on where a list with --limit ended.")
@asset_option
@database_option
@json_option
def statement(
    *,
    account_id: str,
    since: str | None,
    until: str | None,
    counterparty: str | None,
    newest_first: bool,
    limit: int | None,
    cursor: str | None,
    asset: str | None,
    database: Database,
    as_json: bool,
    **words: str | None,
) -> None:
    """List the entries of ACCOUNT_ID, oldest first, with the balance after each.

    With --limit the last line has the --cursor of the next ones (if there may be any), for the
    same options; with --json it is an object then, of `entries` and `cursor`.
    """
    other = None if counterparty is None else normalize_account_id(counterparty, "counterparty")
    filters = Filters(
        None if since is None else read_moment(since, "since"),
        None if until is None else read_moment(until, "until"),
        counterparty=other,
        **words,
    )
    with database.open() as ledger:
        counted = one_asset(ledger, asset)
        own = ledger.account(account_id).account_id
        listed = _Statement(ledger, own, counted.symbol, newest_first=newest_first, filters=filters)
        page = None if limit is None else listed.page(cursor, limit)
        if page is not None and as_json:
            entries = [entry_json(counted, entry) for entry in page.entries]
            show({"entries": entries, "cursor": page.cursor}, "", as_json=True)
            return
        show_rows(
            listed.all(cursor) if page is None else page.entries,
            ("time", "seq", "amount", "balance", "with", "reason"),
            row=lambda entry: statement_row(counted, own, entry),
            value=lambda entry: entry_json(counted, entry),
            none="no entries",
            as_json=as_json,
        )
        if page is not None and page.cursor is not None:
            say(f"more: --cursor {page.cursor}")


class _Statement:
    """What a statement lists: the entries of an account that the filters let through."""

    def __init__(self, ledger: Ledger, own: str, symbol: str, **options: Any) -> None:  # noqa: ANN401 (statement_page checks them)
        self._ledger = ledger
        self._own = own
        self._symbol = symbol
        self._options = options

    def page(self, cursor: str | None, limit: int) -> StatementPage:
        """Return at most `limit` entries, and fewer only at the end."""
        found: list[Entry] = []
        while True:
            page = self._ledger.statement_page(
                self._own,
                asset=self._symbol,
                cursor=cursor,
                limit=limit - len(found),
                **self._options,
            )
            found += page.entries
            cursor = page.cursor
            if cursor is None or len(found) == limit:
                return StatementPage(tuple(found), cursor)

    def all(self, cursor: str | None) -> Iterator[Entry]:
        """Return every entry from `cursor` on, read page by page."""
        while True:
            page = self.page(cursor, MAX_PAGE)
            yield from page.entries
            if (cursor := page.cursor) is None:
                return
