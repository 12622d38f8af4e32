"""The command `chain plan`: what a replay will take, as a table or as JSON."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from bridge.console import PATH, bars, fields_json, limit_options, named_ledger
from bridge.plan import plan
from ledger.amounts import parse_amount
from ledger.console import Database, database_option, example, json_option, show
from ledger.measures import format_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.batches import Limits
    from bridge.plan import AssetPlan, Forecast, Plan, PlanTotal

_GWEI: Final = 9
_ETHER: Final = 18
"""Decimals: a gwei is 10**9 wei, an ether 10**18."""

_MOST_WEI: Final = 10**18

_SHARE: Final = "    an entry"

_Row: TypeAlias = "tuple[str, Sequence[str]]"
"""A line of the table: a label, and a number for each set of rules, or none."""


def _wei(_: click.Context, __: click.Parameter, text: str) -> int:
    """Return the wei of `text`, a number of gwei."""
    wei = parse_amount(text, _GWEI, "--gas-price")
    if wei > _MOST_WEI:
        raise click.BadParameter("is over a thousand million gwei, an ether a gas")
    return wei


@click.command(
    "plan",
    short_help="Say what a replay will take; needs no node.",
    epilog=example("evm-ledger chain plan --gas-price 0.5"),
)
@click.option(
    "--gas-price",
    required=True,
    callback=_wei,
    metavar="GWEI",
    help="What a gas costs, base fee and tip: a plain decimal such as 0.5.",
)
@click.option(
    "--export",
    "folder",
    type=PATH,
    metavar="DIR",
    help="Plan for the export in this folder, instead of a database.",
)
@limit_options
@database_option
@json_option
@click.pass_context
def chain_plan(
    context: click.Context,
    *,
    gas_price: int,
    folder: Path | None,
    limits: Limits,
    database: Database,
    as_json: bool,
) -> None:
    """Say what it takes to replay the whole ledger onto a chain that has nothing of it yet.

    Batches that are sealed are planned as they are sealed, the rest as if it were sealed now. Gas
    is counted as the contract counts it: by the rules of today, and by those of the next upgrade
    as they are drafted. For comparison, what one ERC-20 transfer in a transaction of its own for
    each entry would take.
    """
    with bars() as progress, named_ledger(context, database, folder, progress) as ledger:
        made = plan(ledger, limits=limits, progress=progress)
    show(_plan_json(made, gas_price), _plan_text(made, gas_price), as_json=as_json)


# --- for people ---


def _plan_text(made: Plan, price: int) -> str:
    """Return a plan for people."""
    entries, both = made.entries, (made.today, made.planned)
    rows: list[_Row] = [
        ("", [it.rules.name for it in both]),
        ("replay, a transaction a run", ()),
        *_rows([it.replay for it in both], price, entries),
        ("once: the contracts", ()),
        *_rows([it.deploy for it in both], price),
        ("once: finalize", ()),
        *_rows([it.finalize for it in both], price),
        ("all of it", ()),
        ("  cost in ETH", [_ether(_whole(it) * price) for it in both]),
        ("for comparison, a transaction a transfer", ()),
        *_rows([it.alone for it in both], price, entries),
        ("  gas, times that of the replay", [_times(it) for it in both]),
    ]
    lines = [*map(_asset_text, made.assets), "", *_aligned(rows), ""]
    if made.unsealed:
        waiting = _counted(made.unsealed, "entry is", "entries are")
        lines.append(f"{waiting} in no seal yet: planned as if sealed now")
    eips = ", ".join(map(str, made.planned.rules.eips))
    lines.append(f"{made.planned.rules.name}: as drafted, with EIP {eips}; it may still change")
    return "\n".join(lines)


def _asset_text(asset: AssetPlan) -> str:
    """Return what there is of an asset."""
    entries = _counted(asset.entries, "entry", "entries")
    line = f"{asset.symbol}: {entries} in {_counted(asset.batches, 'batch', 'batches')}"
    if asset.deferred_gas is None:
        return line
    modes = (f"deferred {asset.deferred_gas:,} gas", f"exact {asset.exact_gas:,}")
    taken, left = modes if asset.deferred else reversed(modes)
    return f"{line}, balances {taken} ({left})"


def _counted(number: int, one: str, many: str) -> str:
    """Return "1 batch", "2,000 batches"."""
    return f"{number:,} {one if number == 1 else many}"


def _rows(totals: Sequence[PlanTotal], price: int, entries: int = 0) -> list[_Row]:
    """Return the lines of one part; with a number of entries, all of them, and each one's share."""
    gas, costs = [it.gas for it in totals], [it.gas * price for it in totals]
    transactions = ("  transactions", [it.transactions for it in totals])
    in_gas: list[_Row] = [("  gas", [f"{it:,}" for it in gas])]
    if any(it.state_gas for it in totals):
        in_gas.append(("    of it state gas", [f"{it.state_gas:,}" for it in totals]))
    in_ether: list[_Row] = [("  cost in ETH", [_ether(it) for it in costs])]
    if not entries:
        return [_counts(*transactions), *in_gas, *in_ether]
    return [
        *_shared(*transactions, entries),
        *_shared("  calldata bytes", [it.calldata_bytes for it in totals], entries),
        *in_gas,
        (_SHARE, [f"{_share(it, entries):,}" for it in gas]),
        *_shared("  blocks they fill", [it.blocks for it in totals], entries),
        *in_ether,
        (_SHARE, [_ether(_share(it, entries)) for it in costs]),
    ]


def _counts(name: str, numbers: Sequence[int]) -> _Row:
    """Return a line of whole numbers."""
    return name, [f"{it:,}" for it in numbers]


def _shared(name: str, numbers: Sequence[int], entries: int) -> tuple[_Row, _Row]:
    """Return a line of whole numbers, and one of what an entry has of them."""
    return _counts(name, numbers), (_SHARE, [_ratio(it, entries) for it in numbers])


def _aligned(rows: Sequence[_Row]) -> list[str]:
    """Return rows as lines: labels to the left, numbers to the right."""
    label = max(len(name) for name, values in rows if values)
    widths = [
        max(map(len, column)) for column in zip(*filter(None, (it[1] for it in rows)), strict=True)
    ]
    return [
        "  ".join((f"{name:<{label}}", *map(str.rjust, values, widths))) if values else name
        for name, values in rows
    ]


def _whole(forecast: Forecast) -> int:
    """Return the gas of everything: deploy, replay, finalize."""
    return forecast.deploy.gas + forecast.replay.gas + forecast.finalize.gas


def _share(total: int, entries: int) -> int:
    """Return the part of each entry, rounded up."""
    return -(-total // entries)


def _ratio(total: int, entries: int) -> str:
    """Return the part of each entry, to the nearest millionth."""
    return format_ratio(Fraction(total, entries))


def _times(forecast: Forecast) -> str:
    """Return how many times the gas of the replay the comparison takes, to a tenth."""
    if not forecast.replay.gas:
        return "-"
    whole, tenths = divmod(10 * forecast.alone.gas // forecast.replay.gas, 10)
    return f"{whole}.{tenths}"


def _ether(wei: int) -> str:
    """Return an amount of wei in ether, exactly, and as wide as any other."""
    whole, rest = divmod(wei, 10**_ETHER)
    return f"{whole:,}.{rest:0{_ETHER}}"


# --- for programs ---


def _plan_json(made: Plan, price: int) -> dict[str, object]:
    """Return a plan as JSON has it; costs are text, because they pass 2**53."""
    return {
        "gas_price_wei": str(price),
        "gas_cap": made.limits.gas,
        "max_logs": made.limits.entries,
        "max_bytes": made.limits.transaction_bytes,
        "block_gas": made.limits.block_gas,
        "entries": made.entries,
        "unsealed": made.unsealed,
        "batches": made.batches,
        "assets": [fields_json(asset) for asset in made.assets],
        "rules": [_forecast_json(it, price, made.entries) for it in (made.today, made.planned)],
    }


def _forecast_json(forecast: Forecast, price: int, entries: int) -> dict[str, object]:
    """Return the plan by one set of rules."""
    return {
        "name": forecast.rules.name,
        "eips": list(forecast.rules.eips),
        "replay": _total_json(forecast.replay, price, entries),
        "deploy": _total_json(forecast.deploy, price),
        "finalize": _total_json(forecast.finalize, price),
        "cost_wei": str(_whole(forecast) * price),
        "alone": _total_json(forecast.alone, price, entries),
        "runs": [fields_json(run) for run in forecast.runs],
    }


def _total_json(total: PlanTotal, price: int, entries: int = 0) -> dict[str, object]:
    """Return what some transactions take; an entry's part of gas and cost is rounded up."""
    value = {**fields_json(total), "cost_wei": str(total.gas * price)}
    if entries:
        for name in ("transactions", "calldata_bytes", "blocks"):
            value[f"{name}_an_entry"] = _ratio(getattr(total, name), entries)
        value["gas_an_entry"] = _share(total.gas, entries)
        value["cost_wei_an_entry"] = str(_share(total.gas * price, entries))
    return value
