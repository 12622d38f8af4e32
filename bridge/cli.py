"""The command line: the ledger's own commands, and export, import, chain, vectors, demo."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from bridge.chain import Chain
from bridge.checkpoint import write_checkpoint
from bridge.demo import run_demo
from bridge.deploy import deploy
from bridge.errors import KeyFileError
from bridge.expected import expected_heads
from bridge.export import export, write_secrets
from bridge.imports import import_ledger, read_secrets
from bridge.keys import Signer
from bridge.manifest import read_manifest
from bridge.replay import replay
from bridge.verify import LEVELS, verify
from ledger import Ledger
from ledger.cli import main
from ledger.console import EXIT_DIFFERS, database_option, json_option, progress, show, table
from ledger.errors import FieldError
from ledger.vectors import checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.progress import Progress, ReportProgress
    from bridge.replay import ReplayReport
    from bridge.verify import VerifyReport

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_RPC = "http://127.0.0.1:8545"

__all__ = ["main"]


@contextmanager
def _bars() -> Iterator[ReportProgress]:
    """Give a progress function that draws one bar a step, on a terminal only."""
    state: dict[str, Any] = {"step": None, "done": 0, "bar": None, "leave": None}

    def close() -> None:
        if state["leave"] is not None:
            state["leave"].__exit__(None, None, None)

    def report(now: Progress) -> None:
        if now.step != state["step"]:
            close()
            state.update(step=now.step, done=0, leave=progress(now.step, now.total, "entries"))
            state["bar"] = state["leave"].__enter__()
        state["bar"](now.done - state["done"])
        state["done"] = now.done

    try:
        yield report
    finally:
        close()


# --- audit -----------------------------------------------------------------------------------


@main.command()
@click.option(
    "--expect-head",
    "expected",
    multiple=True,
    metavar="HEAD",
    help="SYMBOL:SEQ:0xHEAD, an export's folder or manifest.json, a checkpoint file, or the "
    "URL of a node. May be given more than once.",
)
@click.option("--signer", metavar="ADDRESS", help="Who must have signed the checkpoint file.")
@database_option
@json_option
@click.pass_context
def audit(
    context: click.Context,
    *,
    expected: tuple[str, ...],
    signer: str | None,
    database: str,
    as_json: bool,
) -> None:
    """Recompute everything stored: ids, heads, balances, supply, batches, seals.

    Names the first wrong row and exits with 1. A head from outside (--expect-head) finds a tail
    that was cut off, which nothing inside the database can show.
    """
    with Ledger.open(database) as ledger:
        heads = expected_heads(ledger, expected, signer)
        total = sum(ledger.head(asset.symbol).seq for asset in ledger.assets())
        with progress("audit", total) as advance:
            report = ledger.audit(heads, advance)
        value = {
            "ok": report.ok,
            "assets": report.assets,
            "accounts": report.accounts,
            "entries": report.entries,
            "seals": report.seals,
            "heads": {
                s: {"seq": seq, "head": "0x" + h.hex()} for s, (seq, h) in report.heads.items()
            },
            "finding": None if report.finding is None else _fields(report.finding),
        }
        text = (
            f"ok: {report.entries} entries, {report.accounts} accounts, {report.assets} assets, "
            f"{report.seals} seals recomputed"
            if report.ok
            else f"FOUND: {report.finding}"
        )
        show(value, text, as_json=as_json)
        context.exit(0 if report.ok else EXIT_DIFFERS)


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 (any frozen dataclass)
    """Return a dataclass as JSON has it."""
    return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}


def _plain(value: object) -> object:
    """Return a field as JSON has it: bytes and hashes as 0x text."""
    return value if value is None or isinstance(value, int | str | bool) else str(value)


# --- files -----------------------------------------------------------------------------------


@main.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--secrets",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the pepper to FILE (mode 0600). Keep it apart from the export.",
)
@database_option
@json_option
def export_command(*, folder: Path, secrets: Path | None, database: str, as_json: bool) -> None:
    """Write every sealed entry to FOLDER: anyone can import, audit and verify it.

    \b
    Example:
      evm-ledger seal && evm-ledger export backup-2026-01
    """  # noqa: D301 (click's mark for text that is not wrapped)
    with Ledger.open(database) as ledger, _bars() as bars:
        report = export(ledger, folder, progress=bars)
        if secrets is not None:
            write_secrets(ledger, secrets)
    text = (
        f"{report.path}: {report.entries} entries, {report.accounts} accounts, "
        f"{report.batches} batches, {report.seals} seals"
    )
    if report.unsealed:
        text += f"\n{report.unsealed} entries wait for a seal and are not in it: evm-ledger seal"
    show(_fields(report), text, as_json=as_json)


@main.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--secrets",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The pepper, as export --secrets wrote it. Without it the ledger is read-only.",
)
@database_option
@json_option
def import_command(*, folder: Path, secrets: Path | None, database: str, as_json: bool) -> None:
    """Rebuild a ledger from the export in FOLDER, if every id, head and root recomputes."""
    pepper = None
    if secrets is not None:
        pepper = read_secrets(secrets, read_manifest(folder).ledger_id)
    with _bars() as bars, import_ledger(folder, database, pepper=pepper, progress=bars) as ledger:
        heads = {asset.symbol: ledger.head(asset.symbol) for asset in ledger.assets()}
        value = {
            "ledger_id": str(ledger.identity.ledger_id),
            "heads": {s: {"seq": h.seq, "head": str(h.head)} for s, h in heads.items()},
        }
        entries = sum(head.seq for head in heads.values())
        text = f"imported {entries} entries of {len(heads)} assets into {database}"
        if pepper is None:
            text += "\nread-only: the pepper was not given (--secrets)"
        show(value, text, as_json=as_json)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def vectors(context: click.Context, *, file: Path, as_json: bool) -> None:
    """Recompute every value of a file of golden vectors; name the first that differs.

    The format is that of tests/data/vectors_v1.json. Use it to check another implementation.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FieldError("file", f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise FieldError("file", f"{file} is not JSON: {error}") from None
    agreed = 0
    for check in checks(document):
        if not check.agrees:
            value = {"ok": False, "agreed": agreed, **check._asdict()}
            text = f"DIFFERS: {check.name} is {check.stated}, must be {check.computed}"
            show(value, text, as_json=as_json)
            context.exit(EXIT_DIFFERS)
        agreed += 1
    show({"ok": True, "agreed": agreed}, f"ok: {agreed} values agree", as_json=as_json)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--keystore", type=click.Path(path_type=Path), required=True, metavar="FILE")
@click.option("--password-file", type=click.Path(path_type=Path), metavar="FILE")
@database_option
@json_option
def checkpoint(
    *, file: Path, keystore: Path, password_file: Path | None, database: str, as_json: bool
) -> None:
    """Sign the last seal and write it to FILE; keep it where this database's owner cannot.

    Later `evm-ledger audit --expect-head FILE --signer ADDRESS` finds a tail that was cut off.
    """
    signer = _signer(keystore, password_file)
    with Ledger.open(database) as ledger:
        sealed = write_checkpoint(ledger, file, signer)
    text = f"{file}: seal {sealed.seal.number} {sealed.id}, signed by {signer.address}"
    value = {"seal": sealed.seal.number, "id": str(sealed.id), "signer": str(signer.address)}
    show(value, text, as_json=as_json)


# --- chain -----------------------------------------------------------------------------------


@main.group("chain")
def chain_group() -> None:
    """Deploy, replay and verify on an EVM chain."""


def rpc_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add what reaches a node."""
    command = click.option(
        "--chain-id", type=int, help="Refuse a node that serves another chain than this."
    )(command)
    return click.option(
        "--rpc",
        envvar="EVM_LEDGER_RPC",
        default=DEFAULT_RPC,
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="The node's JSON-RPC.",
    )(command)


def key_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add what signs."""
    command = click.option(
        "--password-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The keystore's password; asked for if not given.",
    )(command)
    return click.option(
        "--keystore",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The operator's key (Web3 Secret Storage). On a local test chain its first account "
        "signs if none is given.",
    )(command)


def _signer(keystore: Path | None, password_file: Path | None) -> Signer:
    """Return who signs: a keystore's key or, without one, the public key of local test chains."""
    if keystore is None:
        return Signer.for_test_chain()
    if password_file is None:
        password = click.prompt(f"Password of {keystore}", hide_input=True, err=True)
    else:
        try:
            password = password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise KeyFileError(f"{password_file}: cannot be read ({error.strerror})") from None
    return Signer.from_keystore(keystore, password)


@contextmanager
def _connected(rpc: str, chain_id: int | None, *, keyless: bool = False) -> Iterator[Chain]:
    """Give a connection to the node; without a keystore, to a local test chain only."""
    with Chain.connect(rpc, expected_chain_id=chain_id) as chain:
        if keyless and not chain.is_local_test:
            raise KeyFileError(
                f"chain {chain.chain_id} is no local test chain: give the operator's --keystore"
            )
        yield chain


@chain_group.command("deploy")
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
    database: str,
    as_json: bool,
) -> None:
    """Put the account factory and each asset's token on the chain, where they are not yet."""
    with (
        Ledger.open(database) as ledger,
        _connected(rpc, chain_id, keyless=keystore is None) as chain,
        _bars() as bars,
    ):
        signer = _signer(keystore, password_file)
        report = deploy(
            ledger, chain, signer, allow_own_registrar=allow_own_registrar, progress=bars
        )
    rows = [
        (one.name, one.address, "deployed" if one.is_new else "there", one.gas_used)
        for one in (report.factory, *report.tokens)
    ]
    text = table(rows, ("contract", "address", "state", "gas"))
    value = {
        "chain_id": report.chain_id,
        "gas_used": report.gas_used,
        "contracts": [_fields(one) for one in (report.factory, *report.tokens)],
    }
    show(value, text, as_json=as_json)


@chain_group.command("replay")
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
    database: str,
    as_json: bool,
) -> None:
    """Send every sealed batch that the chain does not have yet.

    Stop it whenever you like and run it again: the contract says where it stands, and a run that
    finds nothing to do sends nothing.
    """
    with (
        Ledger.open(database) as ledger,
        _connected(rpc, chain_id, keyless=keystore is None) as chain,
        _bars() as bars,
    ):
        report = replay(ledger, chain, _signer(keystore, password_file), progress=bars)
    show(_replay_json(report), _replay_text(report), as_json=as_json)


def _replay_text(report: ReplayReport) -> str:
    """Return a replay's outcome for people."""
    gas = f", {report.gas_used / report.entries:.0f} gas an entry" if report.entries else ""
    sent = f"sent {report.batches} batches with {report.entries} entries"
    lines = [f"{sent} to chain {report.chain_id}{gas}"]
    if report.unsealed:
        lines.append(f"{report.unsealed} entries wait for a seal: evm-ledger seal")
    return "\n".join(lines)


def _replay_json(report: ReplayReport) -> dict[str, object]:
    """Return a replay's outcome as JSON has it."""
    assets = []
    for asset in report.assets:
        fields = _fields(asset)
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


@chain_group.command("verify")
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
    database: str,
    as_json: bool,
) -> None:
    """Compare ledger and chain, unit for unit, in one block.

    Exit codes: 0 they agree, 1 they do not (each mismatch is named), 2 it could not be told.
    """
    with (
        Ledger.open(database) as ledger,
        _connected(rpc, chain_id) as chain,
        _bars() as bars,
    ):
        report = verify(ledger, chain, level, progress=bars)
    show(_verify_json(report), _verify_text(report), as_json=as_json)
    context.exit(0 if report.agree else EXIT_DIFFERS)


def _verify_text(report: VerifyReport) -> str:
    """Return a verification's outcome for people."""
    entries = sum(asset.entries for asset in report.assets)
    balances = sum(asset.balances for asset in report.assets)
    where = f"block {report.block_number} ({report.block_hash}) of chain {report.chain_id}"
    if report.agree:
        return f"agree: {entries} entries, {balances} balances, in {where}"
    lines = [f"MISMATCH: {mismatch}" for mismatch in report.mismatches]
    if report.omitted:
        lines.append(f"... and {report.omitted} more")
    return "\n".join([*lines, f"{len(report.mismatches) + report.omitted} mismatches in {where}"])


def _verify_json(report: VerifyReport) -> dict[str, object]:
    """Return a verification's outcome as JSON has it."""
    return {
        **_fields(report),
        "agree": report.agree,
        "assets": [_fields(asset) for asset in report.assets],
        "mismatches": [_fields(mismatch) for mismatch in report.mismatches],
    }


# --- demo ------------------------------------------------------------------------------------


@main.command()
@click.option("--anvil", metavar="PATH", help="The Anvil to start.  [default: the one on PATH]")
@click.option("--rpc", metavar="URL", help="A running local test node to use instead.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A new folder for what it makes.  [default: a temporary one]",
)
def demo(*, anvil: str | None, rpc: str | None, folder: Path | None) -> None:
    """Show the whole job: book, seal, export, deploy, replay, verify, tamper and find it."""
    run_demo(anvil=anvil, rpc=rpc, folder=folder, say=click.echo)
