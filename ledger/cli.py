"""The commands of the ledger alone; `bridge.cli` is the whole command line."""

from __future__ import annotations

from typing import Final

from ledger.cli_accounts import account_group
from ledger.cli_db import db_group
from ledger.cli_entries import burn, mint, seal, transfer
from ledger.cli_figures import changes, supply
from ledger.cli_groups import group, reverse
from ledger.cli_holds import hold_group
from ledger.cli_legacy import import_legacy_command
from ledger.cli_reads import balance, statement
from ledger.cli_setup import asset_group, init

COMMANDS: Final = (
    init,
    asset_group,
    account_group,
    mint,
    burn,
    transfer,
    group,
    reverse,
    hold_group,
    balance,
    statement,
    supply,
    changes,
    seal,
    import_legacy_command,
    db_group,
)
"""In the order in which one comes to need them."""
