"""The commands of the ledger alone. `bridge.cli` adds export, import, chain, vectors and demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.amounts import parse_amount
from ledger.console import (
    Commands,
    account_json,
    amount_json,
    asset_option,
    balance_json,
    database_option,
    entry_json,
    entry_line,
    entry_options,
    json_option,
    progress,
    sealed_json,
    show,
    table,
)
from ledger.ledger import Ledger
from ledger.model import Address
from ledger.times import parse_moment

if TYPE_CHECKING:
    from ledger.results import Asset, Entry


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start: evm-ledger init --symbol SCI --name 'SCI token'",
)
@click.version_option(package_name="evm-ledger")
def main() -> None:
    """A SQL ledger that is already a chain.

    Amounts are whole tokens in plain decimals (12.5); nothing is ever rounded. Exit codes: 0 done,
    1 audit, verify or vectors found a difference, 2 the command could not do its work.
    """


@main.command()
@click.option("--symbol", help="Create a first asset with this symbol, such as SCI.")
@click.option("--name", default="", help="Its name, such as 'SCI token'. Never changes.")
@click.option("--decimals", default=18, show_default=True, help="Its decimals. Never change.")
@click.option("--endowment", metavar="AMOUNT", help="What new accounts get.  [default: 1000]")
@click.option("--registrar", metavar="ADDRESS", help="Who may authorise claims on chain.")
@click.option("--operator", metavar="ADDRESS", help="Who may replay the asset on a chain.")
@database_option
@json_option
def init(
    *,
    symbol: str | None,
    name: str,
    decimals: int,
    endowment: str | None,
    registrar: str | None,
    operator: str | None,
    database: str,
    as_json: bool,
) -> None:
    """Make a new ledger, with a first asset if --symbol is given.

    \b
    Example:
      evm-ledger init --symbol SCI --name 'SCI token'
    """  # noqa: D301 (click's mark for text that is not wrapped)
    wallet = Address.parse(registrar, "registrar") if registrar else None
    with Ledger.create(database, registrar=wallet) as ledger:
        identity = ledger.identity
        lines = [f"ledger {identity.ledger_id} in {database}"]
        if symbol is None:
            lines.append("next: evm-ledger asset create SYMBOL --name NAME")
        else:
            asset = _create_asset(
                ledger,
                symbol,
                name=name,
                decimals=decimals,
                endowment=endowment,
                operator=operator,
            )
            lines.append(f"asset {asset.symbol}, {asset.decimals} decimals, id {asset.id}")
            lines.append("next: evm-ledger account create alice")
        if identity.own_registrar:
            lines.append(f"registrar {identity.registrar} (the ledger's own key)")
        value = {"ledger_id": str(identity.ledger_id), "registrar": str(identity.registrar)}
        show({**value, "asset": symbol}, "\n".join(lines), as_json=as_json)


def _create_asset(
    ledger: Ledger,
    symbol: str,
    *,
    name: str,
    decimals: int,
    endowment: str | None,
    operator: str | None,
) -> Asset:
    """Create an asset from what the command line gave."""
    return ledger.create_asset(
        symbol,
        name or symbol,
        decimals,
        endowment=None if endowment is None else parse_amount(endowment, decimals, "endowment"),
        operator=Address.parse(operator, "operator") if operator else None,
    )


@main.group("asset")
def asset_group() -> None:
    """Create and list assets."""


@asset_group.command("create")
@click.argument("symbol")
@click.option("--name", default="", help="Its name. Never changes.  [default: the symbol]")
@click.option("--decimals", default=18, show_default=True, help="Its decimals. Never change.")
@click.option("--endowment", metavar="AMOUNT", help="What new accounts get.  [default: 1000]")
@click.option("--operator", metavar="ADDRESS", help="Who may replay the asset on a chain.")
@database_option
@json_option
def asset_create(
    *,
    symbol: str,
    name: str,
    decimals: int,
    endowment: str | None,
    operator: str | None,
    database: str,
    as_json: bool,
) -> None:
    """Create the asset SYMBOL."""
    with Ledger.open(database) as ledger:
        asset = _create_asset(
            ledger,
            symbol,
            name=name,
            decimals=decimals,
            endowment=endowment,
            operator=operator,
        )
        text = f"asset {asset.symbol}, {asset.decimals} decimals, id {asset.id}"
        show(_asset_json(asset), text, as_json=as_json)


@asset_group.command("list")
@database_option
@json_option
def asset_list(*, database: str, as_json: bool) -> None:
    """List every asset."""
    with Ledger.open(database) as ledger:
        found = ledger.assets()
        rows = [(a.symbol, a.name, a.decimals, a.format(a.endowment), a.id) for a in found]
        text = table(rows, ("symbol", "name", "decimals", "endowment", "id"))
        show([_asset_json(asset) for asset in found], text, as_json=as_json)


def _asset_json(asset: Asset) -> dict[str, object]:
    """Return an asset as JSON has it."""
    return {
        "symbol": asset.symbol,
        "name": asset.name,
        "decimals": asset.decimals,
        "id": str(asset.id),
        "endowment": amount_json(asset, asset.endowment),
        "operator": None if asset.operator is None else str(asset.operator),
        "token_version": asset.token_version,
    }


@main.group("account")
def account_group() -> None:
    """Create, list and show accounts."""


@account_group.command("create")
@click.argument("account_id")
@click.option("--initial-balance", metavar="AMOUNT", help="[default: the asset's endowment]")
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
    database: str,
    as_json: bool,
) -> None:
    """Create ACCOUNT_ID, endowed with 1,000 tokens unless told otherwise.

    An id of 0x and 40 hex digits is that address; any other id gets an address of its own.
    """
    with Ledger.open(database) as ledger:
        balance = None
        if initial_balance is not None and set(initial_balance) <= set("0."):
            balance = 0  # needs no asset, even where there are several or none
        elif initial_balance is not None:
            balance = ledger.asset(asset).parse(initial_balance, "initial_balance")
        account = ledger.create_account(account_id, balance, asset=asset, idempotency_key=key)
        text = f"account {account.account_id}  address {account.address}"
        show(account_json(account), text, as_json=as_json)


@account_group.command("list")
@database_option
@json_option
def account_list(*, database: str, as_json: bool) -> None:
    """List every account with its address."""
    with Ledger.open(database) as ledger:
        found = list(ledger.accounts())
        rows = [(a.account_id, a.address, "derived" if a.derived else "given") for a in found]
        text = table(rows, ("account", "address", "kind"))
        show([account_json(account) for account in found], text, as_json=as_json)


@account_group.command("show")
@click.argument("account_id")
@database_option
@json_option
def account_show(*, account_id: str, database: str, as_json: bool) -> None:
    """Show ACCOUNT_ID: its address and what it has of every asset."""
    with Ledger.open(database) as ledger:
        account = ledger.account(account_id)
        found = [(a, ledger.balance(account.account_id, a.symbol)) for a in ledger.assets()]
        held = [(asset, balance) for asset, balance in found if balance.total_earned]
        rows = [
            (a.symbol, a.format(b.balance), a.format(b.available), a.format(b.total_earned))
            for a, b in held
        ]
        text = f"account {account.account_id}\naddress {account.address}\n"
        text += table(rows, ("asset", "balance", "available", "earned"))
        value = {**account_json(account), "balances": [balance_json(a, b) for a, b in held]}
        show(value, text, as_json=as_json)


@main.command()
@click.argument("account_id")
@click.argument("amount")
@entry_options
@asset_option
@database_option
@json_option
def mint(*, account_id: str, amount: str, **options: Any) -> None:  # noqa: ANN401 (click passes options by name)
    """Create AMOUNT tokens for ACCOUNT_ID."""
    _post("mint", amount, options, account_id)


@main.command()
@click.argument("account_id")
@click.argument("amount")
@entry_options
@asset_option
@database_option
@json_option
def burn(*, account_id: str, amount: str, **options: Any) -> None:  # noqa: ANN401 (click passes options by name)
    """Destroy AMOUNT tokens of ACCOUNT_ID."""
    _post("burn", amount, options, account_id)


@main.command()
@click.argument("from_account")
@click.argument("to_account")
@click.argument("amount")
@entry_options
@asset_option
@database_option
@json_option
def transfer(*, from_account: str, to_account: str, amount: str, **options: Any) -> None:  # noqa: ANN401 (click passes options by name)
    """Move AMOUNT tokens from FROM_ACCOUNT to TO_ACCOUNT.

    \b
    Example:
      evm-ledger transfer alice bob 12.5 --reason earn:debate --key debate-17
    """  # noqa: D301 (click's mark for text that is not wrapped)
    _post("transfer", amount, options, from_account, to_account)


def _post(method: str, amount: str, options: dict[str, Any], *accounts: str) -> None:
    """Call `mint`, `burn` or `transfer` and show the entry."""
    with Ledger.open(options["database"]) as ledger:
        asset = ledger.asset(options["asset"])
        named: dict[str, str] = {
            "reference_type": options["reference_type"],
            "reference_id": options["reference_id"],
            "memo": options["memo"],
            "idempotency_key": options["key"],
        }
        if options["reason"] or method == "transfer":
            named["reason"] = options["reason"]
        entry: Entry = getattr(ledger, method)(
            *accounts, asset.parse(amount), asset=asset.symbol, **named
        )
        show(entry_json(asset, entry), entry_line(asset, entry), as_json=options["as_json"])


@main.command()
@click.argument("account_id")
@asset_option
@database_option
@json_option
def balance(*, account_id: str, asset: str | None, database: str, as_json: bool) -> None:
    """Show what ACCOUNT_ID has."""
    with Ledger.open(database) as ledger:
        counted = ledger.asset(asset)
        found = ledger.balance(account_id, counted.symbol)
        text = f"{counted.format(found.balance)} {counted.symbol}"
        show(balance_json(counted, found), text, as_json=as_json)


@main.command()
@click.argument("account_id")
@click.option("--since", metavar="TIME", help="ISO 8601 with an offset: 2026-01-31T12:00:00Z.")
@asset_option
@database_option
@json_option
def statement(
    *, account_id: str, since: str | None, asset: str | None, database: str, as_json: bool
) -> None:
    """List the entries of ACCOUNT_ID, oldest first, with the balance after each."""
    with Ledger.open(database) as ledger:
        counted = ledger.asset(asset)
        start = None if since is None else parse_moment(since)
        found = ledger.get_statement(account_id, start, counted.symbol)
        own = ledger.account(account_id).account_id
        rows = [_statement_row(counted, own, entry) for entry in found]
        text = table(rows, ("time", "seq", "amount", "balance", "with", "reason"))
        show([entry_json(counted, entry) for entry in found], text, as_json=as_json)


def _statement_row(asset: Asset, own: str, entry: Entry) -> tuple[object, ...]:
    """Return a line of a statement, seen from the account `own`."""
    is_debit = entry.from_account == own
    after = entry.balance_after_from if is_debit else entry.balance_after_to
    return (
        entry.time.isoformat(timespec="seconds"),
        entry.seq,
        f"{'-' if is_debit else '+'}{asset.format(entry.amount)}",
        asset.format(after),
        entry.to_account if is_debit else entry.from_account,
        entry.reason,
    )


@main.command()
@asset_option
@database_option
@json_option
def supply(*, asset: str | None, database: str, as_json: bool) -> None:
    """Show the total supply: all that was minted less all that was burned."""
    with Ledger.open(database) as ledger:
        counted = ledger.asset(asset)
        total = ledger.get_total_supply(counted.symbol)
        value = {"asset": counted.symbol, "total_supply": amount_json(counted, total)}
        show(value, f"{counted.format(total)} {counted.symbol}", as_json=as_json)


@main.command()
@database_option
@json_option
def seal(*, database: str, as_json: bool) -> None:
    """Seal every entry that waits: cut batches for the chain, at most 4,000 entries each."""
    with Ledger.open(database) as ledger, progress("seal", None) as advance:
        made = []
        while sealed := ledger.seal():
            made.append(sealed)
            advance(sum(batch.batch.size for batch in sealed.batches))
        lines = [
            f"seal {s.seal.number}  {s.id}  {sum(b.batch.size for b in s.batches)} entries in "
            f"{len(s.batches)} batches"
            for s in made
        ]
        text = "\n".join(lines) or "nothing to seal: every entry is in a batch"
        show([sealed_json(sealed) for sealed in made], text, as_json=as_json)
