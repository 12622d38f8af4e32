"""What `chain replay` and `chain status` are told and say about sending."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bridge.chain import Chain
from bridge.fees import GWEI
from bridge.keys import TEST_ADDRESS
from tests.ledger.support import unchanged

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.support.nodes import Node


@pytest.fixture
def deployed(stocked: Shell, anvil: Node) -> Shell:
    """Return a shell with a sealed ledger and a node that has its token."""
    stocked.run("seal")
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    stocked.run("chain", "deploy")
    return stocked


def test_a_dry_run(deployed: Shell, anvil: Node) -> None:
    with unchanged(deployed.database), Chain.connect(anvil.url) as chain:
        block, nonce = chain.block(), chain.next_nonce(TEST_ADDRESS)
        first, gas, has, batch, last = deployed.run("chain", "replay", "--dry-run").splitlines()
        seen = deployed.json("chain", "replay", "--dry-run")
        assert chain.block() == block
    assert first == (
        f"would send 1 transaction with 2 entries to chain 31337, nonces {nonce} to {nonce}"
    )
    assert re.fullmatch(r"about [\d,]+ gas; at [\d.]+ gwei that costs 0\.\d{6} ETH", gas)
    assert re.fullmatch(rf"{TEST_ADDRESS} has \d+\.\d{{6}} ETH: enough", has)
    assert re.fullmatch(r"SCI: entries 1 to 2 in 1 batch to 0x\w{40}", batch)
    assert last == "dry run: nothing was signed, stored or sent"
    assert (seen["transactions"], seen["entries"], seen["nonce"]) == (1, 2, nonce)
    assert seen["is_funded"] is True
    assert int(seen["cost"]) == seen["gas"] * int(seen["gas_price"])
    assert seen["unsealed"] == 0
    deployed.run("chain", "replay")
    assert deployed.run("chain", "replay", "--dry-run") == (
        "nothing to send: chain 31337 has every sealed entry\n"
    )
    deployed.run("mint", "bob", "1")
    behind = "not sealed yet, so not sent: 1 (evm-ledger seal)\n"
    assert deployed.run("chain", "replay", "--dry-run").endswith(f"sealed entry\n{behind}")
    assert deployed.json("chain", "replay", "--dry-run")["unsealed"] == 1
    deployed.run("seal")
    assert "\nSCI: entry 3 in 1 batch to 0x" in deployed.run("chain", "replay", "--dry-run")


def test_status(deployed: Shell, anvil: Node) -> None:
    assert deployed.run("chain", "status").splitlines()[1] == (
        "SCI: posted 2, sealed 2, mined 0, safe 0, finalized 0"
    )
    replayed = deployed.json("chain", "replay")
    assert int(replayed["cost"]) > 0
    deployed.run("mint", "bob", "1")
    anvil.rpc("anvil_mine", hex(2))
    heads, asset = deployed.run("chain", "status").splitlines()
    assert re.fullmatch(r"chain 31337: block \d+, safe \d+, finalized \d+", heads)
    assert asset == "SCI: posted 3, sealed 2, mined 2, safe 2, finalized 2"
    status = deployed.json("chain", "status")
    assert (status["chain_id"], status["waiting"]) == (31_337, [])
    assert set(status["blocks"]) == {"latest", "safe", "finalized"}
    assert status["assets"][0]["finalized"] == 2


def test_what_is_under_way_is_shown(deployed: Shell, anvil: Node) -> None:
    anvil.rpc("evm_setAutomine", False)  # noqa: FBT003 (JSON-RPC is positional)
    try:
        said = deployed.fails("chain", "replay", "--give-up-after", "0.1")
        assert "run again later, nothing is sent twice" in said
        *_, under_way = deployed.run("chain", "status").splitlines()
        assert re.fullmatch(
            r"under way: replay of entries 1 to 2, nonce \d+, offers [\d.]+ gwei, 0x\w{64}",
            under_way,
        )
        [waiting] = deployed.json("chain", "status")["waiting"]
        anvil.rpc("anvil_dropTransaction", waiting["transaction"])
        assert (waiting["stuck"], waiting["first_seq"], waiting["last_seq"]) == (False, 1, 2)
        *_, stuck = deployed.run("chain", "status").splitlines()
        assert stuck.startswith("stuck, run `evm-ledger chain replay`: replay of entries 1 to 2")
    finally:
        anvil.rpc("evm_setAutomine", True)  # noqa: FBT003 (JSON-RPC is positional)
    assert deployed.run("chain", "replay").startswith("sent 1 batch with 2 entries")


def test_the_cap_is_kept_and_named(deployed: Shell, anvil: Node) -> None:
    anvil.rpc("hardhat_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    code, shown, said = deployed.invoke(
        "chain", "replay", "--max-fee", "12.5", "--give-up-after", "0.1"
    )
    assert (code, shown) == (2, "")
    waiting, error = said.splitlines()
    assert waiting.endswith("no transaction may offer more than 12.5 gwei (--max-fee): waiting")
    assert error.startswith("error: ")
    assert error.endswith("Nothing is lost: run again when gas is cheaper, or allow more")
    anvil.rpc("hardhat_setNextBlockBaseFeePerGas", hex(GWEI))
    deployed.run(
        "chain", "replay", "--max-fee", "12.5", "--priority-fee", "0.1", "--replace-after", "5",
        "--wait-for", "mined", "--confirmations", "1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--max-fee", "0", "must be more than 0"),
        ("--max-fee", "1.0000000001", "--max-fee"),
        ("--max-fee", "lots", "--max-fee"),
        ("--priority-fee", "-1", "--priority-fee"),
        ("--replace-after", "0", "x>0"),
        ("--confirmations", "0", "x>=1"),
        ("--wait-for", "later", "'mined', 'safe', 'finalized'"),
    ],
)
def test_options_out_of_range(deployed: Shell, option: str, value: str, says: str) -> None:
    with unchanged(deployed.database):
        assert says in deployed.fails("chain", "replay", option, value)
