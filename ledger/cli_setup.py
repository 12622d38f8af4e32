"""Commands that set a ledger up: init, asset, account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ledger.amounts import check_uint, parse_amount
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
from ledger.errors import FieldError, RefusedError, Rule
from ledger.formats import DEFAULT_ENDOWMENT
from ledger.model import ISSUER, Address
from ledger.texts import check_symbol, check_text
from ledger.views import account_json, asset_json, asset_line, balance_json, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.ledger import Ledger
    from ledger.results import Asset


@dataclass(frozen=True, slots=True)
class _Terms:
    """An asset to create, checked before anything is made."""

    symbol: str
    name: str
    decimals: int
    endowment: int
    operator: Address | None

    @classmethod
    def read(
        cls,
        symbol: str,
        *,
        name: str | None,
        decimals: int | None,
        endowment: str | None,
        operator: str | None,
    ) -> _Terms:
        """Return the terms that the options give. Raises FieldError."""
        decimals = 18 if decimals is None else check_uint(decimals, 8, "decimals")
        return cls(
            check_symbol(symbol),
            check_text(name or symbol, "name"),
            decimals,
            parse_amount(
                DEFAULT_ENDOWMENT if endowment is None else endowment, decimals, "endowment"
            ),
            None if operator is None else Address.parse(operator, "operator"),
        )

    def create(self, ledger: Ledger) -> Asset:
        """Create the asset."""
        return ledger.create_asset(
            self.symbol,
            self.name,
            self.decimals,
            endowment=self.endowment,
            operator=self.operator,
        )


def one_asset(ledger: Ledger, symbol: str | None) -> Asset:
    """Return the asset that is meant, or say how to name it.

    Raises:
        RefusedError: ASSET_REQUIRED.
        NotFoundError: UNKNOWN_ASSET.
    """
    if symbol is None and len(known := ledger.assets()) != 1:
        names = ", ".join(repr(asset.symbol) for asset in known[:5])
        advice = f"say which with --asset: {names}{', ...' if len(known) > 5 else ''}"  # noqa: PLR2004 (as many fit a line)
        none = "the ledger has no asset yet; make one with `evm-ledger asset create SYMBOL`"
        raise RefusedError(Rule.ASSET_REQUIRED, advice if known else none)
    return ledger.asset(symbol)


def asset_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what an asset is made of, but its symbol."""
    options = (
        click.option("--name", help="Its name, for ever.  [default: the symbol]"),
        click.option("--decimals", type=int, help="Its decimals, for ever.  [default: 18]"),
        click.option(
            "--endowment", metavar="AMOUNT", help="For each new account.  [default: 1000]"
        ),
        click.option(
            "--operator", metavar="ADDRESS", help="Who may replay it on a chain, for ever."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(epilog=example("evm-ledger init --symbol SCI --name 'SCI token'"))
@click.option("--symbol", help="Also create a first asset with this symbol, such as SCI.")
@asset_options
@click.option(
    "--registrar", metavar="ADDRESS", help="Who may authorise claims on chain.  [default: own key]"
)
@database_option
@json_option
def init(
    *,
    symbol: str | None,
    registrar: str | None,
    database: Database,
    as_json: bool,
    **options: str | int | None,
) -> None:
    """Make a new ledger."""
    wallet = None if registrar is None else Address.parse(registrar, "registrar")
    terms = None if symbol is None else _Terms.read(symbol, **options)  # type: ignore[arg-type]  # click checked them
    for name, value in options.items():
        if symbol is None and value is not None:
            raise FieldError(name, f"--{name} is an asset's: name the asset too, with --symbol")
    with database.create(wallet) as ledger:
        identity = ledger.identity
        lines = [f"ledger {identity.ledger_id} in {database}"]
        asset = None if terms is None else terms.create(ledger)
        if identity.own_registrar:
            lines.append(f"registrar {identity.registrar} (the ledger's own key)")
        if asset is None:
            lines.append("next: evm-ledger asset create SCI --name 'SCI token'")
        else:
            lines += [asset_line(asset), "next: evm-ledger account create alice"]
        document = {
            "ledger_id": str(identity.ledger_id),
            "registrar": str(identity.registrar),
            "asset": None if asset is None else asset_json(asset),
        }
        done = f"made: ledger {identity.ledger_id}"
        if asset is not None:
            done += f" with {asset_line(asset)}"
        show(document, "\n".join(lines), as_json=as_json, done=done)


@click.group("asset")
def asset_group() -> None:
    """Create and list assets."""


@asset_group.command("create", epilog=example("evm-ledger asset create GOLD --decimals 3"))
@click.argument("symbol")
@asset_options
@database_option
@json_option
def asset_create(
    *, symbol: str, database: Database, as_json: bool, **options: str | int | None
) -> None:
    """Create the asset SYMBOL."""
    terms = _Terms.read(symbol, **options)  # type: ignore[arg-type]  # click checked them
    with database.open() as ledger:
        asset = terms.create(ledger)
        text = asset_line(asset)
        show(asset_json(asset), text, as_json=as_json, done=f"created: {text}")


@asset_group.command("list", epilog=example("evm-ledger asset list --json"))
@database_option
@json_option
def asset_list(*, database: Database, as_json: bool) -> None:
    """List every asset."""
    with database.open() as ledger:
        show_rows(
            ledger.assets(),
            ("symbol", "name", "decimals", "endowment", "id"),
            row=lambda it: (it.symbol, it.name, it.decimals, it.format(it.endowment), it.id),
            value=asset_json,
            none="no assets yet: evm-ledger asset create SYMBOL",
            as_json=as_json,
        )


@click.group("account")
def account_group() -> None:
    """Create, list and show accounts."""


@account_group.command(
    "create",
    short_help="Create an account, endowed with 1,000 tokens.",
    epilog=example(
        "evm-ledger account create alice", "evm-ledger account create bob --initial-balance 0"
    ),
)
@click.argument("account_id")
@click.option("--initial-balance", metavar="AMOUNT", help="Its tokens.  [default: the endowment]")
@click.option("--key", default="", metavar="TEXT", help="Idempotency key.")
@asset_option
@database_option
@json_option
def account_create(
    *,
    account_id: str,
    initial_balance: str | None,
    key: str,
    asset: str | None,
    database: Database,
    as_json: bool,
) -> None:
    """Create ACCOUNT_ID, endowed with 1,000 tokens unless told otherwise.

    An id of 0x and 40 hex digits is that address; any other id gets an address of its own.
    """
    with database.open() as ledger:
        symbol, balance = asset, None
        if initial_balance == "0":
            balance = 0  # needs no asset, even where there are several or none
        else:
            counted = one_asset(ledger, asset)
            symbol = counted.symbol
            if initial_balance is not None:
                balance = counted.parse(initial_balance, "initial_balance")
        account = ledger.create_account(account_id, balance, asset=symbol, idempotency_key=key)
        text = f"account {account.account_id}  address {account.address}"
        show(account_json(account), text, as_json=as_json, done=f"created: {text}")


@account_group.command("list", epilog=example("evm-ledger account list"))
@database_option
@json_option
def account_list(*, database: Database, as_json: bool) -> None:
    """List every account with its address."""
    with database.open() as ledger:
        show_rows(
            ledger.accounts(),
            ("account", "address", "kind"),
            row=lambda it: (it.account_id, it.address, kind_of(it)),
            value=account_json,
            none="no accounts yet: evm-ledger account create alice",
            as_json=as_json,
        )


@account_group.command("show", epilog=example("evm-ledger account show alice"))
@click.argument("account_id")
@database_option
@json_option
def account_show(*, account_id: str, database: Database, as_json: bool) -> None:
    """Show ACCOUNT_ID: its address and what it has."""
    with database.open() as ledger:
        account = ledger.account(account_id)
        found = [(a, ledger.balance(account.account_id, a.symbol)) for a in ledger.assets()]
        held = [(asset, balance) for asset, balance in found if balance.total_earned]
        if as_json:
            value = {**account_json(account), "balances": [balance_json(*pair) for pair in held]}
            show(value, "", as_json=True)
            return
        say(f"account {account.account_id}\naddress {account.address} ({kind_of(account)})")
        if account.account_id == ISSUER:
            say("mints come from it, burns go to it; its balance is the supply")
        show_rows(
            held,
            ("asset", "balance", "available", "earned", "spent"),
            row=lambda pair: (
                pair[0].symbol,
                *map(
                    pair[0].format,
                    (pair[1].balance, pair[1].available, pair[1].total_earned, pair[1].total_spent),
                ),
            ),
            value=lambda pair: balance_json(*pair),
            none="it never had anything",
            as_json=False,
        )
