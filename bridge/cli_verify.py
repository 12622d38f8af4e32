"""The command `chain verify`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bridge.console import PATH, bars, connected, fields_json, rpc_options
from bridge.locate import first_difference
from bridge.opened import open_export
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
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.chain import Chain
    from bridge.compare import Difference
    from bridge.progress import ReportProgress
    from bridge.verify import AssetVerified, VerifyReport
    from ledger import Ledger


@click.command(
    "verify",
    short_help="Compare ledger and chain, unit for unit.",
    epilog=example("evm-ledger chain verify --level 3 --block finalized"),
)
@click.option(
    "--level",
    type=click.IntRange(min(LEVELS), max(LEVELS)),
    default=2,
    show_default=True,
    help="1: every log and the history. 2: also every balance and the supply. 3: all of it by "
    "proof, down to the block's hash.",
)
@click.option(
    "--block",
    default="latest",
    show_default=True,
    metavar="BLOCK",
    help="latest, safe, finalized, a number, or a hash that you know from elsewhere.",
)
@click.option(
    "--export",
    "folder",
    type=PATH,
    metavar="DIR",
    help="Verify what this export holds, without a database.",
)
@click.option(
    "--where",
    is_flag=True,
    help="Only find the first entry that differs, by few questions (a bisection over heads).",
)
@rpc_options
@database_option
@json_option
@click.pass_context
def chain_verify(
    context: click.Context,
    *,
    level: int,
    block: str,
    folder: Path | None,
    where: bool,
    rpc: str,
    chain_id: int | None,
    database: Database,
    as_json: bool,
) -> None:
    """Compare ledger and chain, unit for unit, in one block.

    Exit codes: 0 they agree, 1 they do not (each mismatch is named), 2 it could not be told.
    """
    with (
        bars() as progress,
        _opened(database, folder, progress) as ledger,
        connected(rpc, chain_id) as chain,
    ):
        if where:
            found = _find(ledger, chain, block)
            agree, value, text = not any(found.values()), _where_json(found), _where_text(found)
        else:
            report = verify(ledger, chain, level, block=block, progress=progress)
            agree, value, text = report.agree, _verify_json(report), _verify_text(report)
    show(value, text, as_json=as_json)
    context.exit(0 if agree else EXIT_DIFFERS)


def _find(ledger: Ledger, chain: Chain, block: str) -> dict[str, Difference | None]:
    """Return where chain and ledger part, by asset; not of assets that have never been used."""
    return {
        asset.symbol: first_difference(ledger, chain, asset.symbol, block=block)
        for asset in ledger.assets()
        if ledger.head(asset.symbol).seq or asset.operator is not None
    }


@contextmanager
def _opened(database: Database, folder: Path | None, progress: ReportProgress) -> Iterator[Ledger]:
    """Give the ledger to verify: an export's, if one is named."""
    if folder is None:
        with database.open() as ledger:
            yield ledger
    else:
        with open_export(folder, progress=progress) as ledger:
            yield ledger


def _where_text(found: dict[str, Difference | None]) -> str:
    """Return where chain and ledger part, for people."""
    lines = [
        f"{symbol}: every head on the chain is the ledger's"
        if difference is None
        else f"{symbol}: first difference: {difference}"
        for symbol, difference in found.items()
    ]
    return "\n".join(lines) or "no asset has entries: there is nothing to compare"


def _where_json(found: dict[str, Difference | None]) -> dict[str, object]:
    """Return where chain and ledger part, as JSON has it."""
    return {
        "agree": not any(found.values()),
        "assets": [
            {"symbol": symbol, "difference": _difference_json(difference)}
            for symbol, difference in found.items()
        ],
    }


def _difference_json(difference: Difference | None) -> dict[str, object] | None:
    """Return a difference as JSON has it."""
    return None if difference is None else fields_json(difference)


def _verify_text(report: VerifyReport) -> str:
    """Return a verification's outcome for people."""
    where = f"in block {report.block_number} ({report.block_hash}) of chain {report.chain_id}"
    if report.agree:
        entries = counted(sum(asset.entries for asset in report.assets), "entry", "entries")
        balances = counted(sum(asset.balances for asset in report.assets), "balance")
        proven = "proven " if report.level == max(LEVELS) else ""
        return f"agree: {entries}, {balances}, {proven}{where}{_live_text(report)}"
    lines = [f"MISMATCH: {mismatch}" for mismatch in report.mismatches]
    if report.omitted:
        lines.append(f"... and {report.omitted} more")
    lines += [
        f"first difference: {asset.difference}" for asset in report.assets if asset.difference
    ]
    number = len(report.mismatches) + report.omitted
    return "\n".join([*lines, f"{counted(number, 'mismatch', 'mismatches')} {where}"])


def _live_text(report: VerifyReport) -> str:
    """Return what is not proven at any level: the logs of transfers of a live token."""
    if not (transfers := sum(asset.live_transfers for asset in report.assets)):
        return ""
    return f"; {counted(transfers, 'transfer')} since by logs that the node gave"


def _verify_json(report: VerifyReport) -> dict[str, object]:
    """Return a verification's outcome as JSON has it."""
    return {
        **fields_json(report),
        "agree": report.agree,
        "assets": [_asset_json(asset) for asset in report.assets],
        "mismatches": [fields_json(mismatch) for mismatch in report.mismatches],
    }


def _asset_json(asset: AssetVerified) -> dict[str, object]:
    """Return what was compared of an asset, as JSON has it."""
    return {**fields_json(asset), "difference": _difference_json(asset.difference)}
