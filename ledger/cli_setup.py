"""Commands that set a ledger up: init, asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ledger.amounts import check_uint, parse_amount
from ledger.console import (
    Database,
    database_option,
    example,
    json_option,
    show,
    show_rows,
)
from ledger.errors import FieldError
from ledger.formats import DEFAULT_ENDOWMENT, TOKEN_VERSION, TOKEN_VERSIONS
from ledger.model import Address
from ledger.texts import check_symbol, check_text
from ledger.views import asset_json, asset_line

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
    token_version: str

    @classmethod
    def read(
        cls,
        symbol: str,
        *,
        name: str | None,
        decimals: int | None,
        endowment: str | None,
        operator: str | None,
        token_version: str | None,
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
            TOKEN_VERSION if token_version is None else token_version,
        )

    def create(self, ledger: Ledger) -> Asset:
        """Create the asset."""
        return ledger.create_asset(
            self.symbol,
            self.name,
            self.decimals,
            endowment=self.endowment,
            operator=self.operator,
            token_version=self.token_version,
        )


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
        click.option(
            "--token-version",
            type=click.Choice(TOKEN_VERSIONS),
            help=f"The contract that it becomes, for ever.  [default: {TOKEN_VERSION}]",
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
            option = "--" + name.replace("_", "-")
            raise FieldError(name, f"{option} is an asset's: name the asset too, with --symbol")
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
