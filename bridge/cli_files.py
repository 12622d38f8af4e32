"""Commands that read and write files: audit, checkpoint, export, import, vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bridge.checkpoint import write_checkpoint
from bridge.console import PATH, bars, fields_json
from bridge.errors import TargetExistsError
from bridge.expected import read_expected
from bridge.export import export, write_secrets
from bridge.imports import import_ledger, read_secrets
from bridge.manifest import read_manifest
from bridge.signing import open_keystore, password_option
from bridge.strict import Place, load_json
from ledger.console import (
    EXIT_DIFFERS,
    Database,
    database_option,
    example,
    json_option,
    progress,
    show,
)
from ledger.errors import FieldError, LedgerError
from ledger.vectors import checks
from ledger.views import asset_json, counted, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from ledger import AuditReport, Ledger


@click.command(
    short_help="Recompute every id, head, balance and root.",
    epilog=example(
        "evm-ledger audit",
        "evm-ledger audit --expect-head backup-2026-01",
        "evm-ledger audit --expect-head seal.json --signer 0xf39F...2266",
    ),
)
@click.option(
    "--expect-head",
    "sources",
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
    sources: tuple[str, ...],
    signer: str | None,
    database: Database,
    as_json: bool,
) -> None:
    """Recompute ids, heads, balances, supply, batches and seals from what is stored.

    Names the first wrong row and exits with 1. A head from outside (--expect-head) finds a tail
    that was cut off, which nothing inside the database can show.
    """
    with database.open() as ledger:
        report = _audited(ledger, sources, signer)
    show(_audit_json(report), _audit_text(report), as_json=as_json)
    context.exit(0 if report.ok else EXIT_DIFFERS)


def _audited(ledger: Ledger, sources: tuple[str, ...], signer: str | None) -> AuditReport:
    """Audit the ledger against itself and against what `sources` say."""
    expected = read_expected(ledger, sources, signer)
    missing = expected.missing_asset(ledger)
    total = sum(ledger.head(asset.symbol).seq for asset in ledger.assets())
    with progress("audit", total) as advance:
        report = ledger.audit(expected.heads, advance)
    finding = report.finding or missing or expected.wrong_seal(ledger)
    return replace(report, finding=finding)


def _audit_json(report: AuditReport) -> dict[str, object]:
    """Return an audit's outcome as JSON has it."""
    heads = report.heads.items()
    return {
        "ok": report.ok,
        "assets": report.assets,
        "accounts": report.accounts,
        "entries": report.entries,
        "seals": report.seals,
        "heads": {symbol: {"seq": seq, "head": "0x" + head.hex()} for symbol, (seq, head) in heads},
        "finding": None if report.finding is None else fields_json(report.finding),
    }


def _audit_text(report: AuditReport) -> str:
    """Return an audit's outcome for people."""
    if report.finding is not None:
        return f"FOUND: {report.finding}"
    numbers = (
        counted(report.entries, "entry", "entries"),
        counted(report.accounts, "account"),
        counted(report.assets, "asset"),
        counted(report.seals, "seal"),
    )
    return f"ok: {', '.join(numbers)} recomputed"


@click.command(
    short_help="Sign the last seal, as evidence against a cut tail.",
    epilog=example("evm-ledger checkpoint seal.json --keystore key.json --password-file password"),
)
@click.argument("file", type=PATH)
@click.option(
    "--keystore",
    type=PATH,
    required=True,
    metavar="FILE",
    help="The key that signs (Web3 Secret Storage).",
)
@password_option
@database_option
@json_option
def checkpoint(
    *,
    file: Path,
    keystore: Path,
    password_file: Path | None,
    database: Database,
    as_json: bool,
) -> None:
    """Sign the last seal and write it to FILE; keep it where this database's owner cannot.

    Later `evm-ledger audit --expect-head FILE --signer ADDRESS` finds a tail that was cut off.
    """
    with database.open() as ledger:
        signer = open_keystore(keystore, password_file)
        sealed = write_checkpoint(ledger, file, signer)
    text = f"{file}: seal {sealed.seal.number} {sealed.id}, signed by {signer.address}"
    value = {"seal": sealed.seal.number, "id": str(sealed.id), "signer": str(signer.address)}
    show(value, text, as_json=as_json, done=f"written: {text}")


@click.command(
    "export",
    short_help="Write every sealed entry to FOLDER.",
    epilog=example("evm-ledger export backup-2026-01 --secrets backup-2026-01.secrets"),
)
@click.argument("folder", type=PATH)
@click.option(
    "--secrets",
    type=PATH,
    metavar="FILE",
    help="Also write the pepper to FILE (mode 0600). Keep it apart from the export.",
)
@database_option
@json_option
def export_command(
    *, folder: Path, secrets: Path | None, database: Database, as_json: bool
) -> None:
    """Write every sealed entry to FOLDER: anyone can import, audit and verify it.

    DuckDB, Polars and web3 open what is in it: Parquet as cryo writes it, CSV as ethereum-etl does,
    logs as eth_getLogs has them (docs/exports.md).
    """
    if secrets is not None and secrets.exists():
        raise TargetExistsError(f"{secrets} is there already: give a new name")
    with database.open() as ledger, bars() as report_progress:
        report = export(ledger, folder, progress=report_progress)
        if secrets is not None:
            write_secrets(ledger, secrets)
    numbers = (
        counted(report.entries, "entry", "entries"),
        counted(report.accounts, "account"),
        counted(report.batches, "batch", "batches"),
        counted(report.seals, "seal"),
    )
    text = f"{report.path}: {', '.join(numbers)}"
    done = f"written: {text}"
    if report.unsealed:
        text += f"\nnot sealed yet, so not in it: {report.unsealed} (evm-ledger seal)"
    show(fields_json(report), text, as_json=as_json, done=done)


@click.command(
    "import",
    short_help="Rebuild a ledger from an export.",
    epilog=example("evm-ledger import backup-2026-01 --database sqlite:///copy.db"),
)
@click.argument("folder", type=PATH)
@click.option(
    "--secrets",
    type=PATH,
    metavar="FILE",
    help="The pepper, as export --secrets wrote it. Without it the ledger is read-only.",
)
@database_option
@json_option
def import_command(
    *, folder: Path, secrets: Path | None, database: Database, as_json: bool
) -> None:
    """Rebuild a ledger from the export in FOLDER, if every id, head, balance and root recomputes.

    Settings that none of these covers are printed at the end: compare them with what you know.
    """
    pepper = None
    if secrets is not None:
        pepper = read_secrets(secrets, read_manifest(folder).ledger_id)
    with (
        bars() as report_progress,
        import_ledger(
            folder,
            database.url,
            pepper=pepper,
            lock_timeout=database.lock_timeout,
            progress=report_progress,
        ) as ledger,
    ):
        heads = {asset.symbol: ledger.head(asset.symbol) for asset in ledger.assets()}
        value = {
            "ledger_id": str(ledger.identity.ledger_id),
            "heads": {s: {"seq": h.seq, "head": str(h.head)} for s, h in heads.items()},
            "not_proved": _settings_json(ledger),
        }
        settings = _settings_text(ledger)
    entries = counted(sum(head.seq for head in heads.values()), "entry", "entries")
    text = f"imported {entries} of {counted(len(heads), 'asset')} into {database}"
    done = f"imported: {entries} of {counted(len(heads), 'asset')}"
    if pepper is None:
        text += "\nread-only: the pepper was not given (--secrets)"
    show(value, f"{text}\n{settings}", as_json=as_json, done=done)


def _settings_json(ledger: Ledger) -> dict[str, object]:
    """Return the settings that no id, head, balance or root covers, as JSON has them."""
    named = ("symbol", "endowment", "operator")
    assets = map(asset_json, ledger.assets())
    return {
        "registrar": str(ledger.identity.registrar),
        "assets": [{name: asset[name] for name in named} for asset in assets],
    }


def _settings_text(ledger: Ledger) -> str:
    """Return the same for people."""
    lines = [
        "no id proves these, so compare them with what you know:",
        f"  registrar of new accounts: {ledger.identity.registrar}",
    ]
    for asset in ledger.assets():
        operator = "no operator" if asset.operator is None else f"operator {asset.operator}"
        endowment = asset.format(asset.endowment)
        lines.append(f"  {one_line(asset.symbol)}: endowment {endowment}, {operator}")
    return "\n".join(lines)


@click.command(
    short_help="Recompute a file of golden vectors.",
    epilog=example("evm-ledger vectors vectors_v1.json"),
)
@click.argument("file", type=PATH)
@json_option
@click.pass_context
def vectors(context: click.Context, *, file: Path, as_json: bool) -> None:
    """Recompute every value of a file of golden vectors; name the first that differs.

    The format is that of tests/data/vectors_v1.json. Use it to check another implementation.
    """
    agreed = 0
    try:
        for check in checks(_document(file)):
            if not check.agrees:
                value = {"ok": False, "agreed": agreed, **check._asdict()}
                text = f"DIFFERS: {check.name} is {check.stated}, must be {check.computed}"
                show(value, text, as_json=as_json)
                context.exit(EXIT_DIFFERS)
            agreed += 1
    except FieldError as error:
        message = error.message.removeprefix(f"{error.field}: ")
        raise LedgerError(f"{file}: {error.field}: {message}") from None
    except RecursionError:
        raise LedgerError(f"{file}: is nested too deeply for a file of vectors") from None
    value = {"ok": True, "agreed": agreed}
    show(value, f"ok: {counted(agreed, 'value agrees', 'values agree')}", as_json=as_json)


def _document(file: Path) -> object:
    """Return the JSON in `file`."""
    place = Place(str(file))
    try:
        return load_json(place, file.read_bytes())
    except OSError as error:
        raise place.error(f"cannot be read ({error.strerror})") from None
