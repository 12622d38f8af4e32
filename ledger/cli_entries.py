"""Commands that post and read: mint, burn, transfer, balance, statement, supply, seal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.cli_setup import one_asset
from ledger.console import (
    Database,
    asset_option,
    database_option,
    entry_options,
    example,
    json_option,
    progress,
    show,
    show_rows,
)
from ledger.errors import FieldError, RefusedError, Rule
from ledger.ledger import Ledger
from ledger.times import parse_moment
from ledger.views import (
    amount_json,
    balance_json,
    entry_json,
    entry_line,
    posted_line,
    seal_line,
    sealed_json,
    statement_row,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ledger.results import Asset, Entry


@click.command(
    epilog=example("evm-ledger mint alice 250 --reason mint:grant"),
)
@click.argument("account_id")
@click.argument("amount")
@entry_options
@asset_option
@database_option
@json_option
def mint(*, account_id: str, amount: str, database: Database, **options: Any) -> None:  # noqa: ANN401 (click passes options by name)
    """Create AMOUNT tokens for ACCOUNT_ID."""
    options["reason"] = options["reason"] or "mint"
    _post(database, Ledger.mint, (account_id,), amount, options)


@click.command(epilog=example("evm-ledger burn alice 10 --reason burn:penalty"))
@click.argument("account_id")
@click.argument("amount")
@entry_options
@asset_option
@database_option
@json_option
def burn(*, account_id: str, amount: str, database: Database, **options: Any) -> None:  # noqa: ANN401 (click passes options by name)
    """Destroy AMOUNT tokens of ACCOUNT_ID."""
    options["reason"] = options["reason"] or "burn"
    _post(database, Ledger.burn, (account_id,), amount, options)


@click.command(
    short_help="Move AMOUNT tokens between accounts.",
    epilog=example("evm-ledger transfer alice bob 12.5 --reason earn:debate --key debate-17"),
)
@click.argument("from_account")
@click.argument("to_account")
@click.argument("amount")
@entry_options
@asset_option
@database_option
@json_option
def transfer(
    *,
    from_account: str,
    to_account: str,
    amount: str,
    database: Database,
    **options: Any,  # noqa: ANN401 (click passes options by name)
) -> None:
    """Move AMOUNT tokens from FROM_ACCOUNT to TO_ACCOUNT."""
    _post(database, Ledger.transfer, (from_account, to_account), amount, options)


def _post(
    database: Database,
    post: Callable[..., Entry],
    accounts: tuple[str, ...],
    amount: str,
    options: dict[str, Any],
) -> None:
    """Post one entry, by a method of Ledger, and show it."""
    with database.open() as ledger:
        asset = one_asset(ledger, options["asset"])
        try:
            entry = post(
                ledger,
                *accounts,
                asset.parse(amount),
                asset=asset.symbol,
                reason=options["reason"],
                reference_type=options["reference_type"],
                reference_id=options["reference_id"],
                memo=options["memo"],
                idempotency_key=options["key"],
            )
        except RefusedError as error:
            raise _in_tokens(error, ledger, asset, accounts[0], amount) from None
        show(
            entry_json(asset, entry),
            entry_line(asset, entry),
            as_json=options["as_json"],
            done=posted_line(entry),
        )


def _in_tokens(
    error: RefusedError, ledger: Ledger, asset: Asset, payer: str, amount: str
) -> RefusedError:
    """Return the refusal of an overdraft in whole tokens, as this command line speaks."""
    if error.rule != Rule.INSUFFICIENT_AVAILABLE:
        return error
    available = asset.format(ledger.balance(payer, asset.symbol).available)
    return RefusedError(
        error.rule, f"{payer!r} has {available} {asset.symbol} available, {amount} are asked"
    )


@click.command(epilog=example("evm-ledger balance alice"))
@click.argument("account_id")
@asset_option
@database_option
@json_option
def balance(*, account_id: str, asset: str | None, database: Database, as_json: bool) -> None:
    """Show what ACCOUNT_ID has."""
    with database.open() as ledger:
        counted = one_asset(ledger, asset)
        found = ledger.balance(account_id, counted.symbol)
        text = f"{counted.format(found.balance)} {counted.symbol}"
        show(balance_json(counted, found), text, as_json=as_json)


@click.command(
    short_help="List the entries of ACCOUNT_ID.",
    epilog=example("evm-ledger statement alice --since 2026-01-31T12:00:00Z"),
)
@click.argument("account_id")
@click.option("--since", metavar="TIME", help="From this instant on: 2026-01-31T12:00:00Z.")
@asset_option
@database_option
@json_option
def statement(
    *, account_id: str, since: str | None, asset: str | None, database: Database, as_json: bool
) -> None:
    """List the entries of ACCOUNT_ID, oldest first, with the balance after each."""
    with database.open() as ledger:
        counted = one_asset(ledger, asset)
        own = ledger.account(account_id).account_id

        def row(entry: Entry) -> tuple[str, ...]:
            return statement_row(counted, own, entry)

        show_rows(
            ledger.statement(own, None if since is None else _moment(since), counted.symbol),
            ("time", "seq", "amount", "balance", "with", "reason"),
            row=row,
            value=lambda entry: entry_json(counted, entry),
            none="no entries",
            as_json=as_json,
        )


def _moment(text: str) -> datetime:
    """Return the instant that `text` names. Raises FieldError."""
    try:
        return parse_moment(text)
    except FieldError:
        advice = f"{text!r} is no instant with its offset, like 2026-01-31T12:00:00Z"
        raise FieldError("since", advice) from None


@click.command(epilog=example("evm-ledger supply"))
@asset_option
@database_option
@json_option
def supply(*, asset: str | None, database: Database, as_json: bool) -> None:
    """Show the supply: all that was minted less all burned."""
    with database.open() as ledger:
        counted = one_asset(ledger, asset)
        total = ledger.get_total_supply(counted.symbol)
        value = {"asset": counted.symbol, "total_supply": amount_json(counted, total)}
        show(value, f"{counted.format(total)} {counted.symbol}", as_json=as_json)


@click.command(short_help="Seal every entry that waits.", epilog=example("evm-ledger seal"))
@database_option
@json_option
def seal(*, database: Database, as_json: bool) -> None:
    """Seal every entry that waits: cut batches for the chain, at most 4,000 entries each."""
    with database.open() as ledger:
        made = []
        with progress("seal", None) as advance:
            while sealed := ledger.seal():
                made.append(sealed)
                advance(sum(batch.batch.size for batch in sealed.batches))
        text = "\n".join(map(seal_line, made)) or "nothing to seal: every entry is in a batch"
        done = f"sealed: up to {seal_line(made[-1])}" if made else text
        show([sealed_json(sealed) for sealed in made], text, as_json=as_json, done=done)
