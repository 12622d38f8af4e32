"""Commands that change what may be posted to an account: freeze, close, reopen, limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from ledger.cli_arguments import dry_run_option, one_asset, show_done
from ledger.console import (
    Database,
    asset_option,
    database_option,
    example,
    json_option,
)
from ledger.errors import FieldError, RefusedError, Rule
from ledger.ledger import Ledger
from ledger.views import account_json, limit_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.results import Account, Asset

ANY: Final = "any"
"""What stands for no limit."""


@click.command(
    "freeze",
    short_help="Let nothing leave ACCOUNT_ID.",
    epilog=example("evm-ledger account freeze bob --dry-run", "evm-ledger account freeze bob"),
)
@click.argument("account_id")
@dry_run_option
@database_option
@json_option
def freeze(*, account_id: str, dry_run: bool, database: Database, as_json: bool) -> None:
    """Let nothing leave ACCOUNT_ID, of any asset; what is paid to it arrives.

    Its pending holds stay, and can be voided; they can be posted when it is open again.
    """
    _change(Ledger.freeze_account, account_id, dry_run=dry_run, database=database, as_json=as_json)


@click.command(
    "close",
    short_help="Let nothing be posted to ACCOUNT_ID.",
    epilog=example("evm-ledger account close bob"),
)
@click.argument("account_id")
@dry_run_option
@database_option
@json_option
def close(*, account_id: str, dry_run: bool, database: Database, as_json: bool) -> None:
    """Let nothing be posted to ACCOUNT_ID any more. It must have nothing of any asset."""
    _change(Ledger.close_account, account_id, dry_run=dry_run, database=database, as_json=as_json)


@click.command(
    "reopen",
    short_help="Open ACCOUNT_ID again, frozen or closed.",
    epilog=example("evm-ledger account reopen bob"),
)
@click.argument("account_id")
@dry_run_option
@database_option
@json_option
def reopen(*, account_id: str, dry_run: bool, database: Database, as_json: bool) -> None:
    """Open ACCOUNT_ID again, whether it was frozen or closed."""
    _change(Ledger.reopen_account, account_id, dry_run=dry_run, database=database, as_json=as_json)


def _change(
    change: Callable[..., Account],
    account_id: str,
    *,
    dry_run: bool,
    database: Database,
    as_json: bool,
) -> None:
    """Change the status of an account, by a method of Ledger, and show it."""
    with database.open() as ledger:
        try:
            account = change(ledger, account_id, dry_run=dry_run)
        except RefusedError as error:
            if error.rule == Rule.ACCOUNT_NOT_EMPTY:
                raise _in_tokens(error, ledger, account_id) from None
            raise
    text = f"account {account.account_id} is {account.status}"
    show_done(account_json(account), text, done=text, dry_run=dry_run, as_json=as_json)


def _in_tokens(error: RefusedError, ledger: Ledger, account_id: str) -> RefusedError:
    """Return the refusal to close an account in whole tokens, as this command line speaks."""
    held = [
        f"{asset.format(amount)} {asset.symbol}"
        for asset in ledger.assets()
        if (amount := ledger.get_balance(account_id, asset.symbol))
    ]
    return RefusedError(error.rule, f"{account_id!r} has {', '.join(held)}; move them first")


@click.command(
    "limit",
    short_help="Limit debits and balance of ACCOUNT_ID.",
    epilog=example(
        "evm-ledger account limit bob --max-debit 100 --max-balance 5000",
        "evm-ledger account limit bob --max-debit any --max-balance any",
    ),
)
@click.argument("account_id")
@click.option(
    "--max-debit", required=True, metavar="AMOUNT", help="Largest amount of one debit or hold."
)
@click.option("--max-balance", required=True, metavar="AMOUNT", help="Largest balance it may get.")
@dry_run_option
@asset_option
@database_option
@json_option
def limit(
    *,
    account_id: str,
    max_debit: str,
    max_balance: str,
    dry_run: bool,
    asset: str | None,
    database: Database,
    as_json: bool,
) -> None:
    """Limit what ACCOUNT_ID may do with an asset, in place of the limits it has; `any` is none.

    Both are named, so that two people who set one each do not undo each other. A limit below what
    the account has is allowed: it refuses what comes next.
    """
    with database.open() as ledger:
        counted = one_asset(ledger, asset)
        own = ledger.account(account_id).account_id
        limits = ledger.set_limits(
            own,
            asset=counted.symbol,
            max_debit=_parsed(counted, max_debit, "max_debit"),
            max_balance=_parsed(counted, max_balance, "max_balance"),
            dry_run=dry_run,
        )
    text = (
        f"account {own}: debits of {_said(counted, limits.max_debit)}, "
        f"balance of {_said(counted, limits.max_balance)}"
    )
    value: dict[str, object] = {
        "asset": counted.symbol,
        "account_id": own,
        "max_debit": limit_json(counted, limits.max_debit),
        "max_balance": limit_json(counted, limits.max_balance),
    }
    show_done(value, text, done=f"limited: {text}", dry_run=dry_run, as_json=as_json)


def _parsed(asset: Asset, text: str, field: str) -> int | None:
    """Return a limit; None for any amount. Raises FieldError."""
    if text == ANY:
        return None
    try:
        return asset.parse(text, field)
    except FieldError as error:
        raise FieldError(field, f"{error.args[1]}; or {ANY!r} for no limit") from None


def _said(asset: Asset, amount: int | None) -> str:
    """Return a limit for people."""
    return "any size" if amount is None else f"at most {asset.format(amount)} {asset.symbol}"


STANDING: Final = (freeze, close, reopen, limit)
