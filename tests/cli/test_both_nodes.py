"""Each command that speaks to a node, on Hardhat: from the plan to what holders do.

The other tests of the commands run on Anvil; that no command is left out here is a test too.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click
from eth_account.messages import encode_typed_data
from sqlalchemy import make_url

from bridge.cli import main
from tests.cli.conftest import stock
from tests.cli.shell import Shell
from tests.contracts.people import ALICE
from tests.contracts.test_accounts import factory_on, sign_message
from tests.core.test_ids import digest
from tests.ledger.support import attacker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.nodes import Node

WALLET: Final = "0x1111111111111111111111111111111111111111"
ON_ITS_OWN: Final = {("demo",)}
"""Has a ledger of its own: see `test_demo.py`."""


@dataclass
class Recorded(Shell):
    """Remembers which commands ended well."""

    done: set[tuple[str, ...]] = field(default_factory=set)

    def invoke(self, *words: object) -> tuple[int, str, str]:
        """Return the exit code of the command, its output and what it complains of."""
        code, stdout, stderr = super().invoke(*words)
        if code == 0:
            self.done.add(command_of([str(word) for word in words]))
        return code, stdout, stderr


def command_of(words: list[str]) -> tuple[str, ...]:
    """Return the words that name the command, without those that it is given."""
    found: click.Command = main
    for number, word in enumerate(words):
        if not isinstance(found, click.Group):
            return tuple(words[:number])
        found = found.commands[word]
    return tuple(words)


def asking(command: click.Command = main, name: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the name of each command that takes the URL of a node."""
    if isinstance(command, click.Group):
        for word, inner in command.commands.items():
            yield from asking(inner, (*name, word))
    elif any("--rpc" in it.opts for it in command.params):
        yield name


def test_a_life_by_its_commands(
    folder: Path, sqlite_url: str, hardhat: Node, keystore: tuple[Path, Path, str]
) -> None:
    del folder  # commands run there
    node = hardhat
    shell = Recorded(sqlite_url, {"EVM_LEDGER_RPC": node.url})
    stock(shell)
    a_wallet_that_is_a_contract(shell, node)
    shell.run("seal")
    onto_the_chain(shell, node)
    what_others_check(shell, node)
    another_operator(shell, node, keystore)
    live(shell, keystore)
    assert set(asking()) - shell.done == ON_ITS_OWN


def a_wallet_that_is_a_contract(shell: Recorded, node: Node) -> None:
    contract = factory_on(node).account()
    words = ["link-message", "vault", contract.address, "--scheme", "erc1271"]
    typed = encode_typed_data(full_message=shell.json("account", *words, "--chain-id", "31337"))
    proof = "0x" + sign_message(contract, ALICE, digest(typed)).hex()
    given = ["--address", contract.address, "--proof", proof, "--scheme", "erc1271"]
    shell.run("account", "create", "vault", "--initial-balance", "0", *given, "--rpc", node.url)


def onto_the_chain(shell: Recorded, node: Node) -> None:
    assert "2 entries" in shell.run("chain", "plan", "--gas-price", "1")
    assert "operator of SCI" in shell.run("chain", "deploy")
    dry = shell.json("chain", "replay", "--dry-run")
    assert (dry["transactions"], dry["entries"], dry["is_funded"]) == (1, 2, True)
    sent = shell.json("chain", "replay", "--wait-for", "mined", "--confirmations", "1")
    assert (sent["batches"], sent["entries"]) == (1, 2)
    node.rpc("hardhat_mine", "0x3")
    assert "SCI: posted 2, sealed 2, mined 2, safe 2, finalized 2" in shell.run("chain", "status")
    assert shell.run("chain", "replay").startswith("nothing to send")


def what_others_check(shell: Recorded, node: Node) -> None:
    shell.run("export", "out")
    for level in ("1", "2", "3"):
        verify = ["chain", "verify", "--level", level, "--block", "finalized"]
        for words in (verify, [*verify, "--export", "out"]):
            assert shell.run(*words).startswith("agree: 2 entries")
    assert shell.run("chain", "verify", "--where").endswith("is the ledger's\n")
    assert shell.run("audit", "--expect-head", node.url).startswith("ok: 2 entries")
    shutil.copy(make_url(shell.database).database or "", "altered.db")
    altered = Shell("sqlite:///altered.db", shell.environment)
    with attacker(altered.database) as database:
        database.run("UPDATE token_ledger SET head = ? WHERE seq = 2", b"\x01" * 32)
    said = altered.run("chain", "verify", "--where", code=1)
    assert said == "SCI: first difference: in entries 1 to 2 of SCI (batch 1)\n"
    contracts = {it["name"]: it["address"] for it in shell.json("chain", "deploy")["contracts"]}
    token = contracts["SCI"]
    shell.run("prove", "balance", "bob", "bob.json", "--chain-id", "31337", "--token", token)
    checked = shell.run("check", "bob.json", "--rpc", node.url, "--token", token)
    assert "on chain: the same root in block" in checked


def another_operator(shell: Recorded, node: Node, keystore: tuple[Path, Path, str]) -> None:
    file, password, address = keystore
    node.rpc("hardhat_setBalance", address, hex(10**18))
    sign = ["--keystore", file, "--password-file", password]
    shell.run("chain", "operator", "transfer", "--to", address)
    shell.run("chain", "operator", "accept", *sign)
    assert shell.run("chain", "operator", "show") == f"operator of SCI: {address}\n"
    shell.run("mint", "alice", "1")
    shell.run("seal")
    assert address in shell.fails("chain", "replay")
    assert shell.run("chain", "replay", *sign).startswith("sent 1 batch with 1 entry")


def live(shell: Recorded, keystore: tuple[Path, Path, str]) -> None:
    file, password, _ = keystore
    sign = ["--keystore", file, "--password-file", password]
    assert shell.json("chain", "finalize", "--dry-run", *sign)["is_live"] is False
    assert shell.run("chain", "finalize", "--yes", *sign).startswith("SCI is live")
    for part, to in (("claim", "--wallet"), ("account", "--owner")):
        shell.run("chain", part, "authorise", "alice", f"{part}.json", to, WALLET)
    for part, verb in (("claim", "send"), ("account", "deploy")):
        assert WALLET in shell.run("chain", part, verb, f"{part}.json", "--dry-run")
        assert "  tx 0x" in shell.run("chain", part, verb, f"{part}.json")
    for level in ("2", "3"):
        assert shell.run("chain", "verify", "--level", level).startswith("agree: 3 entries")
