"""Commands that read a whole ledger: supply and its figures, changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ledger.cli_arguments import one_asset, read_duration
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
from ledger.feed import MAX_CHANGES
from ledger.measures import format_ratio
from ledger.measuring import MAX_TOP
from ledger.views import (
    TOTALS,
    amount_json,
    change_json,
    change_row,
    figures_json,
    ratio_text,
    sum_text,
)
from ledger.views import counted as plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.measures import Distribution, Supply, Velocity
    from ledger.results import Asset

_TOP = 5
"""Holders that are named unless told otherwise."""


@click.command(
    short_help="Show the supply, and how it moves.",
    epilog=example("evm-ledger supply", "evm-ledger supply --window 30d --top 3"),
)
@click.option("--window", metavar="TIME", help="All figures, with the velocity of 24h, 30d, 4w.")
@click.option(
    "--top", type=click.IntRange(0, MAX_TOP), metavar="N",
    help=f"All figures, with the N largest holders.  [default: {_TOP}]",
)  # fmt: skip
@asset_option
@database_option
@json_option
def supply(
    *, window: str | None, top: int | None, asset: str | None, database: Database, as_json: bool
) -> None:
    """Show the supply: all that was minted less all burned.

    With --window or --top all figures: what was minted, burned, earned, spent and is held, how it
    is spread (Gini: 0 is evenly), and the velocity: what changed hands in the window, as a
    multiple of the supply. A window is of whole hours, and the hour under way counts.
    """
    span = None if window is None else read_duration(window, "window")
    with database.open() as ledger:
        counted = one_asset(ledger, asset)
        if window is None and top is None:
            total = ledger.get_total_supply(counted.symbol)
            value = {"asset": counted.symbol, "total_supply": amount_json(counted, total)}
            show(value, f"{counted.format(total)} {counted.symbol}", as_json=as_json)
            return
        velocity = None if span is None else ledger.velocity(counted.symbol, window=span)
        totals = ledger.supply(counted.symbol)
        spread = ledger.distribution(counted.symbol, top=_TOP if top is None else top)
    lines = "\n".join(_lines(counted, totals, spread, velocity, window))
    show(figures_json(counted, totals, spread, velocity, window), lines, as_json=as_json)


def _lines(
    asset: Asset,
    totals: Supply,
    spread: Distribution,
    velocity: Velocity | None,
    window: str | None,
) -> Iterator[str]:
    """Return all figures for people."""
    yield f"supply    {asset.format(totals.total)} {asset.symbol}"
    for name in TOTALS:
        yield f"{name:<8}  {sum_text(asset, getattr(totals, name))}"
    yield f"holders   {totals.holders}"
    yield f"gini      {ratio_text(spread.gini) or 'nobody has any'}"
    if velocity is not None:
        moved = f"{sum_text(asset, velocity.amount)} {asset.symbol}"
        times = ratio_text(velocity.ratio) or "no supply"
        transfers = plural(velocity.entries, "transfer")
        yield f"velocity  {times} in {window}: {transfers} of {moved}"
    for balance in spread.top:
        share = format_ratio(spread.share(balance) * 100, 2)
        yield f"holder    {balance.account_id}  {asset.format(balance.balance)}  {share} %"


@click.command(
    short_help="List what happened, from a cursor on.",
    epilog=example("evm-ledger changes", "evm-ledger changes --after $CURSOR --limit 500 --json"),
)
@click.option("--after", metavar="CURSOR", help="Go on where an earlier list ended.")
@click.option(
    "--limit", type=click.IntRange(1, MAX_CHANGES), default=100, show_default=True, metavar="N",
    help=f"At most N (1 .. {MAX_CHANGES:,}).",
)  # fmt: skip
@database_option
@json_option
def changes(*, after: str | None, limit: int, database: Database, as_json: bool) -> None:
    """List every entry, and every change of a hold, limit or account, each once and in order.

    The last line has the cursor to go on with, now or later; with --json it is an object of
    `changes`, `cursor` and `more`. Keep the cursor together with what you did with the list.
    """
    with database.open() as ledger:
        page = ledger.changes_page(after, limit)
        assets = {asset.symbol: asset for asset in ledger.assets()}
    if as_json:
        listed = [change_json(assets.get(change.asset), change) for change in page.changes]
        show({"changes": listed, "cursor": page.cursor, "more": page.more}, "", as_json=True)
        return
    show_rows(
        page.changes,
        ("time", "asset", "what", "account", "details"),
        row=lambda change: change_row(assets.get(change.asset), change),
        value=lambda change: change_json(assets.get(change.asset), change),
        none="nothing new",
        as_json=False,
    )
    say(f"{'more' if page.more else 'later'}: --after {page.cursor}")
