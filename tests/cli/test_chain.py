from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from eth_account import Account
from eth_typing import HexStr

from bridge.keys import TEST_ADDRESS
from tests.cli.shell import process
from tests.ledger.support import attacker, unchanged

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.conftest import StartNode
    from tests.support.nodes import Node

TEST_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
Keystore = tuple[Path, Path, str]


@pytest.fixture
def online(stocked: Shell, anvil: Node) -> Shell:
    """Return a shell with a sealed ledger and a node."""
    stocked.run("seal")
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    return stocked


def test_the_way_to_the_chain(online: Shell) -> None:
    *lines, operator = online.run("chain", "deploy").splitlines()
    assert [line.split()[0] for line in lines] == ["contract", "AccountFactory", "SCI"]
    assert all("deployed" in line for line in lines[1:])
    assert operator == f"operator of SCI: {TEST_ADDRESS} (the public test key, on this chain only)"
    assert all(" there " in line for line in online.run("chain", "deploy").splitlines()[1:-1])
    assert online.json("asset", "list")[0]["operator"] is None
    sent = online.run("chain", "replay")
    assert re.fullmatch(r"sent 1 batch with 2 entries to chain 31337, \d+ gas an entry\n", sent)
    assert online.run("chain", "replay") == (
        "nothing to send: chain 31337 has every sealed entry\n"
    )
    agree = online.run("chain", "verify")
    assert agree.startswith("agree: 2 entries, 2 balances, in block ")
    online.run("mint", "bob", "1")
    assert online.run("chain", "replay").endswith(
        "not sealed yet, so not sent: 1 (evm-ledger seal)\n"
    )


def test_the_way_to_the_chain_as_json(online: Shell) -> None:
    deployed = online.json("chain", "deploy")
    factory, token = deployed["contracts"]
    assert deployed["chain_id"] == 31_337
    assert (factory["name"], token["name"], token["is_new"]) == ("AccountFactory", "SCI", True)
    assert deployed["signer"] == token["operator"] == str(TEST_ADDRESS)
    assert (factory["operator"], token["stands_in"]) == (None, True)
    assert deployed["gas_used"] == factory["gas_used"] + token["gas_used"]
    replayed = online.json("chain", "replay")
    [asset] = replayed["assets"]
    assert (replayed["batches"], replayed["entries"], replayed["unsealed"]) == (1, 2, 0)
    assert (asset["symbol"], asset["token"], asset["replayed"]) == ("SCI", token["address"], 2)
    assert [len(transaction) for transaction in asset["transactions"]] == [66]
    verified = online.json("chain", "verify")
    assert (verified["agree"], verified["level"], verified["mismatches"]) == (True, 2, [])
    assert [(it["entries"], it["balances"]) for it in verified["assets"]] == [(2, 2)]
    assert online.json("chain", "verify", "--level", "1")["assets"][0]["balances"] == 0


def test_a_mismatch_is_named_and_ends_with_1(online: Shell) -> None:
    online.run("chain", "deploy")
    online.run("chain", "replay")
    with attacker(online.database) as database:
        amount = database.amount(6 * 10**18)
        database.run("UPDATE token_ledger SET amount = ? WHERE seq = 2", amount)
    said = online.run("chain", "verify", code=1).splitlines()
    assert said[0].startswith("MISMATCH: log-differs: SCI entry 2 (0x")
    assert re.fullmatch(
        r"1 mismatch in block \d+ \(0x[0-9a-f]{64}\) of chain 31337, \d+ \w+ old", said[-1]
    )
    found = online.json("chain", "verify", code=1)
    assert found["agree"] is False
    assert [(it["asset"], it["seq"]) for it in found["mismatches"]] == [("SCI", 2)]


@pytest.mark.parametrize("command", ["deploy", "replay", "verify"])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--rpc", "http://127.0.0.1:1"], "http://127.0.0.1:1 does not answer"),
        (["--rpc", "ftp://localhost"], "the RPC URL must start with http:// or https://"),
        (["--rpc", "http://localhost:port"], "the RPC URL"),
        (["--rpc", "http://["], "the RPC URL"),
        (["--chain-id", "1"], "serves chain 31337, not 1"),
        (["--chain-id", "one"], "'one' is not a valid integer"),
    ],
)
def test_a_node_that_is_not_the_one(
    online: Shell, command: str, words: list[str], says: str
) -> None:
    with unchanged(online.database):
        assert says in online.fails("chain", command, *words)


def test_a_node_that_answers_with_nothing_but_brackets(stocked: Shell, folder: Path) -> None:
    """In a process of its own, which would end by a signal."""

    class Brackets(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))  # or the answer may be cut off
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[" * 1_000_000)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Brackets) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        url = f"http://127.0.0.1:{server.server_port}"
        words = ["chain", "verify", "--rpc", url, "--database", stocked.database]
        done = process(*words, folder=folder)
        answering.join()
    assert done.returncode == 2
    assert "does not answer in JSON-RPC: is that a node's URL?" in done.stderr


@pytest.mark.parametrize("command", ["replay", "verify"])
def test_a_chain_without_the_contract(online: Shell, command: str) -> None:
    with unchanged(online.database):
        assert "evm-ledger chain deploy" in online.fails("chain", command)


@pytest.mark.parametrize("command", ["deploy", "replay", "verify"])
def test_a_chain_with_another_contract_there(online: Shell, anvil: Node, command: str) -> None:
    token = online.json("chain", "deploy")["contracts"][1]["address"]
    anvil.rpc("anvil_setCode", token, "0x6001600055")
    online.fails("chain", command)  # the outbox notes what became of the deployment, once
    with unchanged(online.database):
        assert token in online.fails("chain", command)


def test_the_operators_key(online: Shell, anvil: Node, keystore: Keystore) -> None:
    file, password, address = keystore
    anvil.rpc("anvil_setBalance", address, hex(10**18))
    sign = ["--keystore", file, "--password-file", password]
    said = online.run("chain", "deploy", *sign).splitlines()
    assert said[-1] == f"operator of SCI: {address}"
    assert online.json("asset", "list")[0]["operator"] == address
    assert address in online.fails("chain", "replay")
    assert online.run("chain", "replay", *sign).startswith("sent 1 batch")


def test_anybody_may_deploy_but_only_the_operator_replays(
    online: Shell, anvil: Node, keystore: Keystore
) -> None:
    *_, address = keystore
    anvil.rpc("anvil_setBalance", address, hex(10**18))
    online.run("asset", "create", "MINE", "--operator", address)
    said = online.run("chain", "deploy").splitlines()
    assert said[-2:] == [
        f"operator of SCI: {TEST_ADDRESS} (the public test key, on this chain only)",
        f"operator of MINE: {address} (not the key given: only the operator can replay)",
    ]
    online.run("mint", "alice", "1", "--asset", "MINE")
    online.run("seal")
    assert f"MINE: the token's operator is {address}" in online.fails("chain", "replay")


def test_a_rehearsal_and_then_a_chain_that_is_worth_something(
    online: Shell, anvil: Node, keystore: Keystore, start_anvil: StartNode
) -> None:
    file, password, address = keystore
    online.run("chain", "deploy")
    online.run("chain", "replay")
    public = start_anvil("--chain-id", "10")
    public.rpc("anvil_setBalance", address, hex(10**18))
    rpc = ["--rpc", public.url]
    sign = ["--keystore", file, "--password-file", password]
    for command in ("deploy", "replay"):
        assert "--keystore" in online.fails("chain", command, *rpc)
    said = online.run("chain", "deploy", *rpc, *sign, "--allow-own-registrar").splitlines()
    assert said[-1] == f"operator of SCI: {address}"
    assert online.run("chain", "replay", *rpc, *sign).startswith("sent 1 batch with 2 entries")
    assert online.run("chain", "verify", *rpc).startswith("agree: 2 entries")
    assert "is a rehearsal" in online.fails("chain", "verify", "--rpc", anvil.url)


def test_a_keystore_with_the_public_test_key(
    stocked: Shell, folder: Path, start_anvil: StartNode
) -> None:
    document = Account.encrypt(HexStr(TEST_KEY), "", kdf="scrypt", iterations=2)
    (folder / "test.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "empty").touch()
    stocked.run("seal")
    sign = ["--keystore", "test.json", "--password-file", "empty"]
    rpc = ["--rpc", start_anvil("--chain-id", "10").url]
    with unchanged(stocked.database):
        for words in (["deploy", "--allow-own-registrar"], ["replay"]):
            error = stocked.fails("chain", *words, *rpc, *sign)
            assert f"everybody has the key of {TEST_ADDRESS}" in error


def test_a_chain_that_is_worth_something(
    stocked: Shell, keystore: Keystore, start_anvil: StartNode
) -> None:
    file, password, address = keystore
    public = start_anvil("--chain-id", "1")
    public.rpc("anvil_setBalance", address, hex(10**18))
    rpc = ["--rpc", public.url]
    sign = ["--keystore", file, "--password-file", password]
    for command in ("deploy", "replay"):
        error = stocked.fails("chain", command, *rpc)
        assert (
            error == "chain 1 is no local test chain: give the operator's --keystore "
            "or --remote-signer"
        )
    assert "--allow-own-registrar" in stocked.fails("chain", "deploy", *rpc, *sign)
    assert stocked.run("chain", "deploy", *rpc, *sign, "--allow-own-registrar")
    assert "is no local test chain; start Anvil" in stocked.fails("demo", *rpc, "--folder", "new")
    assert not Path("new").exists()


def test_a_key_is_never_shown(online: Shell, keystore: Keystore) -> None:
    file, password, address = keystore
    document = json.loads(file.read_text(encoding="utf-8"))
    error = online.fails("chain", "deploy", "--keystore", file, "--password-file", password)
    key = bytes(Account.decrypt(document, "correct horse")).hex()
    assert key not in error
    assert online.json("asset", "list")[0]["operator"] in {None, address}
