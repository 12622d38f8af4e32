"""The command `chain verify`."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from bridge.compare import replay_advice
from bridge.console import PATH, bars, connected, fields_json, named_ledger, rpc_options
from bridge.locate import whereabouts
from bridge.verify import LEVELS, LIVE_BLOCKS, verify
from bridge.verify_work import TAGS
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
    from pathlib import Path

    from bridge.chain import Chain
    from bridge.compare import Difference
    from bridge.locate import Located
    from bridge.verify import AssetVerified, VerifyReport
    from ledger import Ledger


_OLD: Final = 3_600
"""Seconds after which a head is so old that its node may be behind, or hold the chain back."""


def _live_blocks(_: click.Context, __: click.Parameter, value: str) -> int | None:
    """Return a number of blocks; None for `all`. Raises BadParameter."""
    if value == "all":
        return None
    if re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    raise click.BadParameter(f"{value!r} is neither a number of blocks nor `all`")


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
@click.option(
    "--live-blocks",
    default=str(LIVE_BLOCKS),
    callback=_live_blocks,
    show_default=True,
    metavar="N|all",
    help="At level 3: prove every log of a live token in the last N blocks, or in all since it "
    "went live, by the receipts; what moved before them is proven in its sum.",
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
    live_blocks: int | None,
    rpc: str,
    chain_id: int | None,
    database: Database,
    as_json: bool,
) -> None:
    """Compare ledger and chain, unit for unit, in one block.

    Exit codes: 0 they agree, 1 they do not (each mismatch is named), 2 it could not be told.
    """
    _check_usage(context, level, where=where)
    with (
        bars() as progress,
        named_ledger(context, database, folder, progress) as ledger,
        connected(rpc, chain_id) as chain,
    ):
        if where:
            found = _find(ledger, chain, block)
            agree, value, text = all(it.agree for it in found), _where_json(found), _where(found)
        else:
            report = verify(
                ledger, chain, level, block=block, live_blocks=live_blocks, progress=progress
            )
            late = block in TAGS and not chain.is_local_test
            notes = [*_sum_notes(report), *(_notes(report, time.time()) if late else [])]
            age = _age(time.time() - report.block_time)
            agree, value = report.agree, {**_verify_json(report), "notes": notes}
            text = "\n".join([_verify_text(report, age), *(f"note: {note}" for note in notes)])
    show(value, text, as_json=as_json)
    context.exit(0 if agree else EXIT_DIFFERS)


def _check_usage(context: click.Context, level: int, *, where: bool) -> None:
    """Raise UsageError for an option that would do nothing beside the others."""
    default = ParameterSource.DEFAULT
    if where and context.get_parameter_source("level") != default:
        raise click.UsageError(
            "--where asks for few heads and has no levels: leave --level out, or --where; every "
            "level names the first difference"
        )
    if context.get_parameter_source("live_blocks") != default and (where or level < max(LEVELS)):
        raise click.UsageError(
            f"--live-blocks is about proofs, and nothing is proven but by --level {max(LEVELS)}: "
            "give that, or leave --live-blocks out"
        )


def _find(ledger: Ledger, chain: Chain, block: str) -> list[Located]:
    """Return where chain and ledger part, by asset; not of assets that have never been used."""
    return [
        whereabouts(ledger, chain, asset.symbol, block=block)
        for asset in ledger.assets()
        if ledger.head(asset.symbol).seq or asset.operator is not None
    ]


def _where(found: list[Located]) -> str:
    """Return where chain and ledger part, for people."""
    return "\n".join(map(_where_text, found)) or "no asset has entries: there is nothing to compare"


def _where_text(found: Located) -> str:
    """Return where the histories of one asset part, for people."""
    if found.difference is not None:
        return f"{found.symbol}: first difference: {found.difference}"
    same = f"{found.symbol}: every head on the chain is the ledger's"
    if not found.waiting:
        return same
    more = counted(found.waiting, "entry is", "entries are")
    return f"{same}, and {more} not there: {replay_advice(live=found.live)}"


def _where_json(found: list[Located]) -> dict[str, object]:
    """Return where chain and ledger part, as JSON has it."""
    return {
        "agree": all(it.agree for it in found),
        "assets": [
            {**fields_json(it), "difference": _difference_json(it.difference)} for it in found
        ],
    }


def _difference_json(difference: Difference | None) -> dict[str, object] | None:
    """Return a difference as JSON has it."""
    return None if difference is None else fields_json(difference)


def _verify_text(report: VerifyReport, age: str) -> str:
    """Return a verification's outcome for people; `age` is the block's."""
    where = f"in block {report.block_number} ({report.block_hash}) of chain {report.chain_id}"
    where = f"{where}, {age} old"
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
    """Return how much is known of what moved since tokens went live."""
    if not (transfers := sum(asset.live_transfers for asset in report.assets)):
        return ""
    since = f"; {counted(transfers, 'transfer')} since"
    if report.level < max(LEVELS):
        return f"{since} by logs that the node gave"
    if all(asset.all_proven for asset in report.assets):
        return f"{since}, each proven"
    proven = sum(asset.proven_transfers for asset in report.assets)
    return f"{since}: {proven} proven one by one, {transfers - proven} in their sum only"


def _sum_notes(report: VerifyReport) -> list[str]:
    """Return what level 3 did not prove of what moved since tokens went live, and what does."""
    if report.level < max(LEVELS):
        return []
    return [
        f"{asset.symbol}: what moved long ago is proven in its sum only: transfers that cancel out "
        "may be missing or made up there; --live-blocks all proves each"
        for asset in report.assets
        if asset.token is not None and not asset.all_proven
    ]


def _notes(report: VerifyReport, now: float) -> list[str]:
    """Return what a person should know of a head that a node answered; `now` in seconds."""
    if (seconds := now - report.block_time) < _OLD:
        return []
    note = (
        f"block {report.block_number} was made {_age(seconds)} ago: the node is behind, or shows "
        "you an old block; compare its number and hash with another source"
    )
    return [note]


def _age(seconds: float) -> str:
    """Return a time span for people, in its greatest whole unit."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return counted(int(seconds // size), unit)
    return counted(max(0, int(seconds)), "second")


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
