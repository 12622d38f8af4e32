"""`chain verify` on a command line: levels, blocks, exports, and where to look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bridge.chain import Chain
from tests.ledger.support import attacker

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.cli.test_live import Keystore
    from tests.conftest import StartNode
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
        rf"agree: 2 entries, 2 balances, proven in block {at.number} \({at.hash}\) of chain 31337, "
        r"\d+ \w+ old\n"
    )
    for block in ("latest", str(at.number), str(at.hash)):
        said = online.run("chain", "verify", "--level", "3", "--block", block)
        assert re.fullmatch(expected, said)
    found = online.json("chain", "verify", "--level", "3")
    assert (found["level"], found["agree"], found["block_hash"]) == (3, True, str(at.hash))
    assert (found["block_number"], found["block_time"]) == (at.number, at.timestamp)
    assert found["notes"] == []
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
    waiting = "and 1 entry is not there: run `evm-ledger seal`, then `evm-ledger chain replay`\n"
    assert online.run("chain", "verify", "--where", code=1).endswith(f"is the ledger's, {waiting}")
    assert "expected 1 more entry on the chain, up to 3" in online.run("chain", "verify", code=1)
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
    where = {"symbol": "SCI", "entries": 2, "waiting": 1, "live": False, "difference": difference}
    assert found == {"agree": False, "assets": [where]}
    assert online.json("chain", "verify", code=1)["assets"][0]["difference"] == difference


def test_where_has_no_levels(online: Shell) -> None:
    said = online.fails("chain", "verify", "--where", "--level", "3")
    assert "--where asks for few heads and has no levels" in said


def test_of_a_live_token_nobody_is_told_to_replay(online: Shell) -> None:
    online.run("chain", "finalize", "--yes")
    online.run("mint", "bob", "1")  # a rehearsal: the ledger goes on
    never = "the token is live and takes no more, so they are in the ledger alone"
    for words in ([], ["--where"]):
        said = online.run("chain", "verify", *words, code=1)
        assert never in said
        assert "seal" not in said


def test_a_head_that_is_old_is_said_to_be(
    stocked: Shell, keystore: Keystore, start_anvil: StartNode
) -> None:
    file, password, address = keystore
    public = start_anvil("--chain-id", "10", "--timestamp", "1700000000")
    public.rpc("anvil_setBalance", address, hex(10**18))
    sign = ["--rpc", public.url, "--keystore", file, "--password-file", password]
    own = "--allow-own-registrar"
    for words in (["seal"], ["chain", "deploy", *sign, own], ["chain", "replay", *sign]):
        stocked.run(*words)
    agree, note = stocked.run("chain", "verify", "--rpc", public.url).splitlines()
    assert re.fullmatch(r"agree: .* of chain 10, \d+ days old", agree)
    assert re.match(r"note: block \d+ was made \d+ days ago: the node is behind, or shows", note)
    found = stocked.json("chain", "verify", "--rpc", public.url, "--level", "3")
    assert found["notes"] == [note.removeprefix("note: ")]
    # Who names a block knows which.
    words = ["--rpc", public.url, "--block", found["block_hash"]]
    assert stocked.json("chain", "verify", *words)["notes"] == []


def test_nothing_to_compare(stocked: Shell, anvil: Node) -> None:
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    assert "no contract" in stocked.fails("chain", "verify", "--where")
