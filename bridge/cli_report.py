"""The command `chain report`."""

from __future__ import annotations

import click

from bridge.compatibility import ledger_chain_compatibility_report
from bridge.console import bars
from ledger.console import Database, database_option, example, json_option, show


@click.command(
    "report",
    short_help="Say what becomes of each field on a chain.",
    epilog=example("evm-ledger chain report"),
)
@database_option
@json_option
def chain_report(*, database: Database, as_json: bool) -> None:
    """Say what becomes of each field on a chain, and what of this ledger does not fit yet.

    By families of chains, those that are not supported too, and why. No node is asked. What stops
    a later command is marked so.
    """
    with database.open() as ledger, bars() as progress:
        report = ledger_chain_compatibility_report(ledger, progress=progress)
    show(report.to_json(), str(report), as_json=as_json)
