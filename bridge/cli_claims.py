"""The commands `chain claim send` and `chain account deploy`, which anybody may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bridge.authorisations import ClaimAuthorisation, DeployAuthorisation
from bridge.claims import check_claim, send_claim
from bridge.cli_authorise import account_group, claim_group, read_kind
from bridge.console import PATH, connected, fields_json, rpc_options
from bridge.live_accounts import check_account, deploy_account
from bridge.sending_options import Teller, fee_options, outgoing_options
from bridge.signing import payer_options
from ledger.amounts import format_amount
from ledger.cli_arguments import dry_run_option, show_done
from ledger.console import example, json_option
from ledger.views import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.fees import FeePolicy
    from bridge.patience import Patience
    from bridge.sending_options import Outgoing
    from bridge.signing import Key
    from ledger.model import Hash32

__all__ = ["account_group", "claim_group"]


@claim_group.command(
    "send",
    short_help="Make an authorised claim.",
    epilog=example("evm-ledger chain claim send claim.json"),
)
@click.argument("file", type=PATH)
@dry_run_option
@fee_options
@rpc_options
@payer_options
@outgoing_options
@json_option
def claim_send(
    *,
    file: Path,
    dry_run: bool,
    fees: FeePolicy,
    patience: Patience,
    rpc: str,
    chain_id: int | None,
    key: Key,
    outgoing: Outgoing,
    as_json: bool,
) -> None:
    """Check the authorisation in FILE, and send the claim. Anybody may; the key pays for the gas.

    Checked first: chain, token, phase, deadline, nonce, signature (by key, or ERC-1271), that the
    account holds something and is not deployed.

    If it is cut short, run it again: what was signed is stored before it is sent, and it goes on
    from that. What was done already is told, and nothing is sent.
    """
    claim: ClaimAuthorisation = read_kind(file, ClaimAuthorisation)
    asset = claim.asset
    keyless, sent = not dry_run and not key.is_given, ""
    with connected(rpc, chain_id, keyless=keyless, whose="the sender's") as chain:
        if dry_run:
            amount = check_claim(chain, claim)
            value = {"chain_id": chain.chain_id, "symbol": asset.symbol}
        else:
            with outgoing.open() as store:
                report = send_claim(
                    store, chain, key.signer(), claim, fees=fees, patience=patience, say=Teller()
                )
            amount, value = report.amount, fields_json(report)
            sent = _sent(report.transaction, was_before=report.was_claimed)
            del value["decimals"]
    tokens = format_amount(amount, asset.decimals)
    value["amount"] = {"tokens": tokens, "base_units": str(amount)}
    text = one_line(f"{tokens} {asset.symbol}  {claim.account} -> {claim.wallet}") + sent
    show_done(value, text, done=f"claimed: {text}", dry_run=dry_run, as_json=as_json)


@account_group.command(
    "deploy",
    short_help="Deploy an authorised account.",
    epilog=example("evm-ledger chain account deploy account.json"),
)
@click.argument("file", type=PATH)
@dry_run_option
@fee_options
@rpc_options
@payer_options
@outgoing_options
@json_option
def account_deploy(
    *,
    file: Path,
    dry_run: bool,
    fees: FeePolicy,
    patience: Patience,
    rpc: str,
    chain_id: int | None,
    key: Key,
    outgoing: Outgoing,
    as_json: bool,
) -> None:
    """Check the authorisation in FILE, and deploy the account. Anybody may; the key pays the gas.

    From then on its owner moves what lies there: claims from it are over.

    If it is cut short, run it again: what was signed is stored before it is sent, and it goes on
    from that. What was done already is told, and nothing is sent.
    """
    deployment: DeployAuthorisation = read_kind(file, DeployAuthorisation)
    keyless, sent = not dry_run and not key.is_given, ""
    with connected(rpc, chain_id, keyless=keyless, whose="the sender's") as chain:
        if dry_run:
            check_account(chain, deployment)
            value: dict[str, Any] = {"chain_id": chain.chain_id}
        else:
            with outgoing.open() as store:
                report = deploy_account(
                    store, chain, key.signer(), deployment, fees=fees, patience=patience,
                    say=Teller(),
                )  # fmt: skip
            value = fields_json(report)
            sent = _sent(report.transaction, was_before=report.was_deployed)
    text = f"account {deployment.account}  owner {deployment.owner}{sent}"
    show_done(value, text, done=f"deployed: {text}", dry_run=dry_run, as_json=as_json)


def _sent(transaction: Hash32, *, was_before: bool) -> str:
    """Return which transaction did it, for people."""
    return f"  tx {transaction}" + ("  (sent by an earlier run)" if was_before else "")
