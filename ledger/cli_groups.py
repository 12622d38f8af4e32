"""Commands that post several entries at once: group, reverse."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli_arguments import (
    dry_run_option,
    in_tokens,
    one_asset,
    post_one,
    read_id,
    show_done,
)
from ledger.console import (
    Database,
    database_option,
    entry_options,
    example,
    json_option,
)
from ledger.errors import FieldError, RefusedError, Rule
from ledger.group_files import MAX_BYTES, read_group
from ledger.model import ZERO_HASH
from ledger.requests import Reverse
from ledger.views import counted, entry_json, entry_line, posted_line

if TYPE_CHECKING:
    from ledger.ledger import Ledger
    from ledger.results import Asset, Entry, Receipt

_HELP = """Post all movements in the JSON file FILE (or -, standard input) together, or none.

\b
{"key": "order-17", "movements": [
  {"from_account": "alice", "to_account": "bob", "amount": "12.5",
   "reason": "order"},
  {"type": "mint", "to_account": "alice", "amount": "1"}
]}

They may be of several assets, each named by `asset`. Amounts are strings of whole tokens. A
movement is of type transfer, mint or burn, and may carry reason, reference_type, reference_id and
memo. Nothing else may be in the file.
"""


@click.command(
    help=_HELP,
    short_help="Post the movements in a JSON file, all or none.",
    epilog=example(
        "evm-ledger group order.json --dry-run", "evm-ledger group order.json --key order-17"
    ),
)
@click.argument("file", metavar="FILE")
@click.option("--key", default="", metavar="TEXT", help="Idempotency key, if FILE has none.")
@dry_run_option
@click.option("--asset", metavar="SYMBOL", help="Of the movements that name none.")
@database_option
@json_option
def group(
    *, file: str, key: str, dry_run: bool, asset: str | None, database: Database, as_json: bool
) -> None:
    """Post all movements in a file together, or none."""
    text = _content(file)
    with database.open() as ledger:
        item = read_group(
            text, key, lambda named: one_asset(ledger, asset if named is None else named)
        )
        symbols = {movement.asset for movement in item.movements}
        with in_tokens(ledger.asset(symbols.pop()) if len(symbols) == 1 else None):
            receipt = post_one(ledger, item, dry_run=dry_run)
        _show_receipt(ledger, receipt, dry_run=dry_run, as_json=as_json)


def _content(file: str) -> bytes:
    """Return what is in a file, or comes from standard input. Raises FieldError."""
    if file == "-":
        text = b"" if sys.stdin is None else sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        with Path(file).open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise FieldError("file", f"is over {MAX_BYTES:,} bytes, so it is no group")
    return text


@click.command(
    short_help="Undo an entry by a new one.",
    epilog=example(
        "evm-ledger reverse $ENTRY --amount 0.5 --reason refund",
        "evm-ledger reverse $ENTRY --group --dry-run",
    ),
)
@click.argument("entry_id")
@click.option("--amount", metavar="AMOUNT", help="A part of it.  [default: all of it]")
@click.option("--group", "whole_group", is_flag=True, help="Undo the whole group that it is of.")
@entry_options
@dry_run_option
@database_option
@json_option
def reverse(
    *,
    entry_id: str,
    amount: str | None,
    whole_group: bool,
    reason: str,
    key: str,
    dry_run: bool,
    database: Database,
    as_json: bool,
    **words: str,
) -> None:
    """Undo the entry ENTRY_ID by a new one in the other direction, which names it as its cause.

    Nothing is deleted. An entry is reversed at most once, and only while who got the amount still
    has it; one of a group only with the whole group. The reason is `reversal` if none is given.
    """
    wanted = read_id(entry_id, "entry")
    with database.open() as ledger:
        old = ledger.entry(wanted)
        asset = ledger.asset(old.asset)
        part = None if amount is None else asset.parse(amount)
        item = Reverse(
            wanted, part, whole_group, reason or "reversal", **words, idempotency_key=key
        )
        try:
            with in_tokens(None if whole_group else asset):
                receipt = post_one(ledger, item, dry_run=dry_run)
        except RefusedError as error:
            if error.rule != Rule.GROUP_WHOLE:
                raise
            advice = "the entry belongs to a group; reverse all of it with --group, or nothing"
            raise RefusedError(error.rule, advice) from None
        _show_receipt(ledger, receipt, dry_run=dry_run, as_json=as_json)


def _show_receipt(ledger: Ledger, receipt: Receipt, *, dry_run: bool, as_json: bool) -> None:
    """Show the entries that were posted together."""
    assets = {asset.symbol: asset for asset in ledger.assets()}
    first = receipt.entries[0]
    value: dict[str, object] = {
        "group": None if first.group == ZERO_HASH else str(first.group),
        "repeated": receipt.repeated,
        "entries": [entry_json(assets[entry.asset], entry) for entry in receipt.entries],
    }
    text = "\n".join(_lines(assets, receipt.entries, dry_run=dry_run))
    done = posted_line(first)
    if len(receipt.entries) > 1:
        entries = counted(len(receipt.entries), "entry", "entries")
        done = f"{'already ' if receipt.repeated else ''}posted: group {first.group} of {entries}"
    show_done(value, text, done=done, dry_run=dry_run, as_json=as_json)


def _lines(assets: dict[str, Asset], entries: tuple[Entry, ...], *, dry_run: bool) -> list[str]:
    """Return entries for people, a line each, and the group's if there are several."""
    lines = [entry_line(assets[entry.asset], entry, dry_run=dry_run) for entry in entries]
    if len(entries) > 1:
        name = "" if dry_run and not entries[0].repeated else f" {entries[0].group}"
        lines.append(f"group{name} of {len(entries)} entries")
    return lines
