"""A deferral from the command line: created, planned, rehearsed, replayed, told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.support.nodes import Node


@pytest.fixture
def deferring(shell: Shell, node: Node) -> Shell:
    """Return a shell with a ledger whose token can defer, two batches, and its contracts."""
    shell.environment["EVM_LEDGER_RPC"] = node.url
    shell.run("init", "--symbol", "SCI", "--token-version", "LedgerTokenDeferred/1")
    for name in ("alice", "bob"):
        shell.run("account", "create", name)
        shell.run("seal")
    shell.run("chain", "deploy")
    return shell


def test_the_mode_is_chosen(deferring: Shell) -> None:
    planned = deferring.run("chain", "plan", "--gas-price", "1")
    assert re.search(r"\(deferred [\d,]+ gas\)", planned)  # it would cost more
    seen = deferring.json("chain", "replay", "--dry-run", "--mode", "deferred")
    assert [it["transactions"] for it in seen["assets"]] == [4]  # announced, two batches, settled
    seen = deferring.json("chain", "replay", "--dry-run", "--mode", "exact")
    assert [it["transactions"] for it in seen["assets"]] == [2]
    sent = deferring.run("chain", "replay", "--mode", "deferred")
    assert re.match(r"sent 2 batches with 2 entries to chain 31337, \d+ gas an entry\n", sent)
    assert deferring.run("chain", "verify", "--level", "3").startswith("agree: 2 entries")
    assert deferring.run("chain", "replay").startswith("nothing to send")


def test_only_a_token_that_can_defers(stocked: Shell, anvil: Node) -> None:
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    stocked.run("seal")
    stocked.run("chain", "deploy")
    assert "cannot defer balances" in stocked.fails("chain", "replay", "--mode", "deferred")
