"""The commands `chain claim send` and `chain account deploy`, which anybody may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bridge.authorisations import ClaimAuthorisation, DeployAuthorisation
from bridge.claims import check_claim, send_claim
from bridge.cli_authorise import account_group, claim_group, read_kind
from bridge.console import PATH, connected, fields_json, rpc_options
from bridge.live_accounts import check_account, deploy_account
from bridge.signing import key_options
from ledger.amounts import format_amount
from ledger.cli_arguments import dry_run_option, show_done
from ledger.console import example, json_option
from ledger.views import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.signing import Key

__all__ = ["account_group", "claim_group"]


@claim_group.command(
    "send",
    short_help="Make an authorised claim.",
    epilog=example("evm-ledger chain claim send claim.json"),
)
@click.argument("file", type=PATH)
@dry_run_option
@rpc_options
@key_options
@json_option
def claim_send(
    *, file: Path, dry_run: bool, rpc: str, chain_id: int | None, key: Key, as_json: bool
) -> None:
    """Check the authorisation in FILE, and send the claim. Anybody may; the key pays for the gas.

    Checked first: chain, token, phase, deadline, nonce, signature (by key, or ERC-1271), that the
    account holds something and is not deployed.
    """
    claim: ClaimAuthorisation = read_kind(file, ClaimAuthorisation)
    asset = claim.asset
    with connected(rpc, chain_id, keyless=not dry_run and not key.is_given) as chain:
        if dry_run:
            amount = check_claim(chain, claim)
            value = {"chain_id": chain.chain_id, "symbol": asset.symbol}
        else:
            report = send_claim(chain, key.signer(), claim)
            amount, value = report.amount, fields_json(report)
            del value["decimals"]
    tokens = format_amount(amount, asset.decimals)
    value["amount"] = {"tokens": tokens, "base_units": str(amount)}
    text = one_line(f"{tokens} {asset.symbol}  {claim.account} -> {claim.wallet}")
    if not dry_run:
        text += f"  tx {value['transaction']}"
    show_done(value, text, done=f"claimed: {text}", dry_run=dry_run, as_json=as_json)


@account_group.command(
    "deploy",
    short_help="Deploy an authorised account.",
    epilog=example("evm-ledger chain account deploy account.json"),
)
@click.argument("file", type=PATH)
@dry_run_option
@rpc_options
@key_options
@json_option
def account_deploy(
    *, file: Path, dry_run: bool, rpc: str, chain_id: int | None, key: Key, as_json: bool
) -> None:
    """Check the authorisation in FILE, and deploy the account. Anybody may; the key pays the gas.

    From then on its owner moves what lies there: claims from it are over.
    """
    deployment: DeployAuthorisation = read_kind(file, DeployAuthorisation)
    with connected(rpc, chain_id, keyless=not dry_run and not key.is_given) as chain:
        if dry_run:
            check_account(chain, deployment)
            value: dict[str, Any] = {"chain_id": chain.chain_id}
        else:
            value = fields_json(deploy_account(chain, key.signer(), deployment))
    text = f"account {deployment.account}  owner {deployment.owner}"
    if not dry_run:
        text += f"  tx {value['transaction']}"
    show_done(value, text, done=f"deployed: {text}", dry_run=dry_run, as_json=as_json)
