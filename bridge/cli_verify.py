"""The command `chain verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.console import bars, connected, fields_json, rpc_options
from bridge.verify import LEVELS, verify
from ledger.console import (
    EXIT_DIFFERS,
    Database,
    database_option,
    example,
    json_option,
    show,
)
from ledger.views import counted

if TYPE_CHECKING:
    from bridge.verify import VerifyReport


@click.command(
    "verify",
    short_help="Compare ledger and chain, unit for unit.",
    epilog=example("evm-ledger chain verify --level 1"),
)
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
    database: Database,
    as_json: bool,
) -> None:
    """Compare ledger and chain, unit for unit, in one block.

    Exit codes: 0 they agree, 1 they do not (each mismatch is named), 2 it could not be told.
    """
    with database.open() as ledger, connected(rpc, chain_id) as chain, bars() as progress:
        report = verify(ledger, chain, level, progress=progress)
    show(_verify_json(report), _verify_text(report), as_json=as_json)
    context.exit(0 if report.agree else EXIT_DIFFERS)


def _verify_text(report: VerifyReport) -> str:
    """Return a verification's outcome for people."""
    where = f"in block {report.block_number} ({report.block_hash}) of chain {report.chain_id}"
    if report.agree:
        entries = counted(sum(asset.entries for asset in report.assets), "entry", "entries")
        balances = counted(sum(asset.balances for asset in report.assets), "balance")
        return f"agree: {entries}, {balances}, {where}"
    lines = [f"MISMATCH: {mismatch}" for mismatch in report.mismatches]
    if report.omitted:
        lines.append(f"... and {report.omitted} more")
    number = len(report.mismatches) + report.omitted
    return "\n".join([*lines, f"{counted(number, 'mismatch', 'mismatches')} {where}"])


def _verify_json(report: VerifyReport) -> dict[str, object]:
    """Return a verification's outcome as JSON has it."""
    return {
        **fields_json(report),
        "agree": report.agree,
        "assets": [fields_json(asset) for asset in report.assets],
        "mismatches": [fields_json(mismatch) for mismatch in report.mismatches],
    }
