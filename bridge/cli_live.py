"""The commands `chain finalize` and `chain operator ...`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bridge.console import bars, connected, fields_json, rpc_options
from bridge.errors import BridgeError
from bridge.live import finalize, plan_finalize
from bridge.live_obstacles import Checks
from bridge.live_operators import accept_operator, read_operator, transfer_operator
from bridge.sending_options import Teller, depth_options, fee_options
from bridge.signing import key_options, new_operator_options
from bridge.verify import LEVELS
from ledger.cli_arguments import dry_run_option, show_done
from ledger.console import (
    Commands,
    Database,
    asset_option,
    database_option,
    example,
    json_option,
    show,
)
from ledger.errors import FieldError
from ledger.model import Address
from ledger.views import amount_json, one_line

if TYPE_CHECKING:
    from bridge.fees import FeePolicy
    from bridge.live import Finalization, FinalizeReport
    from bridge.live_operators import OperatorState
    from bridge.patience import Patience
    from bridge.signing import Key
    from bridge.tracking import Confirmed
    from ledger import Asset


@click.command(
    "finalize",
    short_help="Make a token live, for ever.",
    epilog=example("evm-ledger chain finalize --asset SCI --yes"),
)
@asset_option
@click.option("--yes", is_flag=True, help="Do not ask to type the symbol.")
@dry_run_option
@click.option(
    "--level",
    type=click.IntRange(min(LEVELS), max(LEVELS)),
    default=2,
    show_default=True,
    help="How far ledger and chain are compared first; see chain verify.",
)
@click.option(
    "--allow-own-registrar",
    is_flag=True,
    help="Finalize on a public chain although the key that may claim every derived balance "
    "lies in this database.",
)
@click.option(
    "--allow-unfinalized",
    is_flag=True,
    help="Finalize although the chain may still replace blocks with batches.",
)
@depth_options
@fee_options
@rpc_options
@key_options
@database_option
@json_option
def chain_finalize(
    *,
    asset: str | None,
    yes: bool,
    dry_run: bool,
    level: int,
    allow_own_registrar: bool,
    allow_unfinalized: bool,
    confirmed: Confirmed | None,
    fees: FeePolicy,
    patience: Patience,
    rpc: str,
    chain_id: int | None,
    key: Key,
    database: Database,
    as_json: bool,
) -> None:
    """Make a token live: from then on a plain ERC-20, and nobody replays to it any more.

    IRREVOCABLE. It is refused, with every reason, while a hold is pending, an account frozen, an
    entry not sealed, not replayed or not final on the chain, while ledger and chain differ, an
    operator's change is half done, or the key of a registrar lies in this database. The asset is
    closed in the ledger: nothing is posted to it any more.

    On chains 31337 and 1337, which are nothing but tests, it is a rehearsal: the asset is NOT
    closed, the ledger goes on, and neither finality nor registrars are asked about.

    Run it again after an interruption: a token that is live already is reported.
    """
    with (
        database.open() as ledger,
        connected(rpc, chain_id, keyless=not key.is_given) as chain,
        bars() as progress,
    ):
        found, signer = ledger.asset(asset), key.signer()
        checks = Checks(level, allow_own_registrar, allow_unfinalized)
        if dry_run:
            planned = plan_finalize(
                ledger, chain, signer, found.symbol, checks=checks, progress=progress
            )
            text = "\n".join(_what_will_be(found, planned))
            value = fields_json(planned)
            value["total_supply"] = amount_json(found, planned.total_supply)
            show_done(value, text, done="", dry_run=True, as_json=as_json)
            return

        def confirm(planned: Finalization) -> None:
            if not yes:
                _confirm(found, planned)

        report = finalize(
            ledger,
            chain,
            signer,
            found.symbol,
            checks=checks,
            confirm=confirm,
            fees=fees,
            patience=patience,
            confirmed=confirmed,
            progress=progress,
            say=Teller(),
        )
    text = _finalize_text(found, report)
    value = fields_json(report)
    value["total_supply"] = amount_json(found, report.total_supply)
    show(value, text, as_json=as_json, done=f"finalized: {text.splitlines()[0]}")


def _what_will_be(asset: Asset, planned: Finalization) -> list[str]:
    """Return what will be true for ever, in lines for people."""
    symbol = one_line(asset.symbol)
    where = f"the token of {symbol} on chain {planned.chain_id}, {planned.token}"
    supply = f"{asset.format(planned.total_supply)} {symbol}"
    if planned.is_live:
        return [f"{where}, is live with all {planned.last_seq} entries of the ledger"]
    return [
        f"{where}, would be live for ever",
        f"  with entries 1 to {planned.last_seq} and a supply of {supply}, for ever the same",
        f"  its operator, {planned.operator}, would lose every power",
        "  its journal in the ledger would end (on a local test chain it goes on)",
        "  what is held at derived addresses would be its registrars' to have claimed",
        *(_OWN_REGISTRAR if planned.own_registrar else ()),
    ]


_OWN_REGISTRAR = (
    "  which for some is the ledger's own key: whoever reads this database could claim them;",
    "  while it mirrors, their owners' accounts can be deployed, or what they hold moved elsewhere",
)


def _confirm(asset: Asset, planned: Finalization) -> None:
    """Have the symbol typed. Raises BridgeError if it is not."""
    if not sys.stdin.isatty():
        raise BridgeError("nobody is there to confirm: say --yes to finalize without being asked")
    click.echo("\n".join(_what_will_be(asset, planned)), err=True)
    symbol = one_line(asset.symbol)
    typed = click.prompt(f"Nobody can undo this. Type {symbol} to go on", err=True, default="")
    if typed.strip() != symbol:
        raise BridgeError("not confirmed: nothing was sent, and nothing has changed")


def _finalize_text(asset: Asset, report: FinalizeReport) -> str:
    """Return what is true now, for people."""
    supply = f"{asset.format(report.total_supply)} {asset.symbol}"
    was = "was live already" if report.was_live else "is live"
    where = f"on chain {report.chain_id}: {report.token}"
    lines = [f"{asset.symbol} {was} {where}, {report.last_seq} entries, supply {supply}"]
    if report.transaction is not None:
        lines.append(f"transaction {report.transaction} in block {report.block_number}")
    if report.closed:
        lines.append(f"closed in the ledger: nothing is posted to {asset.symbol} here any more")
    else:
        lines.append("a rehearsal: the ledger goes on, and no such chain will have it")
    return "\n".join(lines)


# --- operators ---


@click.group("operator", cls=Commands)
def operator_group() -> None:
    """Show and change who may replay a token."""


@operator_group.command(
    "show",
    short_help="Show who may replay.",
    epilog=example("evm-ledger chain operator show --asset SCI"),
)
@asset_option
@rpc_options
@database_option
@json_option
def operator_show(
    *, asset: str | None, rpc: str, chain_id: int | None, database: Database, as_json: bool
) -> None:
    """Show who may replay a token, and to whom that was offered."""
    with database.open() as ledger, connected(rpc, chain_id) as chain:
        state = read_operator(ledger, chain, asset)
    value = fields_json(state)
    del value["was_done"]  # nothing was to be changed
    show(value, _operator_text(state), as_json=as_json)


@operator_group.command(
    "transfer",
    short_help="Offer the operator's part.",
    epilog=example(
        "evm-ledger chain operator transfer --to $ADDRESS",
        "evm-ledger chain operator transfer --withdraw",
    ),
)
@click.option("--to", metavar="ADDRESS", help="Who may take it, with chain operator accept.")
@click.option("--withdraw", is_flag=True, help="Withdraw the offer that was made.")
@asset_option
@fee_options
@rpc_options
@key_options
@database_option
@json_option
def operator_transfer(
    *,
    to: str | None,
    withdraw: bool,
    asset: str | None,
    fees: FeePolicy,
    patience: Patience,
    rpc: str,
    chain_id: int | None,
    key: Key,
    database: Database,
    as_json: bool,
) -> None:
    """Offer the operator's part to another key, which has it once it accepts.

    Until then nothing changes. The token stays where it is, and the operator that the ledger has
    stored, which fixes the token's address, stays stored.

    An offer that was signed and is in no block yet is given up for this one. Run it again after an
    interruption: what is offered already is not offered again.
    """
    if withdraw == (to is not None):
        raise FieldError("to", "say --to ADDRESS, or --withdraw")
    address = None if to is None else Address.parse(to, "to")
    with (
        database.open() as ledger,
        connected(rpc, chain_id, keyless=not key.is_given) as chain,
    ):
        signer = key.signer()
        state = transfer_operator(
            ledger, chain, signer, address, asset, fees=fees, patience=patience, say=Teller()
        )
    text = _operator_text(state)
    show(fields_json(state), text, as_json=as_json, done=text)


@operator_group.command(
    "accept",
    short_help="Take the operator's part.",
    epilog=example("evm-ledger chain operator accept --keystore new.json --asset SCI"),
)
@asset_option
@fee_options
@rpc_options
@new_operator_options
@database_option
@json_option
def operator_accept(
    *,
    asset: str | None,
    fees: FeePolicy,
    patience: Patience,
    rpc: str,
    chain_id: int | None,
    key: Key,
    database: Database,
    as_json: bool,
) -> None:
    """Take the operator's part that was offered to this key; the one before has it no longer.

    Run it again after an interruption: a key that is the operator already is told so.
    """
    with (
        database.open() as ledger,
        connected(rpc, chain_id, keyless=not key.is_given) as chain,
    ):
        signer = key.signer()
        state = accept_operator(
            ledger, chain, signer, asset, fees=fees, patience=patience, say=Teller()
        )
    text = _operator_text(state)
    show(fields_json(state), text, as_json=as_json, done=text)


def _operator_text(state: OperatorState) -> str:
    """Return who may replay, for people."""
    who = "none: live" if state.operator is None else str(state.operator)
    lines = [f"operator of {one_line(state.symbol)}: {who}"]
    if state.pending is not None:
        lines.append(f"offered to {state.pending}, who has not taken it")
    if state.was_done:
        lines.append("it was so already: nothing new was signed")
    return "\n".join(lines)
