"""Commands for accounts: create (at a real address too), list, show, link-message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from ledger.cli_arguments import dry_run_option, one_asset, post_one, read_hex, show_done
from ledger.cli_standing import STANDING
from ledger.console import (
    Commands,
    Database,
    asset_option,
    database_option,
    example,
    json_option,
    say,
    show,
    show_rows,
    write,
)
from ledger.errors import FieldError
from ledger.links import MAX_SIGNATURE, Link, LinkScheme, link_message, link_typed_data
from ledger.model import ISSUER, Address, Hash32, Status
from ledger.requests import OpenAccount
from ledger.views import account_json, balance_json, kind_of

if TYPE_CHECKING:
    from ledger.ledger import Ledger
    from ledger.results import Account, Asset, Balance

AskWallet = Callable[[str, Hash32, str, Address, bytes], Link]
"""Asks a contract wallet through the node at a URL, for (ledger id, account id, address, proof).

The ledger knows no chain: the program gives this function to its commands (`obj` of the context).
"""

_PROVED: Final = tuple(map(str, (LinkScheme.EIP712, LinkScheme.EIP191, LinkScheme.ERC1271)))


@click.group("account", cls=Commands)
def account_group() -> None:
    """Create, show, freeze, close and limit accounts."""


def _proof_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what gives an account a real address, and proves it."""
    options = (
        click.option("--address", metavar="ADDRESS", help="A real address, for ever: the owner's."),
        click.option("--proof", metavar="HEX", help="What its owner signed: see link-message."),
        click.option(
            "--scheme",
            type=click.Choice(_PROVED),
            metavar="SCHEME",
            help="How: eip712, eip191, or erc1271 for a contract wallet.  [default: eip712]",
        ),
        click.option("--rpc", metavar="URL", help="The node to ask, for erc1271."),
        click.option("--by-operator", is_flag=True, help="No proof: you answer for the address."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@account_group.command(
    "create",
    short_help="Create an account, endowed with 1,000 tokens.",
    epilog=example(
        "evm-ledger account create alice",
        "evm-ledger account create bob --initial-balance 0",
        "evm-ledger account create carol --address $ADDRESS --proof $PROOF",
    ),
)
@click.argument("account_id")
@click.option("--initial-balance", metavar="AMOUNT", help="Its tokens.  [default: the endowment]")
@_proof_options
@click.option("--key", default="", metavar="TEXT", help="Idempotency key.")
@dry_run_option
@asset_option
@database_option
@json_option
@click.pass_obj
def account_create(
    ask_wallet: AskWallet | None,
    /,
    *,
    account_id: str,
    initial_balance: str | None,
    key: str,
    dry_run: bool,
    asset: str | None,
    database: Database,
    as_json: bool,
    **proof: Any,  # noqa: ANN401 (click passes options by name)
) -> None:
    """Create ACCOUNT_ID, endowed with 1,000 tokens unless told otherwise.

    An id of 0x and 40 hex digits is that address; any other id gets an address of its own, or
    with --address its owner's. For that the owner signs what `account link-message` prints.
    """
    with database.open() as ledger:
        symbol, balance = asset, None
        if initial_balance == "0":
            balance = 0  # needs no asset, even where there are several or none
        else:
            counted = one_asset(ledger, asset)
            symbol = counted.symbol
            if initial_balance is not None:
                balance = counted.parse(initial_balance, "initial_balance")
        address, link = _given(ledger, account_id, ask_wallet, **proof)
        item = OpenAccount(account_id, balance, symbol, key, address, link)
        receipt = post_one(ledger, item, dry_run=dry_run)
        assert receipt.account is not None  # noqa: S101 (for mypy: it was created)
        account = receipt.account
        line = f"account {account.account_id}  address {account.address}"
        again = " (already created with this key)" if receipt.repeated else ""
        value = {**account_json(account), "repeated": receipt.repeated}
        done = f"{'already ' if receipt.repeated else ''}created: {line}"
        show_done(value, f"{line}{again}", done=done, dry_run=dry_run, as_json=as_json)


def _given(
    ledger: Ledger,
    account_id: str,
    ask_wallet: AskWallet | None,
    *,
    address: str | None,
    proof: str | None,
    scheme: str | None,
    rpc: str | None,
    by_operator: bool,
) -> tuple[Address | None, Link | None]:
    """Return the real address and its proof, or neither. Raises FieldError."""
    if address is None:
        named = {"--proof": proof, "--scheme": scheme, "--rpc": rpc, "--by-operator": by_operator}
        for name, value in named.items():
            if value:
                raise FieldError("address", f"{name} is about an address: name it with --address")
        return None, None
    owner = Address.parse(address, "address")
    if (proof is None) != by_operator:
        raise FieldError("proof", "give --proof, or --by-operator if you answer for it yourself")
    if (rpc is not None) != (scheme == LinkScheme.ERC1271):
        raise FieldError("rpc", "--rpc goes with --scheme erc1271, and that needs it")
    if proof is None:
        if scheme is not None:
            raise FieldError("scheme", f"--scheme {scheme} goes with --proof, not --by-operator")
        return owner, Link(LinkScheme.OPERATOR)
    signature = read_hex(proof, "proof", MAX_SIGNATURE)
    if rpc is None:
        return owner, Link(LinkScheme(scheme or LinkScheme.EIP712), signature=signature)
    if ask_wallet is None:
        raise FieldError("scheme", "this program knows no chain; run evm-ledger")
    return owner, ask_wallet(rpc, ledger.identity.ledger_id, account_id, owner, signature)


@account_group.command(
    "link-message",
    short_help="Print what an owner signs for a real address.",
    epilog=example(
        "evm-ledger account link-message carol $ADDRESS",
        "evm-ledger account link-message carol $ADDRESS --scheme eip191",
    ),
)
@click.argument("account_id")
@click.argument("address")
@click.option(
    "--scheme",
    type=click.Choice(_PROVED),
    default=_PROVED[0],
    show_default=True,
    metavar="SCHEME",
    help="eip712, for eth_signTypedData_v4; eip191, a text for personal_sign; erc1271, for the "
    "owners of a contract wallet.",
)
@click.option("--chain-id", type=int, metavar="N", help="The contract wallet's chain, for erc1271.")
@database_option
@json_option
def link_message_command(
    *,
    account_id: str,
    address: str,
    scheme: str,
    chain_id: int | None,
    database: Database,
    as_json: bool,
) -> None:
    """Print what the owner of ADDRESS signs so that ACCOUNT_ID may be created there.

    The signature is the --proof of `account create`. Without --json a text (eip191) is printed
    exactly as it is to be signed, and no line end after it.
    """
    owner = Address.parse(address, "address")
    if (chain_id is not None) != (scheme == LinkScheme.ERC1271):
        raise FieldError("chain_id", "--chain-id goes with --scheme erc1271, and that needs it")
    chain = 0 if chain_id is None else Link(LinkScheme.ERC1271, chain_id, b"").chain_id
    with database.open() as ledger:
        ledger_id = ledger.identity.ledger_id
        if scheme != LinkScheme.EIP191:
            show(link_typed_data(ledger_id, account_id, owner, chain), "", as_json=True)
            return
        text = link_message(ledger_id, account_id, owner)
        if as_json:
            show({"message": text}, "", as_json=True)
            return
        try:
            write(text, nl=False)
        except UnicodeEncodeError:
            raise FieldError("account_id", "this output cannot show it; use --json") from None


@account_group.command(
    "list",
    epilog=example("evm-ledger account list", "evm-ledger account list --prefix agent-"),
)
@click.option("--prefix", default="", metavar="TEXT", help="Only ids that begin so.")
@database_option
@json_option
def account_list(*, prefix: str, database: Database, as_json: bool) -> None:
    """List every account with its address."""
    with database.open() as ledger:
        show_rows(
            ledger.accounts(prefix),
            ("account", "address", "status", "kind"),
            row=lambda it: (it.account_id, it.address, it.status, kind_of(it)),
            value=account_json,
            none=f"no account begins with {prefix!r}",
            as_json=as_json,
        )


@account_group.command(
    "show",
    short_help="Show what an account is and has.",
    epilog=example("evm-ledger account show alice"),
)
@click.argument("account_id")
@database_option
@json_option
def account_show(*, account_id: str, database: Database, as_json: bool) -> None:
    """Show ACCOUNT_ID: its address, status and limits, and what it has."""
    with database.open() as ledger:
        account = ledger.account(account_id)
        found = [(a, ledger.balance(account.account_id, a.symbol)) for a in ledger.assets()]
        held = [pair for pair in found if pair[1].total_earned or _limits(*pair) != ("any", "any")]
        if as_json:
            value = {**account_json(account), "balances": [balance_json(*pair) for pair in held]}
            show(value, "", as_json=True)
            return
        say("\n".join(_account_lines(account)))
        show_rows(
            held,
            ("asset", "balance", "available", "earned", "spent", "max debit", "max balance"),
            row=lambda pair: (pair[0].symbol, *_numbers(*pair), *_limits(*pair)),
            value=lambda pair: balance_json(*pair),
            none="it never had anything",
            as_json=False,
        )


def _account_lines(account: Account) -> list[str]:
    """Return what an account is, for people."""
    lines = [f"account {account.account_id}", f"address {account.address} ({kind_of(account)})"]
    if account.link is not None:
        link = account.link
        where = f" on chain {link.chain_id}" if link.chain_id else ""
        unproved = ": nobody proved it" if link.scheme is LinkScheme.OPERATOR else ""
        lines.append(f"linked by {link.scheme}{where}{unproved}")
    if account.account_id == ISSUER:
        lines.append("mints come from it, burns go to it; its balance is the supply")
    elif account.status != Status.OPEN:
        lines.append(f"status {account.status}")
    return lines


def _numbers(asset: Asset, balance: Balance) -> map[str]:
    """Return what an account has of an asset, for people."""
    numbers = (balance.balance, balance.available, balance.total_earned, balance.total_spent)
    return map(asset.format, numbers)


def _limits(asset: Asset, balance: Balance) -> tuple[str, str]:
    """Return the limits of an account in an asset, for people."""
    most = (balance.max_debit, balance.max_balance)
    debit, credit = ("any" if limit is None else asset.format(limit) for limit in most)
    return debit, credit


for _command in STANDING:
    account_group.add_command(_command)
