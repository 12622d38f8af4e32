"""Commands that make and check proofs: prove entry, prove balance, prove consistency, check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

import click

from bridge.balance_files import is_balances, parse_balances
from bridge.checkpoint import read_checkpoint
from bridge.console import PATH, connected, fields_json
from bridge.errors import ProofError, TargetExistsError
from bridge.new_files import write_new_file
from bridge.proof_anchors import check_on_chain
from bridge.proof_checks import check_proof
from bridge.proof_files import dump_proof, parse_proof, read_file
from bridge.proof_texts import balances_json, balances_text, proved_json, proved_text
from bridge.proofs import SealSignature
from bridge.proving import BalanceTree, prove_consistency, prove_entry
from bridge.strict import Place
from ledger.console import (
    EXIT_DIFFERS,
    Commands,
    Database,
    asset_option,
    database_option,
    example,
    json_option,
    show,
)
from ledger.errors import FieldError
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.proof_checks import Proved
    from bridge.proofs import Proof
    from ledger import Ledger

P = ParamSpec("P")
R = TypeVar("R")


_UNCOMPARED: Final = {
    True: "compare root, batch or seal with what you know from elsewhere: nothing else proves it",
    False: "compare the root with what you know from elsewhere: no seal has it",
}


class _Known(NamedTuple):
    """A seal that the reader of a proof may know, and who signed it."""

    seal: int | None
    signature: SealSignature | None


def _checkpoint_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add a signed seal, up to which is proved."""
    command = click.option(
        "--signer", metavar="ADDRESS", help="Who must have signed the checkpoint file."
    )(command)
    return click.option(
        "--checkpoint",
        type=PATH,
        metavar="FILE",
        help="Prove up to the seal of this checkpoint, with its signature.",
    )(command)


def _known(ledger: Ledger, seal: int | None, checkpoint: Path | None, signer: str | None) -> _Known:
    """Return up to which seal is to be proved."""
    if checkpoint is None:
        return _Known(seal, None)
    if seal is not None:
        raise FieldError("seal", "the checkpoint names a seal: leave --seal out")
    if signer is None:
        raise FieldError("signer", f"say who must have signed {checkpoint}: --signer ADDRESS")
    wallet = Address.parse(signer, "signer")
    found = read_checkpoint(checkpoint, ledger.identity.ledger_id, wallet)
    return _Known(found.number, SealSignature(wallet, found.signature))


@click.group("prove", cls=Commands)
def prove_group() -> None:
    """Prove an entry, a balance, or that a journal only grew."""


@prove_group.command(
    "entry",
    short_help="Prove that the journal has an entry.",
    epilog=example("evm-ledger prove entry $ID proof.json"),
)
@click.argument("entry_id")
@click.argument("file", type=PATH)
@click.option("--seal", type=int, metavar="N", help="Prove up to seal N.  [default: its own]")
@click.option("--private", is_flag=True, help="Leave out reason, references and memo.")
@click.option("--open-accounts", is_flag=True, help="Show the ids of its accounts, proved.")
@_checkpoint_options
@database_option
@json_option
def prove_entry_command(
    *,
    entry_id: str,
    file: Path,
    seal: int | None,
    private: bool,
    open_accounts: bool,
    checkpoint: Path | None,
    signer: str | None,
    database: Database,
    as_json: bool,
) -> None:
    """Write to FILE the proof that the entry with ENTRY_ID is in its asset's journal.

    It holds the entry, its way to the root of a sealed batch, and the seal. Whoever gets it needs
    no database: `evm-ledger check FILE`.
    """
    _refuse_existing(file)
    with database.open() as ledger:
        known = _known(ledger, seal, checkpoint, signer)
        proof = prove_entry(
            ledger,
            Hash32.parse(entry_id, "entry_id"),
            seal=known.seal,
            signature=known.signature,
            private=private,
            open_accounts=open_accounts,
        )
    _write(file, proof, as_json=as_json)


@prove_group.command(
    "balance",
    short_help="Prove what an account had.",
    epilog=example("evm-ledger prove balance alice balance.json --tree balances.json"),
)
@click.argument("account_id")
@click.argument("file", type=PATH)
@asset_option
@click.option("--seal", type=int, metavar="N", help="What it had in seal N.  [default: the last]")
@click.option(
    "--chain-id", type=int, help="The chain that it is about.  [default: the ledger's own id]"
)
@click.option(
    "--token", metavar="ADDRESS", help="The token that it is about.  [default: the asset's]"
)
@click.option(
    "--tree",
    type=PATH,
    metavar="FILE",
    help="Also write every balance and the whole tree (OpenZeppelin's standard-v1 JSON).",
)
@click.option("--open-account", is_flag=True, help="Show the id of the account, proved.")
@_checkpoint_options
@database_option
@json_option
def prove_balance(
    *,
    account_id: str,
    file: Path,
    asset: str | None,
    seal: int | None,
    chain_id: int | None,
    token: str | None,
    tree: Path | None,
    open_account: bool,
    checkpoint: Path | None,
    signer: str | None,
    database: Database,
    as_json: bool,
) -> None:
    """Write to FILE the proof of what ACCOUNT_ID had right after a sealed batch.

    No seal has the root of the balances: publish it, or the tree (--tree), for others to compare.
    It is OpenZeppelin's standard tree, and its leaves name chain and token.
    """
    _refuse_existing(file, tree)
    with database.open() as ledger:
        known = _known(ledger, seal, checkpoint, signer)
        balances = BalanceTree(
            ledger,
            asset,
            seal=known.seal,
            chain_id=chain_id,
            token=None if token is None else Address.parse(token, "token"),
        )
        proof = balances.prove(account_id, signature=known.signature, open_account=open_account)
    if tree is not None:
        write_new_file(tree, balances.dump())
    _write(file, proof, as_json=as_json)


@prove_group.command(
    "consistency",
    short_help="Prove that a journal only grew.",
    epilog=example("evm-ledger prove consistency growth.json --from-seal 1"),
)
@click.argument("file", type=PATH)
@click.option("--from-seal", type=int, required=True, metavar="N", help="The old seal.")
@click.option("--to-seal", type=int, metavar="N", help="The new seal.  [default: the last]")
@asset_option
@_checkpoint_options
@database_option
@json_option
def prove_consistency_command(
    *,
    file: Path,
    from_seal: int,
    to_seal: int | None,
    asset: str | None,
    checkpoint: Path | None,
    signer: str | None,
    database: Database,
    as_json: bool,
) -> None:
    """Write to FILE the proof that nothing sealed up to the old seal was changed until the new."""
    _refuse_existing(file)
    with database.open() as ledger:
        known = _known(ledger, to_seal, checkpoint, signer)
        proof = prove_consistency(ledger, from_seal, known.seal, asset, signature=known.signature)
    _write(file, proof, as_json=as_json)


def _refuse_existing(*files: Path | None) -> None:
    """Refuse files that are there already, before anything is read."""
    for file in files:
        if file is not None and file.exists():
            raise TargetExistsError(f"{file} exists; name another file")


def _write(file: Path, proof: Proof, *, as_json: bool) -> None:
    """Write a proof, and show what it proves."""
    proved = check_proof(proof)
    write_new_file(file, dump_proof(proof))
    text = f"{file}: {proved_text(proved)}"
    show(proved_json(proved), text, as_json=as_json, done=f"written: {file}")


# --- check ---


@click.command(
    "check",
    short_help="Check a proof, without a database.",
    epilog=example(
        "evm-ledger check proof.json",
        "evm-ledger check proof.json --expect-seal $SEAL",
        "evm-ledger check balance.json --expect-root $ROOT",
        "evm-ledger check balances.json",
    ),
)
@click.argument("file", type=PATH)
@click.option(
    "--expect-seal", "seals", multiple=True, metavar="ID", help="A seal's id that you know."
)
@click.option(
    "--expect-root", "roots", multiple=True, metavar="ROOT", help="A tree's root that you know."
)
@click.option("--signer", metavar="ADDRESS", help="Who must have signed the last seal.")
@click.option(
    "--rpc", metavar="URL", help="Compare with the chain of this node too; needs --token."
)
@click.option("--token", metavar="ADDRESS", help="The token, as you know it from elsewhere.")
@json_option
@click.pass_context
def check(
    context: click.Context,
    *,
    file: Path,
    seals: tuple[str, ...],
    roots: tuple[str, ...],
    signer: str | None,
    rpc: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Recompute everything that the proof in FILE states; say what it proves, and against what.

    FILE may also be a whole tree of balances (prove balance --tree): then every node is recomputed,
    and what all accounts have together is shown.

    A proof is worth what you know of its seal, its root or its signer from elsewhere: compare
    them, or give them here. Exit codes: 0 it holds, 1 it does not, 2 it is no proof or the node
    did not tell.
    """
    if (rpc is None) != (token is None):
        raise FieldError("token", "a chain is compared with --rpc URL and --token ADDRESS")
    expected = _Expected(
        seals=[Hash32.parse(text, "expect-seal") for text in seals],
        roots=[Hash32.parse(text, "expect-root") for text in roots],
        signer=None if signer is None else Address.parse(signer, "signer"),
        rpc=rpc,
        token=None if token is None else Address.parse(token, "token"),
    )
    content, place = read_file(file), Place(file.name)
    checked = _check_balances if is_balances(content) else _check_proof
    try:
        value, text = checked(content, place, expected)
    except ProofError as error:
        value = {"ok": False, "what": error.what, "computed": error.computed}
        show({**value, "stated": error.stated}, f"DOES NOT HOLD: {error}", as_json=as_json)
        context.exit(EXIT_DIFFERS)
    show({"ok": True, **value}, text, as_json=as_json)


class _Expected(NamedTuple):
    """What the reader of a proof knows from elsewhere."""

    seals: list[Hash32]
    roots: list[Hash32]
    signer: Address | None
    rpc: str | None
    token: Address | None


def _check_proof(content: bytes, place: Place, expected: _Expected) -> tuple[dict[str, Any], str]:
    """Recompute a proof, compare it, and return what it proves, as JSON has it and for people."""
    proved = check_proof(parse_proof(content, place))
    proved.expect(seals=expected.seals, roots=expected.roots, signer=expected.signer)
    value, lines = proved_json(proved), [proved_text(proved)]
    if expected.rpc is not None and expected.token is not None:
        value["chain"], line = _on_chain(expected.rpc, expected.token, proved)
        lines.append(line)
    known = expected.seals or expected.signer if proved.is_sealed else None
    compared = bool(expected.roots or known or expected.rpc)
    if not compared:
        lines.append(_UNCOMPARED[proved.is_sealed])
    return {"compared": compared, **value}, "\n".join(lines)


def _check_balances(
    content: bytes, place: Place, expected: _Expected
) -> tuple[dict[str, Any], str]:
    """Recompute a whole tree of balances, compare its root, and return what it shows."""
    if expected.seals or expected.signer or expected.rpc:
        raise FieldError("expect-root", "a tree of balances is compared by its root alone")
    table = parse_balances(content, place)
    for root in expected.roots:
        if root != table.root:
            raise ProofError("the root", str(root), str(table.root))
    lines = [balances_text(table), *([] if expected.roots else [_UNCOMPARED[False]])]
    return {"compared": bool(expected.roots), **balances_json(table)}, "\n".join(lines)


def _on_chain(rpc: str, token: Address, proved: Proved) -> tuple[dict[str, Any], str]:
    """Compare a proof with a chain; return what was found, as JSON has it and for people."""
    with connected(rpc, None) as chain:
        found = check_on_chain(chain, proved, token)
    value = fields_json(found)
    value["later"] = [str(id_) for id_ in found.later]
    place = f"block {found.block_number} of chain {found.chain_id}"
    return value, f"on chain: the same root in {place}, transaction {found.transaction}"
