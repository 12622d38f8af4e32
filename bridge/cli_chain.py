"""The command `chain deploy`, and `demo`, the whole job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.console import PATH, bars, connected, fields_json, rpc_options, rules_option
from bridge.demo import run_demo
from bridge.deploy import deploy
from bridge.sending_options import Teller, fee_options
from bridge.signing import key_options
from ledger.console import (
    Database,
    database_option,
    example,
    json_option,
    say,
    show,
    show_rows,
)
from ledger.views import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.batches import Limits
    from bridge.deploy import DeployReport
    from bridge.fees import FeePolicy
    from bridge.patience import Patience
    from bridge.signing import Key
    from ledger.model import Address


@click.command(
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
@rules_option
@fee_options
@rpc_options
@key_options
@database_option
@json_option
def chain_deploy(
    *,
    allow_own_registrar: bool,
    limits: Limits,
    fees: FeePolicy,
    patience: Patience,
    rpc: str,
    chain_id: int | None,
    key: Key,
    database: Database,
    as_json: bool,
) -> None:
    """Put the account factory and each asset's token on the chain, where they are not yet.

    Whose key signs becomes the operator, for good, of each asset that has none. Without a
    --keystore or --remote-signer, a local test chain's public key stands in there, and nothing is
    stored.
    """
    with (
        database.open() as ledger,
        connected(rpc, chain_id, keyless=not key.is_given) as chain,
        bars() as progress,
    ):
        signer = key.signer()
        report = deploy(
            ledger,
            chain,
            signer,
            allow_own_registrar=allow_own_registrar,
            limits=limits,
            fees=fees,
            patience=patience,
            progress=progress,
            say=Teller(),
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
        if operator is not None and operator != report.signer:
            notes.append("not the key given: only the operator can replay")
        note = f" ({'; '.join(notes)})" if notes else ""
        who = "none: live" if operator is None else operator
        lines.append(f"operator of {one_line(', '.join(names))}: {who}{note}")
    return lines


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
