"""The command that imports a ledger of the first specification: import-legacy."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

import click

from ledger.cli_arguments import one_asset
from ledger.console import (
    EXIT_DIFFERS,
    Database,
    asset_option,
    database_option,
    example,
    json_option,
    progress,
    show,
)
from ledger.legacy import import_legacy
from ledger.legacy_model import ACCEPTABLE, DefectKind
from ledger.legacy_rows import shown
from ledger.legacy_source import source_name
from ledger.views import amount_json, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.legacy import LegacyReport
    from ledger.legacy_model import Defect, Posting, Rounding
    from ledger.results import Asset

_SHOWN = 20
"""Defects of one kind that people are shown; --json has all."""


@click.command(
    "import-legacy",
    short_help="Import a ledger of the first specification.",
    epilog=example(
        "evm-ledger import-legacy old.db --dry-run",
        "evm-ledger import-legacy old.db --accept",
        "evm-ledger import-legacy postgresql://localhost/old --accept-kind no-history",
    ),
)
@click.argument("source", metavar="FILE_OR_URL")
@click.option("--dry-run", is_flag=True, help="Report only.")
@click.option("--accept", is_flag=True, help="Book a correction for all that does not add up.")
@click.option(
    "--accept-kind",
    "kinds",
    multiple=True,
    type=click.Choice(sorted(kind.value for kind in ACCEPTABLE)),
    metavar="KIND",
    help="The same for defects of one kind, such as balance-differs. May be given more than once.",
)
@asset_option
@database_option
@json_option
@click.pass_context
def import_legacy_command(
    context: click.Context,
    *,
    source: str,
    dry_run: bool,
    accept: bool,
    kinds: tuple[str, ...],
    asset: str | None,
    database: Database,
    as_json: bool,
) -> None:
    """Import the old token_ledger and token_accounts in FILE_OR_URL into an empty journal.

    FILE_OR_URL is a SQLite file or the URL of a PostgreSQL database; it is never changed. Amounts
    are converted exactly, entries keep their times. What does not add up is reported, row by row,
    before anything is written; then the command ends with 1 and nothing was written, unless it was
    accepted. Run it again after an interruption: what is booked is not booked twice.
    """
    accepted = ACCEPTABLE if accept else frozenset(map(DefectKind, kinds))
    with database.open() as ledger, progress("import", None) as advance:
        report = import_legacy(
            ledger,
            source,
            asset=one_asset(ledger, asset).symbol,
            accept=accepted,
            dry_run=dry_run,
            progress=advance,
        )
    text = "\n".join(_lines(report, source_name(source), dry_run=dry_run))
    done = f"imported {counted(report.booked, 'entry', 'entries')}" if report.booked else ""
    show(_report_json(report, dry_run=dry_run), text, as_json=as_json, done=done)
    context.exit(0 if report.ok else EXIT_DIFFERS)


# --- for people ------------------------------------------------------------------------------


def _lines(report: LegacyReport, source: str, *, dry_run: bool) -> Iterator[str]:
    """Say what was found, by kind, then what was booked."""
    plan, asset = report.plan, report.asset
    rows = counted(plan.rows, "entry", "entries")
    yield f"{source}: {rows}, {counted(plan.accounts, 'account')}"
    for _, same in groupby(sorted(plan.defects, key=_kind), key=_kind):
        yield from _defect_lines(list(same), report)
    if plan.rounded_after or plan.roundings:
        yield _rounding_line(report)
    if plan.moved:
        moved = counted(plan.moved, "entry", "entries")
        yield f"times: {moved} moved, as no two share a microsecond"
    if plan.left_out:
        yield f"left out: {counted(plan.left_out, 'entry', 'entries')}"
    if not report.ok:
        yield _refused_line(report)
        return
    for posting in plan.corrections[:_SHOWN]:
        yield f"correction: {_correction_line(asset, posting)}"
    if len(plan.corrections) > _SHOWN:
        yield f"... and {len(plan.corrections) - _SHOWN} more corrections (--json has all)"
    yield _booked_line(report, dry_run=dry_run)


def _kind(defect: Defect) -> DefectKind:
    """Return what defects are grouped by."""
    return defect.kind


def _defect_lines(defects: list[Defect], report: LegacyReport) -> Iterator[str]:
    """Say which defects of one kind there are."""
    kind = defects[0].kind
    refused = any(defect.kind is kind for defect in report.refused)
    for defect in defects[:_SHOWN]:
        accepted = defect.if_accepted or "cannot be accepted: repair it in a copy"
        choice = f"--accept: {accepted}" if refused and defect.if_accepted else accepted
        yield f"{kind}: {defect} ({choice})"
    if len(defects) > _SHOWN:
        yield f"{kind}: ... and {len(defects) - _SHOWN} more (--json has all)"


def _rounding_line(report: LegacyReport) -> str:
    """Say how far the roundings of the old program went."""
    plan = report.plan
    stored = counted(len(plan.roundings) + plan.rounded_after, "stored number")
    far = max((abs(it.stored - it.exact) for it in plan.roundings), default=Decimal(0))
    most = f", of balances and totals by {far:.1e} at most" if far else ""
    return f"rounding: {stored} off as floating point is{most}; the exact sums stand"


def _refused_line(report: LegacyReport) -> str:
    """Say that nothing was written, and why."""
    kinds = Counter(defect.kind for defect in report.refused)
    defects = counted(len(report.refused), "defect")
    listed = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return f"nothing was written: {defects} ({listed})"


def _correction_line(asset: Asset, posting: Posting) -> str:
    """Say what a correction books, and why."""
    movement = posting.movement
    amount = f"{asset.format(movement.amount)} {asset.symbol}"
    why = f"{movement.reference_type} {movement.reference_id}: {movement.memo}"
    return f"{amount}  {movement.from_account} -> {movement.to_account}  ({why})"


def _booked_line(report: LegacyReport, *, dry_run: bool) -> str:
    """Say what was booked, or would be, and what the ledger then holds."""
    plan, asset = report.plan, report.asset
    count = len(plan.postings) - report.booked_before if dry_run else report.booked
    booked = f"{'would book' if dry_run else 'booked'} {counted(count, 'entry', 'entries')}"
    if report.booked_before:
        booked += f", {report.booked_before} were booked before"
    supply = asset.format(plan.minted - plan.burned)
    return (
        f"{booked}; minted {asset.format(plan.minted)}, burned {asset.format(plan.burned)}, "
        f"supply {supply} {asset.symbol}; the old balances add up to {shown(plan.stored)}"
    )


# --- for programs ----------------------------------------------------------------------------


def _report_json(report: LegacyReport, *, dry_run: bool) -> dict[str, object]:
    """Return a report as JSON has it."""
    plan, asset, refused = report.plan, report.asset, set(report.refused)
    return {
        "ok": report.ok,
        "dry_run": dry_run,
        "asset": asset.symbol,
        "old_entries": plan.rows,
        "old_accounts": plan.accounts,
        "planned": len(plan.postings),
        "booked": report.booked,
        "booked_before": report.booked_before,
        "left_out": plan.left_out,
        "moved": plan.moved,
        "minted": amount_json(asset, plan.minted),
        "burned": amount_json(asset, plan.burned),
        "supply": amount_json(asset, plan.minted - plan.burned),
        "stored_total": shown(plan.stored),
        "defects": [_defect_json(it, accepted=it not in refused) for it in plan.defects],
        "corrections": [_correction_json(asset, it) for it in plan.corrections],
        "roundings": [_rounding_json(it) for it in plan.roundings],
        "rounded_balances_after": plan.rounded_after,
    }


def _defect_json(defect: Defect, *, accepted: bool) -> dict[str, object]:
    """Return a defect as JSON has it."""
    return {
        "kind": str(defect.kind),
        "table": defect.table,
        "row": defect.row,
        "name": defect.name,
        "field": defect.field,
        "message": defect.message,
        "if_accepted": defect.if_accepted or None,
        "accepted": accepted,
    }


def _correction_json(asset: Asset, posting: Posting) -> dict[str, object]:
    """Return a correction as JSON has it."""
    movement = posting.movement
    return {
        "timestamp": str(posting.at),
        "from_account": movement.from_account,
        "to_account": movement.to_account,
        "amount": amount_json(asset, movement.amount),
        "reference_type": movement.reference_type,
        "reference_id": movement.reference_id,
        "memo": movement.memo,
        "idempotency_key": movement.idempotency_key,
    }


def _rounding_json(rounding: Rounding) -> dict[str, object]:
    """Return a rounding as JSON has it."""
    return {
        "account_id": rounding.account_id,
        "row": rounding.row,
        "field": rounding.field,
        "stored": shown(rounding.stored),
        "exact": shown(rounding.exact),
    }
