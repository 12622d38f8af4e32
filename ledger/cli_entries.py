"""Commands that post entries one at a time, and seal them: mint, burn, transfer, seal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.cli_arguments import dry_run_option, in_tokens, one_asset, show_done
from ledger.console import (
    Database,
    asset_option,
    database_option,
    entry_options,
    example,
    json_option,
    progress,
    show,
)
from ledger.ledger import Ledger
from ledger.views import entry_json, entry_line, posted_line, seal_line, sealed_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.results import Entry


@click.command(
    epilog=example("evm-ledger mint alice 250 --reason mint:grant"),
)
@click.argument("account_id")
@click.argument("amount")
@entry_options
@dry_run_option
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
@dry_run_option
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
@dry_run_option
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
        with in_tokens(asset):
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
                dry_run=options["dry_run"],
            )
        show_done(
            entry_json(asset, entry),
            entry_line(asset, entry, dry_run=options["dry_run"]),
            done=posted_line(entry),
            dry_run=options["dry_run"],
            as_json=options["as_json"],
        )


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
