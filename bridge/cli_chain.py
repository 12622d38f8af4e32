"""Commands that speak to a node: chain deploy, chain replay, chain verify, demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.console import PATH, bars, connected, fields_json, key_options, read_signer, rpc_options
from bridge.demo import run_demo
from bridge.deploy import deploy
from bridge.replay import replay
from bridge.verify import LEVELS, verify
from ledger.console import (
    EXIT_DIFFERS,
    Commands,
    Database,
    database_option,
    example,
    json_option,
    say,
    show,
    show_rows,
)
from ledger.views import counted, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.deploy import DeployReport
    from bridge.replay import ReplayReport
    from bridge.verify import VerifyReport
    from ledger.model import Address


@click.group("chain", cls=Commands)
def chain_group() -> None:
    """Deploy, replay and verify on an EVM chain."""


@chain_group.command(
    "deploy",
    short_help="Put the contracts on the chain.",
    epilog=example("evm-ledger chain deploy --rpc http://127.0.0.1:8545"),
)
@click.option(
    "--allow-own-registrar",
    is_flag=True,
    help="Deploy to a public chain although the key that may claim every derived balance "
    "lies in this database.",
)
@rpc_options
@key_options
@database_option
@json_option
def chain_deploy(
    *,
    allow_own_registrar: bool,
    rpc: str,
    chain_id: int | None,
    keystore: Path | None,
    password_file: Path | None,
    database: Database,
    as_json: bool,
) -> None:
    """Put the account factory and each asset's token on the chain, where they are not yet.

    Whose --keystore this is becomes the operator, for good, of each asset that has none. Without
    one, a local test chain's public key stands in there, and nothing is stored.
    """
    with (
        database.open() as ledger,
        connected(rpc, chain_id, keyless=keystore is None) as chain,
        bars() as progress,
    ):
        signer = read_signer(keystore, password_file)
        report = deploy(
            ledger, chain, signer, allow_own_registrar=allow_own_registrar, progress=progress
        )
    contracts = (report.factory, *report.tokens)
    done = "deployed: " + ", ".join(f"{it.name} {it.address}" for it in contracts)
    if as_json:
        value = {
            "chain_id": report.chain_id,
            "signer": str(report.signer),
            "gas_used": report.gas_used,
            "contracts": [fields_json(one) for one in contracts],
        }
        show(value, "", as_json=True, done=done)
        return
    show_rows(
        contracts,
        ("contract", "address", "state", "gas"),
        row=lambda it: (it.name, it.address, "deployed" if it.is_new else "there", it.gas_used),
        value=fields_json,
        none="",
        as_json=False,
        done=done,
    )
    if lines := _operator_lines(report):
        say("\n".join(lines), done=done)


def _operator_lines(report: DeployReport) -> list[str]:
    """Return who may replay which tokens, a line for each operator."""
    tokens: dict[tuple[Address | None, bool], list[str]] = {}
    for token in report.tokens:
        tokens.setdefault((token.operator, token.stands_in), []).append(token.name)
    lines = []
    for (operator, stands_in), names in tokens.items():
        notes = ["the public test key, on this chain only"] if stands_in else []
        if operator != report.signer:
            notes.append("not the key given: only the operator can replay")
        note = f" ({'; '.join(notes)})" if notes else ""
        lines.append(f"operator of {one_line(', '.join(names))}: {operator}{note}")
    return lines


@chain_group.command(
    "replay",
    short_help="Send every sealed batch that is not there.",
    epilog=example("evm-ledger seal && evm-ledger chain replay"),
)
@rpc_options
@key_options
@database_option
@json_option
def chain_replay(
    *,
    rpc: str,
    chain_id: int | None,
    keystore: Path | None,
    password_file: Path | None,
    database: Database,
    as_json: bool,
) -> None:
    """Send every sealed batch that the chain does not have yet.

    Stop it whenever you like and run it again: the contract says where it stands, and a run that
    finds nothing to do sends nothing.
    """
    with (
        database.open() as ledger,
        connected(rpc, chain_id, keyless=keystore is None) as chain,
        bars() as progress,
    ):
        report = replay(ledger, chain, read_signer(keystore, password_file), progress=progress)
    text = _replay_text(report)
    show(_replay_json(report), text, as_json=as_json, done=f"replayed: {text}")


def _replay_text(report: ReplayReport) -> str:
    """Return a replay's outcome for people."""
    if report.batches:
        batches = counted(report.batches, "batch", "batches")
        entries = counted(report.entries, "entry", "entries")
        gas = f"{report.gas_used // report.entries} gas an entry"
        lines = [f"sent {batches} with {entries} to chain {report.chain_id}, {gas}"]
    else:
        lines = [f"nothing to send: chain {report.chain_id} has every sealed entry"]
    if report.unsealed:
        lines.append(f"not sealed yet, so not sent: {report.unsealed} (evm-ledger seal)")
    return "\n".join(lines)


def _replay_json(report: ReplayReport) -> dict[str, object]:
    """Return a replay's outcome as JSON has it."""
    assets = []
    for asset in report.assets:
        fields = fields_json(asset)
        fields["transactions"] = [str(hash_) for hash_ in asset.transactions]
        assets.append(fields)
    return {
        "chain_id": report.chain_id,
        "batches": report.batches,
        "entries": report.entries,
        "unsealed": report.unsealed,
        "gas_used": report.gas_used,
        "assets": assets,
    }


@chain_group.command(
    "verify",
    short_help="Compare ledger and chain, unit for unit.",
    epilog=example("evm-ledger chain verify --level 1"),
)
@click.option(
    "--level",
    type=click.IntRange(min(LEVELS), max(LEVELS)),
    default=max(LEVELS),
    show_default=True,
    help="1: every log and the history. 2: also every balance and the supply.",
)
@rpc_options
@database_option
@json_option
@click.pass_context
def chain_verify(
    context: click.Context,
    *,
    level: int,
    rpc: str,
    chain_id: int | None,
    database: Database,
    as_json: bool,
) -> None:
    """Compare ledger and chain, unit for unit, in one block.

    Exit codes: 0 they agree, 1 they do not (each mismatch is named), 2 it could not be told.
    """
    with database.open() as ledger, connected(rpc, chain_id) as chain, bars() as progress:
        report = verify(ledger, chain, level, progress=progress)
    show(_verify_json(report), _verify_text(report), as_json=as_json)
    context.exit(0 if report.agree else EXIT_DIFFERS)


def _verify_text(report: VerifyReport) -> str:
    """Return a verification's outcome for people."""
    where = f"in block {report.block_number} ({report.block_hash}) of chain {report.chain_id}"
    if report.agree:
        entries = counted(sum(asset.entries for asset in report.assets), "entry", "entries")
        balances = counted(sum(asset.balances for asset in report.assets), "balance")
        return f"agree: {entries}, {balances}, {where}"
    lines = [f"MISMATCH: {mismatch}" for mismatch in report.mismatches]
    if report.omitted:
        lines.append(f"... and {report.omitted} more")
    number = len(report.mismatches) + report.omitted
    return "\n".join([*lines, f"{counted(number, 'mismatch', 'mismatches')} {where}"])


def _verify_json(report: VerifyReport) -> dict[str, object]:
    """Return a verification's outcome as JSON has it."""
    return {
        **fields_json(report),
        "agree": report.agree,
        "assets": [fields_json(asset) for asset in report.assets],
        "mismatches": [fields_json(mismatch) for mismatch in report.mismatches],
    }


@click.command(short_help="Show the whole job on a local Anvil.", epilog=example("evm-ledger demo"))
@click.option("--anvil", metavar="PATH", help="The Anvil to start.  [default: the one on PATH]")
@click.option("--rpc", metavar="URL", help="A running local test node to use instead.")
@click.option(
    "--folder",
    type=PATH,
    metavar="DIR",
    help="A new folder for what it makes.  [default: a temporary one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers of the last line as JSON.")
def demo(*, anvil: str | None, rpc: str | None, folder: Path | None, as_json: bool) -> None:
    """Show the whole job: book, seal, export, deploy, replay, verify, tamper and find it.

    Each step is explained in a line and checked; the last line is `demo: ok ...`, or the exit
    code is not 0.
    """
    numbers = run_demo(anvil=anvil, rpc=rpc, folder=folder, say=_quiet if as_json else say)
    if as_json:
        show(fields_json(numbers), "", as_json=True)


def _quiet(line: str) -> None:
    """Say nothing: the result is JSON."""
    del line
