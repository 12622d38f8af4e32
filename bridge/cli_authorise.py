"""The commands `chain claim` and `chain account`, as far as they are the registrar's."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from bridge.authorisations import (
    Authorisation,
    ClaimAuthorisation,
    DeployAuthorisation,
    is_signed_by_key,
    read_authorisation,
    with_signature,
    write_authorisation,
)
from bridge.chain import LOCAL_CHAIN_IDS
from bridge.claims import (
    next_nonce,
    own_registrar,
    prepare_claim,
    sign_authorisation,
)
from bridge.console import PATH, connected, rpc_options
from bridge.errors import AuthorisationError
from bridge.live_accounts import prepare_account
from bridge.signing import open_keystore, password_option
from ledger.cli_arguments import read_duration, read_hex, read_moment
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
from ledger.links import MAX_SIGNATURE
from ledger.model import Address
from ledger.times import moment_of
from ledger.views import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.chain import Chain
    from ledger import Ledger

P = ParamSpec("P")
R = TypeVar("R")

_MICROSECONDS = 1_000_000


@click.group("claim", cls=Commands, short_help="Claim what lies at a derived address.")
def claim_group() -> None:
    """Move what lies at a derived address to a wallet, as its registrar authorises."""


@click.group("account", cls=Commands, short_help="Deploy an account of its own.")
def account_group() -> None:
    """Put an account's own contract at its derived address, as its registrar authorises."""


def _authorise_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add what both kinds of authorisation need."""
    options = (
        click.option(
            "--deadline",
            default="7d",
            show_default=True,
            metavar="WHEN",
            help="Until when it holds: 12h, 7d, or an instant like 2026-01-31T12:00:00Z. Nobody "
            "can take it back before.",
        ),
        click.option(
            "--keystore",
            type=PATH,
            metavar="FILE",
            help="The registrar's key (Web3 Secret Storage).",
        ),
        password_option,
        click.option(
            "--own-registrar",
            is_flag=True,
            help="Sign with the ledger's own key, which whoever reads the database has, on a "
            "public chain too.",
        ),
        click.option(
            "--unsigned", is_flag=True, help="Leave the signature out: chain ... sign adds it."
        ),
        click.option(
            "--offline", is_flag=True, help="Ask no node; --chain-id says which chain it is for."
        ),
        rpc_options,
        database_option,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@claim_group.command(
    "authorise",
    short_help="Write what a registrar allows.",
    epilog=example("evm-ledger chain claim authorise alice claim.json --wallet $ADDRESS"),
)
@click.argument("account_id")
@click.argument("file", type=PATH)
@click.option("--wallet", required=True, metavar="ADDRESS", help="Who gets all that lies there.")
@asset_option
@click.option(
    "--nonce", type=click.IntRange(0), help="With --offline: earlier claims. [default: 0]"
)
@_authorise_options
def claim_authorise(
    *,
    account_id: str,
    file: Path,
    wallet: str,
    asset: str | None,
    nonce: int | None,
    **options: Any,  # noqa: ANN401 (click passes options by name)
) -> None:
    """Write the authorisation by which a wallet may claim all of an asset that an account has.

    FILE holds everything that somebody else needs to check it and to send it. The ledger's own key
    signs, if it is the account's registrar and this is a local test chain, or --own-registrar is
    given; another registrar signs with --keystore, or later and elsewhere: --unsigned.
    """
    target = Address.parse(wallet, "wallet")
    if nonce is not None and not options["offline"]:
        raise FieldError("nonce", "is read from the chain; it is for --offline")

    def prepare(ledger: Ledger, chain: Chain | None, chain_id: int, deadline: int) -> Authorisation:
        claim = prepare_claim(
            ledger,
            account_id,
            target,
            chain_id=chain_id,
            deadline=deadline,
            nonce=nonce or 0,
            asset=asset,
        )
        return claim if chain is None else replace(claim, nonce=next_nonce(chain, claim))

    _authorise(file, prepare, **options)


@account_group.command(
    "authorise",
    short_help="Write what a registrar allows.",
    epilog=example("evm-ledger chain account authorise alice account.json --owner $ADDRESS"),
)
@click.argument("account_id")
@click.argument("file", type=PATH)
@click.option(
    "--owner", required=True, metavar="ADDRESS", help="Who owns the account from then on."
)
@_authorise_options
def account_authorise(*, account_id: str, file: Path, owner: str, **options: Any) -> None:  # noqa: ANN401 (click passes options by name)
    """Write the authorisation by which an account's own contract may be deployed for an owner.

    The owner then moves what lies there, of every asset, and claims are over. Who signs is as for
    chain claim authorise.
    """
    target = Address.parse(owner, "owner")

    def prepare(ledger: Ledger, _: Chain | None, chain_id: int, deadline: int) -> Authorisation:
        return prepare_account(ledger, account_id, target, chain_id=chain_id, deadline=deadline)

    _authorise(file, prepare, **options)


def _authorise(
    file: Path,
    prepare: Callable[[Ledger, Chain | None, int, int], Authorisation],
    *,
    deadline: str,
    keystore: Path | None,
    password_file: Path | None,
    own_registrar: bool,
    unsigned: bool,
    offline: bool,
    rpc: str,
    chain_id: int | None,
    database: Database,
    as_json: bool,
) -> None:
    """Prepare an authorisation, have it signed, and write it."""
    if sum((keystore is not None, own_registrar, unsigned)) > 1:
        raise FieldError("keystore", "say one of --keystore, --own-registrar and --unsigned")
    with database.open() as ledger:
        if offline:
            if chain_id is None:
                raise FieldError("chain-id", "must be given with --offline")
            made = prepare(ledger, None, chain_id, _deadline(deadline, 0))
        else:
            with connected(rpc, chain_id) as chain:
                until = _deadline(deadline, chain.block().timestamp)
                made = prepare(ledger, chain, chain.chain_id, until)
        if keystore is not None:
            made = sign_authorisation(made, open_keystore(keystore, password_file))
        elif not unsigned:
            made = _sign_own(ledger, made, allowed=own_registrar)
    write_authorisation(made, file)
    _show_authorisation(made, file, as_json=as_json)


def _sign_own(ledger: Ledger, made: Authorisation, *, allowed: bool) -> Authorisation:
    """Return `made`, signed by the ledger's own key. Raises AuthorisationError."""
    signer = own_registrar(ledger, made)
    if made.chain_id not in LOCAL_CHAIN_IDS and not allowed:
        raise AuthorisationError(
            "registrar",
            f"{signer.address} is the ledger's own key, and chain {made.chain_id} is no local test "
            "chain: say --own-registrar to sign with it all the same",
        )
    return sign_authorisation(made, signer)


def _deadline(text: str, chain_time: int) -> int:
    """Return the second, since 1970, that `text` means. Raises FieldError."""
    now = max(int(time.time()), chain_time)
    if text[:1].isdigit() and text[-1:] in set("smhdw"):
        return now + int(read_duration(text, "deadline").total_seconds())
    until = int(read_moment(text, "deadline").timestamp())
    if until <= now:
        raise FieldError("deadline", f"{text} has passed")
    return until


def _show_authorisation(made: Authorisation, file: Path, *, as_json: bool) -> None:
    """Say what was written."""
    until = moment_of(made.deadline * _MICROSECONDS).isoformat().replace("+00:00", "Z")
    if isinstance(made, ClaimAuthorisation):
        what = f"claim of all {made.asset.symbol} at {made.account} by wallet {made.wallet}"
    else:
        what = f"account {made.account} for owner {made.owner}"
    if not made.signature:
        by = f"to be signed by the registrar, {made.registrar}"
    elif is_signed_by_key(made):
        by = f"signed by the registrar, {made.registrar}"
    else:
        by = f"signed; whether by the registrar, {made.registrar}, a contract on its chain tells"
    text = one_line(f"{file}: {what}, on chain {made.chain_id}, until {until}, {by}")
    value = {
        "file": str(file),
        "chain_id": made.chain_id,
        "account": str(made.account),
        "registrar": str(made.registrar),
        "deadline": made.deadline,
        "digest": str(made.digest),
        "signed": bool(made.signature),
    }
    show(value, text, as_json=as_json, done=f"wrote {text}")


# --- sign ---


def _sign_command(group: click.Group, file: str, kind: type[Authorisation]) -> None:
    """Add `sign` to a group: one command for two kinds of files."""

    @group.command(
        "sign",
        short_help="Add the registrar's signature.",
        epilog=example(
            f"evm-ledger chain {group.name} sign {file}.json signed.json --keystore cold.json",
            f"evm-ledger chain {group.name} sign {file}.json --typed-data",
        ),
    )
    @click.argument("file", type=PATH)
    @click.argument("signed", type=PATH, required=False)
    @click.option(
        "--keystore", type=PATH, metavar="FILE", help="The registrar's key (Web3 Secret Storage)."
    )
    @password_option
    @click.option("--signature", metavar="HEX", help="What the registrar signed elsewhere.")
    @click.option(
        "--typed-data", is_flag=True, help="Print what is to be signed, for eth_signTypedData_v4."
    )
    @json_option
    def sign(
        *,
        file: Path,
        signed: Path | None,
        keystore: Path | None,
        password_file: Path | None,
        signature: str | None,
        typed_data: bool,
        as_json: bool,
    ) -> None:
        """Write FILE with the registrar's signature to the new file SIGNED.

        No database and no node is asked: a registrar's computer needs no network. A registrar that
        is a contract wallet signs what --typed-data prints in its own program (ERC-1271), and
        --signature takes what that gives.
        """
        made = read_kind(file, kind)
        if typed_data + (signature is not None) + (keystore is not None) != 1:
            raise FieldError("keystore", "say one of --keystore, --signature and --typed-data")
        if typed_data:
            show(made.typed_data(), "", as_json=True)
            return
        if signed is None:
            raise FieldError("signed", "name the new file to write")
        if keystore is not None:
            made = sign_authorisation(made, open_keystore(keystore, password_file))
        else:
            given = read_hex(signature or "", "signature", MAX_SIGNATURE)
            made = with_signature(made, given)
        write_authorisation(made, signed)
        _show_authorisation(made, signed, as_json=as_json)


def read_kind(file: Path, kind: type[Authorisation]) -> Any:  # noqa: ANN401 (an authorisation of that kind)
    """Return the authorisation in `file`, if it is of that kind."""
    found = read_authorisation(file)
    if not isinstance(found, kind):
        groups = {ClaimAuthorisation: "claim", DeployAuthorisation: "account"}
        raise AuthorisationError("kind", f"is for `evm-ledger chain {groups[type(found)]} ...`")
    return found


_sign_command(claim_group, "claim", ClaimAuthorisation)
_sign_command(account_group, "account", DeployAuthorisation)
