"""`chain verify` on a command line: levels, blocks, exports, and where to look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bridge.chain import Chain
from tests.ledger.support import attacker

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.support.nodes import Node


@pytest.fixture
def online(stocked: Shell, anvil: Node) -> Shell:
    """Return a shell whose ledger is on a chain, two entries in one batch."""
    stocked.run("seal")
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    stocked.run("chain", "deploy")
    stocked.run("chain", "replay")
    return stocked


def test_level_3_names_the_block_to_which_all_is_proven(online: Shell, anvil: Node) -> None:
    with Chain.connect(anvil.url) as chain:
        at = chain.block()
    expected = (
        f"agree: 2 entries, 2 balances, proven in block {at.number} ({at.hash}) of chain 31337\n"
    )
    for block in ("latest", str(at.number), str(at.hash)):
        assert online.run("chain", "verify", "--level", "3", "--block", block) == expected
    found = online.json("chain", "verify", "--level", "3")
    assert (found["level"], found["agree"], found["block_hash"]) == (3, True, str(at.hash))
    [asset] = found["assets"]
    assert (asset["balances"], asset["live_transfers"], asset["difference"]) == (2, 0, None)
    assert "has no block" in online.fails("chain", "verify", "--block", "0x" + "11" * 32)
    assert "block: 'soon' is none" in online.fails("chain", "verify", "--block", "soon")


def test_an_export_is_verified_without_a_database(online: Shell) -> None:
    online.run("export", "out")
    online.environment["EVM_LEDGER_DATABASE"] = "sqlite:///nowhere.db"
    for level in ("1", "2", "3"):
        said = online.run("chain", "verify", "--export", "out", "--level", level)
        assert said.startswith("agree: 2 entries, ")
    assert online.run("chain", "verify", "--export", "out", "--where") == (
        "SCI: every head on the chain is the ledger's\n"
    )
    assert "manifest.json" in online.fails("chain", "verify", "--export", "elsewhere")


def test_where_the_first_difference_is(online: Shell) -> None:
    online.run("mint", "bob", "1")
    assert online.run("chain", "verify", "--where").endswith("is the ledger's\n")
    online.run("chain", "verify", code=1)
    with attacker(online.database) as database:
        database.run("UPDATE token_ledger SET amount = ? WHERE seq = 2", database.amount(1))
        database.run("UPDATE token_ledger SET head = ? WHERE seq = 2", b"\x01" * 32)
    expected = "first difference: entry 2 of SCI (batch 1)"
    assert online.run("chain", "verify", "--where", code=1) == f"SCI: {expected}\n"
    lines = online.run("chain", "verify", "--level", "1", code=1).splitlines()
    assert lines[-2] == expected
    assert re.match(r"\d mismatches in block", lines[-1])
    found = online.json("chain", "verify", "--where", code=1)
    difference = {"asset": "SCI", "first": 2, "last": 2, "batch": 1}
    assert found == {"agree": False, "assets": [{"symbol": "SCI", "difference": difference}]}
    assert online.json("chain", "verify", code=1)["assets"][0]["difference"] == difference


def test_nothing_to_compare(stocked: Shell, anvil: Node) -> None:
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    assert "no contract" in stocked.fails("chain", "verify", "--where")
