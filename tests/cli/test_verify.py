"""`chain verify` on a command line: levels, blocks, exports, and where to look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bridge.chain import Chain
from bridge.codec import encode_call
from bridge.jsonrpc import to_hex
from ledger.model import Address
from tests.ledger.support import attacker

if TYPE_CHECKING:
    from pathlib import Path

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


def test_one_ledger_is_verified_not_two(stocked: Shell, folder: Path) -> None:
    """A database that somebody wrote is not passed over for an export."""
    stocked.run("seal")
    stocked.run("export", folder / "x")
    both = ("--export", folder / "x", "--database", stocked.database)
    said = stocked.fails("chain", "verify", *both)
    assert "--export and --database name two ledgers: give one of them" in said


def test_where_has_no_levels(online: Shell) -> None:
    said = online.fails("chain", "verify", "--where", "--level", "3")
    assert "--where asks for few heads and has no levels" in said


def move(node: Node, token: str, from_: str, to: str, amount: int) -> None:
    """Transfer base units of a live token, in a block of its own."""
    data = to_hex(encode_call("transfer(address,uint256)", Address.parse(to), amount))
    node.rpc("anvil_setBalance", from_, hex(10**20))
    node.rpc("anvil_impersonateAccount", from_)
    node.rpc("eth_sendTransaction", {"from": from_, "to": token, "data": data})


def test_how_much_is_proven_of_a_live_token(online: Shell, anvil: Node) -> None:
    """Two transfers that cancel out; level 3 says in which blocks it would have missed neither."""
    verify = ["chain", "verify", "--level", "3"]
    online.run("chain", "finalize", "--yes")
    at_once = online.run(*verify)
    assert re.search(r"\d+ \w+ old\n$", at_once)
    token = online.json(*verify)["assets"][0]["token"]
    alice, bob = (online.json("account", "show", name)["address"] for name in ("alice", "bob"))
    move(anvil, token, alice, bob, 1)
    move(anvil, token, bob, alice, 1)
    for words in (["--live-blocks", "all"], ["--live-blocks", "1000000"], []):
        assert online.run(*verify, *words).endswith(" old; 2 transfers since, each proven\n")
        [asset] = online.json(*verify, *words)["assets"]
        assert (asset["proven_transfers"], asset["all_proven"]) == (2, True)
    advice = (
        "SCI: what moved long ago is proven in its sum only: transfers that cancel out may be "
        "missing or made up there; --live-blocks all proves each"
    )
    for blocks, proven in (("0", 0), ("1", 1), ("2", 2)):  # 2 are all that were told of
        agree, note = online.run(*verify, "--live-blocks", blocks).splitlines()
        since = (
            f" old; 2 transfers since: {proven} proven one by one, {2 - proven} in their sum only"
        )
        assert agree.endswith(since)
        assert note == f"note: {advice}"
        found = online.json(*verify, "--live-blocks", blocks)
        assert found["notes"] == [advice]
        assert not found["assets"][0]["all_proven"]
    for level in ("1", "2"):
        said = online.run("chain", "verify", "--level", level)
        assert said.endswith(" old; 2 transfers since by logs that the node gave\n")
        [asset] = online.json("chain", "verify", "--level", level)["assets"]
        assert (asset["proven_transfers"], asset["all_proven"]) == (0, False)


@pytest.mark.parametrize("words", [[], ["--level", "1"], ["--level", "2"], ["--where"]])
@pytest.mark.parametrize("blocks", ["all", "5", "10000"])
def test_live_blocks_are_of_level_3(shell: Shell, words: list[str], blocks: str) -> None:
    said = shell.fails("chain", "verify", *words, "--live-blocks", blocks)
    assert "--live-blocks is about proofs, and nothing is proven but by --level 3" in said


@pytest.mark.parametrize("blocks", ["some", "-1", "1.5", "", "ALL", "9" * 5000, "\u0663"])
def test_live_blocks_are_a_number_or_all(shell: Shell, blocks: str) -> None:
    said = shell.fails("chain", "verify", "--level", "3", "--live-blocks", blocks)
    assert "is neither a number of blocks nor `all`" in said


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
