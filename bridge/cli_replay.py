"""The commands `chain replay` and `chain status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from bridge.console import (
    bars,
    connected,
    fields_json,
    limit_options,
    rpc_options,
    rules_option,
)
from bridge.dry_run import preview
from bridge.fees import in_gwei
from bridge.replay import replay
from bridge.sending_options import Teller, depth_options, fee_options
from bridge.signing import key_options
from bridge.status import read_status
from ledger.console import Database, database_option, example, json_option, show
from ledger.views import counted, spanned

if TYPE_CHECKING:
    from bridge.batches import Limits
    from bridge.deferred import Mode
    from bridge.dry_run import Preview
    from bridge.fees import FeePolicy
    from bridge.outbox import Attempt
    from bridge.patience import Patience
    from bridge.replay import ReplayReport
    from bridge.signing import Key
    from bridge.status import AssetStatus, ChainStatus
    from bridge.tracking import Confirmed


@click.command(
    "replay",
    short_help="Send every sealed batch that is not there.",
    epilog=example("evm-ledger seal && evm-ledger chain replay"),
)
@click.option(
    "--mode",
    type=click.Choice(["auto", "exact", "deferred"]),
    default="auto",
    show_default=True,
    help="Whether a token that can defers its balances (docs/deferred.md): auto, if it pays.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent; sign and store nothing.")
@depth_options
@fee_options
@limit_options
@rules_option
@rpc_options
@key_options
@database_option
@json_option
def chain_replay(
    *,
    mode: Mode,
    dry_run: bool,
    confirmed: Confirmed | None,
    fees: FeePolicy,
    patience: Patience,
    limits: Limits,
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
        if dry_run:
            seen = preview(ledger, chain, key.signer(), limits=limits, mode=mode, fees=fees)
            show(_preview_json(seen), _preview_text(seen), as_json=as_json)
            return
        report = replay(
            ledger,
            chain,
            key.signer(),
            limits=limits,
            mode=mode,
            fees=fees,
            patience=patience,
            confirmed=confirmed,
            progress=progress,
            say=Teller(),
        )
    text = _replay_text(report)
    show(_replay_json(report), text, as_json=as_json, done=f"replayed: {text}")


def _replay_text(report: ReplayReport) -> str:
    """Return a replay's outcome for people."""
    if report.batches:
        batches = counted(report.batches, "batch", "batches")
        entries = counted(report.entries, "entry", "entries")
        gas = f"{report.gas_used // report.entries} gas an entry"
        lines = [f"sent {batches} with {entries} to chain {report.chain_id}, {gas}"]
    elif report.gas_used:
        lines = [f"settled balances on chain {report.chain_id}, {report.gas_used} gas"]
    else:
        lines = (
            [f"nothing to send: chain {report.chain_id} has every sealed entry"]
            if report.assets
            else ["nothing to send: nothing is sealed"]
        )
    return "\n".join([*lines, *_unsealed_text(report.unsealed)])


def _unsealed_text(unsealed: int) -> list[str]:
    """Return the line that says what stays behind, if something does."""
    return [f"not sealed yet, so not sent: {unsealed} (evm-ledger seal)"] if unsealed else []


def _replay_json(report: ReplayReport) -> dict[str, object]:
    """Return a replay's outcome as JSON has it."""
    assets = []
    for asset in report.assets:
        fields = fields_json(asset)
        fields["cost"] = str(asset.cost)
        fields["transactions"] = [str(hash_) for hash_ in asset.transactions]
        assets.append(fields)
    return {
        "chain_id": report.chain_id,
        "batches": report.batches,
        "entries": report.entries,
        "unsealed": report.unsealed,
        "gas_used": report.gas_used,
        "cost": str(report.cost),
        "assets": assets,
    }


# --- before ---


def _preview_text(seen: Preview) -> str:
    """Return for people what would be sent."""
    unsealed = _unsealed_text(seen.unsealed)
    if not seen.transactions:
        nothing = f"nothing to send: chain {seen.chain_id} has every sealed entry"
        first = nothing if seen.assets else "nothing to send: nothing is sealed"
        return "\n".join([first, *unsealed])
    transactions = counted(seen.transactions, "transaction", "transactions")
    entries = counted(seen.entries, "entry", "entries")
    funded = "enough" if seen.is_funded else "NOT ENOUGH, send it some"
    nonces = f"nonces {seen.nonce} to {seen.nonce + seen.transactions - 1}"
    lines = [
        f"would send {transactions} with {entries} to chain {seen.chain_id}, {nonces}",
        f"about {seen.gas:,} gas; at {in_gwei(seen.gas_price)} that costs {_ether(seen.cost)}",
        f"{seen.signer} has {_ether(seen.balance)}: {funded}",
    ]
    for asset in seen.assets:
        if asset.transactions:
            entries = spanned(asset.replayed + 1, asset.replayed + asset.entries)
            lines.append(
                f"{asset.symbol}: {entries} in "
                f"{counted(asset.transactions, 'batch', 'batches')} to {asset.token}"
            )
    return "\n".join([*lines, *unsealed, "dry run: nothing was signed, stored or sent"])


def _preview_json(seen: Preview) -> dict[str, object]:
    """Return as JSON what would be sent."""
    return {
        **fields_json(seen),
        "gas_price": str(seen.gas_price),
        "max_fee": str(seen.max_fee),
        "balance": str(seen.balance),
        "cost": str(seen.cost),
        "is_funded": seen.is_funded,
        "transactions": seen.transactions,
        "entries": seen.entries,
        "gas": seen.gas,
        "assets": [fields_json(asset) for asset in seen.assets],
    }


def _ether(wei: int) -> str:
    """Return wei in whole coins, to six decimals."""
    return f"{wei / 10**18:.6f} ETH"


# --- after ---


@click.command(
    "status",
    short_help="Say how far the chain has the ledger.",
    epilog=example("evm-ledger chain status"),
)
@rpc_options
@database_option
@json_option
def chain_status(*, rpc: str, chain_id: int | None, database: Database, as_json: bool) -> None:
    """Say for each asset how many entries are posted, sealed, mined, safe and finalized.

    Read from the contracts at the chain's own heads. What was noted of blocks that are gone is
    taken back; `chain replay` then sends it again.
    """
    with database.open() as ledger, connected(rpc, chain_id) as chain:
        status = read_status(ledger, chain)
    show(_status_json(status), _status_text(status), as_json=as_json)


def _status_text(status: ChainStatus) -> str:
    """Return for people how far a ledger is."""
    heads = status.heads
    safe, finalized = _number(heads.safe), _number(heads.finalized)
    first = f"chain {status.chain_id}: block {heads.latest}, safe {safe}, finalized {finalized}"
    lines = [first, *map(_asset_text, status.assets)]
    for attempt in status.waiting:
        again = _AGAIN.get(attempt.purpose, "replay")
        stuck = f"stuck, run `evm-ledger chain {again}`"
        what = stuck if attempt in status.stuck else "under way"
        lines.append(f"{what}: {_attempt_text(attempt)}")
    return "\n".join(lines)


_AGAIN: Final = {
    "fund": "deploy",
    "proxy": "deploy",
    "deploy": "deploy",
    "finalize": "finalize",
    "claim": "claim send",
    "account": "account deploy",
}
"""Which command goes on with a transaction of that purpose; any other that sends with its key."""


def _asset_text(asset: AssetStatus) -> str:
    """Return one asset's line."""
    return (
        f"{asset.symbol}: posted {asset.posted}, sealed {asset.sealed}, mined {asset.mined}, safe "
        f"{_number(asset.safe)}, finalized {_number(asset.finalized)}"
    )


def _attempt_text(attempt: Attempt) -> str:
    """Return what a transaction is, in a few words."""
    about = attempt.subject
    first, last = about.first_seq, about.last_seq
    entries = "" if first is None or last is None else f" of {spanned(first, last)}"
    offers = "" if attempt.fees is None else f", offers {in_gwei(attempt.fees.max_fee)}"
    return f"{attempt.purpose}{entries}, nonce {attempt.nonce}{offers}, {attempt.signed.hash}"


def _number(found: int | None) -> str:
    """Return a number, or that nobody can say."""
    return "unknown" if found is None else str(found)


def _status_json(status: ChainStatus) -> dict[str, object]:
    """Return as JSON how far a ledger is."""
    heads = status.heads
    return {
        "chain_id": status.chain_id,
        "blocks": {"latest": heads.latest, "safe": heads.safe, "finalized": heads.finalized},
        "assets": [fields_json(asset) for asset in status.assets],
        "waiting": [
            {
                "transaction": str(attempt.signed.hash),
                "purpose": attempt.purpose,
                "sender": str(attempt.sender),
                "nonce": attempt.nonce,
                "first_seq": attempt.subject.first_seq,
                "last_seq": attempt.subject.last_seq,
                "max_fee": None if attempt.fees is None else str(attempt.fees.max_fee),
                "stuck": attempt in status.stuck,
            }
            for attempt in status.waiting
        ],
    }
