"""The command `chain replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.console import bars, connected, fields_json, rpc_options
from bridge.replay import replay
from bridge.signing import key_options
from ledger.console import Database, database_option, example, json_option, show
from ledger.views import counted

if TYPE_CHECKING:
    from bridge.replay import ReplayReport
    from bridge.signing import Key


@click.command(
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
    key: Key,
    database: Database,
    as_json: bool,
) -> None:
    """Send every sealed batch that the chain does not have yet.

    Stop it whenever you like and run it again: the contract says where it stands, and a run that
    finds nothing to do sends nothing.
    """
    with (
        database.open() as ledger,
        connected(rpc, chain_id, keyless=not key.is_given) as chain,
        bars() as progress,
    ):
        report = replay(ledger, chain, key.signer(), progress=progress)
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
