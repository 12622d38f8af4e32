"""The command line, `evm-ledger`: every command, in the order in which one comes to need them."""

from __future__ import annotations

import click

from bridge.cli_chain import chain_deploy, demo
from bridge.cli_claims import account_group, claim_group
from bridge.cli_files import audit, checkpoint, export_command, import_command, vectors
from bridge.cli_live import chain_finalize, operator_group
from bridge.cli_plan import chain_plan
from bridge.cli_proofs import check, prove_group
from bridge.cli_replay import chain_replay, chain_status
from bridge.cli_report import chain_report
from bridge.cli_serve import key_group, serve
from bridge.cli_verify import chain_verify
from bridge.console import ask_wallet
from ledger import cli
from ledger.console import Commands, Program

__all__ = ["main"]

# \b keeps click from filling the lines after it into a paragraph.
HELP = """A SQL ledger that is already a chain.

Amounts are whole tokens in plain decimals (12.5); nothing is ever rounded.

\b
Exit codes:
  0    done
  1    audit, verify, check, vectors or import-legacy found a difference
  2    the command could not do its work
  3    done, but its output could not be written: do not run it again
  130  interrupted
  141  the reader of the output has gone; nothing was changed
"""


@click.group(
    "evm-ledger",
    cls=Program,
    help=HELP,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "obj": ask_wallet,  # which the ledger's commands, who know no chain, are given
    },
    epilog="Start: evm-ledger init --symbol SCI --name 'SCI token'",
)
@click.version_option(package_name="evm-ledger")
def main() -> None:
    """A SQL ledger that is already a chain."""


@click.group("chain", cls=Commands)
def chain_group() -> None:
    """Deploy, replay, verify and go live on an EVM chain."""


for command in (
    chain_report,
    chain_plan,
    chain_deploy,
    chain_replay,
    chain_verify,
    operator_group,
    chain_status,
    chain_finalize,
    claim_group,
    account_group,
):
    chain_group.add_command(command)

for command in (
    *cli.COMMANDS,
    audit,
    checkpoint,
    export_command,
    import_command,
    prove_group,
    check,
    chain_group,
    serve,
    key_group,
    vectors,
    demo,
):
    main.add_command(command)
