"""`chain claim send` and `chain account deploy`: where they store what they sign, and its fees."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.chain import Chain
from bridge.keys import TEST_ADDRESS
from bridge.outbox import Outbox
from bridge.outbox_file import OutboxFile
from ledger import Ledger
from tests.cli.shell import kill_at_broadcast
from tests.support.rpc_proxy import RpcProxy

if TYPE_CHECKING:
    from bridge.outbox import Attempt
    from tests.cli.shell import Shell
    from tests.conftest import StartNode
    from tests.support.nodes import Node

WALLET = "0x1111111111111111111111111111111111111111"
SEND = ["chain", "claim", "send", "claim.json"]
DEPLOY = ["chain", "account", "deploy", "account.json"]


@pytest.fixture
def allowed(stocked: Shell, anvil: Node) -> Shell:
    """Return a shell in whose folder lie a signed claim and a signed deployment."""
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    for words in (["seal"], ["chain", "deploy"], ["chain", "replay"]):
        stocked.run(*words)
    stocked.run("chain", "finalize", "--yes")
    stocked.run("chain", "claim", "authorise", "alice", "claim.json", "--wallet", WALLET)
    stocked.run("chain", "account", "authorise", "bob", "account.json", "--owner", WALLET)
    return stocked


@pytest.fixture
def outsider(allowed: Shell, tmp_path: Path) -> Shell:
    """Return a shell of somebody who was given the files, and has no ledger."""
    allowed.environment |= {"EVM_LEDGER_DATABASE": "", "XDG_STATE_HOME": str(tmp_path / "state")}
    return allowed


def stored(file: Path) -> list[Attempt]:
    """Return what an outbox has of the test chain."""
    with OutboxFile.open(file) as store:
        return Outbox(store, 31_337).attempts()


def test_an_outsider_has_an_outbox_of_her_own(outsider: Shell, tmp_path: Path) -> None:
    outsider.run(*SEND, "--dry-run")
    assert not (tmp_path / "state").exists()
    sent = outsider.json(*SEND)
    file = tmp_path / "state" / "evm-ledger" / "outbox.db"
    assert [(it.purpose, str(it.signed.hash)) for it in stored(file)] == [
        ("claim", sent["transaction"])
    ]
    again = outsider.json(*SEND)
    assert (sent.pop("was_claimed"), again.pop("was_claimed")) == (False, True)
    assert again == sent
    outsider.environment |= {"XDG_STATE_HOME": "", "HOME": str(tmp_path / "home")}
    assert [outsider.json(*DEPLOY)["was_deployed"] for _ in range(2)] == [False, True]
    there = tmp_path / "home/.local/state/evm-ledger/outbox.db"
    assert [it.purpose for it in stored(there)] == ["account"]
    assert [it.purpose for it in stored(file)] == ["claim"]
    with Ledger.open(outsider.database) as ledger:
        assert "claim" not in {it.purpose for it in Outbox(ledger, 31_337).attempts()}


def test_a_ledger_or_a_file_may_be_named(allowed: Shell, tmp_path: Path) -> None:
    """An operator's key sends batches too: one outbox knows all of it."""
    mine, other = tmp_path / "mine.db", tmp_path / "other.db"
    code, _, says = allowed.invoke(*SEND, "--outbox", mine, "--database", allowed.database)
    assert code == 2
    assert "give --outbox or --database" in says
    assert "name another file (--outbox)" in allowed.fails(*SEND, "--outbox", "ledger.db")
    allowed.run(*SEND)
    allowed.environment["EVM_LEDGER_OUTBOX"] = str(other)
    allowed.run(*DEPLOY, "--outbox", mine)
    assert "is deployed" in allowed.fails(*DEPLOY, "--database", allowed.database)
    assert not other.exists()
    assert [it.purpose for it in stored(mine)] == ["account"]
    with Ledger.open(allowed.database) as ledger:
        found = Outbox(ledger, 31_337).attempts()
    assert [it.purpose for it in found] == ["deploy", "deploy", "replay", "finalize", "claim"]
    assert {it.sender for it in found} == {TEST_ADDRESS}


def test_fees_are_told_as_to_replay(outsider: Shell, anvil: Node, tmp_path: Path) -> None:
    file = tmp_path / "outbox.db"
    with Chain.connect(anvil.url) as chain:
        nonce = chain.next_nonce(TEST_ADDRESS)
        cheap = ["--max-fee", "0.000000001", "--give-up-after", "0.01", "--outbox", file]
        for words in (SEND, DEPLOY):
            code, said, told = outsider.invoke(*words, *cheap)
            assert (code, said) == (2, "")
            assert "(--max-fee)" in told
        assert chain.next_nonce(TEST_ADDRESS) == nonce
    assert stored(file) == []
    outsider.run(*SEND, "--max-fee", "77", "--priority-fee", "3", "--outbox", file)
    [attempt] = stored(file)
    assert attempt.fees is not None
    assert attempt.fees.priority_fee == 3 * 10**9
    assert attempt.fees.max_fee <= 77 * 10**9


@pytest.mark.parametrize("arrives", [True, False])
def test_a_kill_while_it_is_sent(
    outsider: Shell, anvil: Node, tmp_path: Path, *, arrives: bool
) -> None:
    """The program itself, killed at the broadcast: the next run claims once, and says so."""
    with closing(RpcProxy(anvil)) as proxy, Chain.connect(anvil.url) as chain:
        nonce = chain.next_nonce(TEST_ADDRESS)
        outsider.environment["EVM_LEDGER_RPC"] = proxy.url
        kill_at_broadcast(outsider, *SEND, folder=Path(), proxy=proxy, arrives=arrives)
        [before] = stored(tmp_path / "state" / "evm-ledger" / "outbox.db")
        assert before.status == "signed"
        said = outsider.run(*SEND)
        assert said.endswith(f"tx {before.signed.hash}  (sent by an earlier run)\n")
        assert chain.next_nonce(TEST_ADDRESS) == nonce + 1


def test_what_is_stuck_is_told_with_its_command(allowed: Shell, anvil: Node) -> None:
    anvil.rpc("evm_setAutomine", False)  # noqa: FBT003 (JSON-RPC is positional)
    try:
        code, _, told = allowed.invoke(*SEND, "--give-up-after", "0.01")
        assert code == 2
        assert "run again later, nothing is sent twice" in told
        *_, waits = allowed.run("chain", "status").splitlines()
        assert waits.startswith("under way: claim, nonce ")
        anvil.rpc("anvil_dropTransaction", waits.split()[-1])
        *_, stuck = allowed.run("chain", "status").splitlines()
        assert stuck == waits.replace("under way", "stuck, run `evm-ledger chain claim send`")
    finally:
        anvil.rpc("evm_setAutomine", True)  # noqa: FBT003 (JSON-RPC is positional)
    assert "(sent by an earlier run)" in allowed.run(*SEND)


def test_the_help_says_whose_key_it_is(allowed: Shell, start_anvil: StartNode) -> None:
    for words in (SEND, DEPLOY):
        text = " ".join(allowed.run(*words[:3], "--help").split())
        assert "The key that sends it, and pays for the gas; anybody's" in text
        assert "operator's key" not in text
        for option in ("--max-fee", "--replace-after", "--priority-fee", "--outbox"):
            assert option in text
        assert "If it is cut short, run it again" in text
    public = start_anvil("--chain-id", "10")
    assert "give the sender's --keystore or --remote-signer" in allowed.fails(
        *SEND, "--rpc", public.url
    )


def test_the_help_says_what_a_rehearsal_leaves_out(shell: Shell) -> None:
    text = " ".join(shell.run("chain", "finalize", "--help").split())
    assert re.search(r"On chains 31337 and 1337, .* the asset is NOT closed", text)
