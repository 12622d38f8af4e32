"""The commands of a token's life: operators, finalize, claims, accounts."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_typing import HexStr

from bridge.errors import ObstacleKind
from bridge.keys import TEST_ADDRESS
from tests.cli.shell import PROGRAM, kill_at_broadcast
from tests.ledger.support import unchanged
from tests.support.rpc_proxy import RpcProxy

if TYPE_CHECKING:
    from tests.cli.shell import Shell
    from tests.conftest import StartNode
    from tests.support.nodes import Node

PAGE = Path(__file__).parents[2] / "docs" / "live.md"
Keystore = tuple[Path, Path, str]
WALLET = "0x1111111111111111111111111111111111111111"
COLD_KEY = "0x" + "c0" * 32
COLD = Account.from_key(COLD_KEY)


@pytest.fixture
def mirrored(stocked: Shell, anvil: Node) -> Shell:
    """Return a shell whose ledger is on a chain, whole."""
    stocked.environment["EVM_LEDGER_RPC"] = anvil.url
    for words in (["seal"], ["chain", "deploy"], ["chain", "replay"]):
        stocked.run(*words)
    return stocked


@pytest.fixture
def live(mirrored: Shell) -> Shell:
    """Return a shell whose token is live."""
    mirrored.run("chain", "finalize", "--yes")
    return mirrored


@pytest.fixture
def cold(folder: Path) -> list[str]:
    """Return the words that sign with the key of COLD."""
    document = Account.encrypt(HexStr(COLD_KEY), "cold", kdf="scrypt", iterations=2)
    (folder / "cold.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "cold.password").write_text("cold\n", encoding="utf-8")
    return ["--keystore", "cold.json", "--password-file", "cold.password"]


# --- finalize ---


def test_finalize(mirrored: Shell) -> None:
    with unchanged(mirrored.database):
        planned = mirrored.run("chain", "finalize", "--dry-run").splitlines()
        assert planned[0] == "dry run:"
        assert planned[1].endswith("would be live for ever")
        assert "entries 1 to 2 and a supply of 1005 SCI" in planned[2]
        assert f"its operator, {TEST_ADDRESS}, would lose every power" in planned[3]
        assert "own key: whoever reads this database could claim" in planned[6]
        assert "say --yes" in mirrored.fails("chain", "finalize")
    first, sent, rehearsal = mirrored.run("chain", "finalize", "--yes").splitlines()
    assert first.startswith("SCI is live on chain 31337: 0x")
    assert first.endswith(", 2 entries, supply 1005 SCI")
    assert sent.startswith("transaction 0x")
    assert rehearsal.startswith("a rehearsal: the ledger goes on")
    assert mirrored.run("chain", "finalize").startswith("SCI was live already on chain 31337")
    assert mirrored.run("chain", "verify").startswith("agree: 2 entries, 2 balances")
    assert mirrored.run("chain", "operator", "show") == "operator of SCI: none: live\n"
    deployed = mirrored.run("chain", "deploy").splitlines()
    assert deployed[-1] == "operator of SCI: none: live"


def test_finalize_as_json(mirrored: Shell) -> None:
    planned = mirrored.json("chain", "finalize", "--dry-run")
    assert (planned["dry_run"], planned["is_live"], planned["last_seq"]) == (True, False, 2)
    assert planned["operator"] == str(TEST_ADDRESS)
    done = mirrored.json("chain", "finalize", "--yes")
    assert (done["was_live"], done["closed"], done["chain_id"]) == (False, False, 31_337)
    assert done["total_supply"] == {"tokens": "1005", "base_units": str(1005 * 10**18)}
    assert (len(done["transaction"]), done["history"]) == (66, planned["history"])
    again = mirrored.json("chain", "finalize", "--yes")
    assert (again["was_live"], again["transaction"]) == (True, None)


def test_every_reason_is_named_at_once(mirrored: Shell) -> None:
    mirrored.run("hold", "place", "alice", "1")
    mirrored.run("account", "freeze", "bob")
    mirrored.run("mint", "alice", "1")
    mirrored.run("chain", "operator", "transfer", "--to", WALLET)
    error = mirrored.fails("chain", "finalize", "--yes")
    assert error.startswith("SCI cannot be finalized: ")
    for reason in ("is pending", "'bob' is frozen", "not all sealed", f"was offered to {WALLET}"):
        assert reason in error


def test_the_journal_ends_where_it_is_worth_something(
    stocked: Shell, keystore: Keystore, start_anvil: StartNode
) -> None:
    file, password, address = keystore
    public = start_anvil("--chain-id", "10")
    public.rpc("anvil_setBalance", address, hex(10**18))
    sign = ["--rpc", public.url, "--keystore", file, "--password-file", password]
    own = "--allow-own-registrar"
    for words in (["seal"], ["chain", "deploy", *sign, own], ["chain", "replay", *sign]):
        stocked.run(*words)
    early = "Before it is live, deploy their owners' contracts"
    for says in (early, "--allow-own-registrar", "--allow-unfinalized"):
        assert says in stocked.fails("chain", "finalize", "--yes", *sign)
    public.rpc("anvil_mine", "0x5")
    said = stocked.run("chain", "finalize", "--yes", *sign, own)
    assert said.endswith("closed in the ledger: nothing is posted to SCI here any more\n")
    for words in (["mint", "alice", "1"], ["hold", "place", "alice", "1"]):
        with unchanged(stocked.database):
            assert stocked.fails(*words).startswith("ASSET_CLOSED: the asset is closed")
    assert stocked.run("chain", "verify", "--rpc", public.url).startswith("agree: 2 entries")
    assert "ok" in stocked.run("audit")


@pytest.mark.parametrize("arrives", [True, False])
def test_a_kill_while_it_is_sent(
    stocked: Shell, folder: Path, keystore: Keystore, start_anvil: StartNode, *, arrives: bool
) -> None:
    """Whether the node had the transaction by then or not, the next run ends with a live token."""
    file, password, address = keystore
    public = start_anvil("--chain-id", "10")
    public.rpc("anvil_setBalance", address, hex(10**18))
    with contextlib.closing(RpcProxy(public)) as proxy:
        sign = ["--rpc", proxy.url, "--keystore", str(file), "--password-file", str(password)]
        own = "--allow-own-registrar"
        for words in (["seal"], ["chain", "deploy", *sign, own], ["chain", "replay", *sign]):
            stocked.run(*words)
        finalize = ["chain", "finalize", "--yes", "--allow-unfinalized", own, *sign]
        kill_at_broadcast(stocked, *finalize, folder=folder, proxy=proxy, arrives=arrives)
        assert stocked.fails("mint", "alice", "1").startswith("ASSET_CLOSED")
        assert "SCI was live already on chain 10" in stocked.run(*finalize)
        assert stocked.fails("mint", "alice", "1").startswith("ASSET_CLOSED")
        assert stocked.run("chain", "verify", "--rpc", proxy.url).startswith("agree: 2 entries")


# --- operators ---


def test_an_operator_hands_over(mirrored: Shell, anvil: Node, keystore: Keystore) -> None:
    file, password, address = keystore
    anvil.rpc("anvil_setBalance", address, hex(10**18))
    sign = ["--keystore", file, "--password-file", password]
    operator = ["chain", "operator"]
    now = f"operator of SCI: {TEST_ADDRESS}\n"
    assert mirrored.run(*operator, "show") == now
    offered = f"{now}offered to {address}, who has not taken it\n"
    assert mirrored.run(*operator, "transfer", "--to", address) == offered
    assert mirrored.run(*operator, "transfer", "--withdraw") == now
    assert "was offered to nobody" in mirrored.fails(*operator, "accept", *sign)
    mirrored.run(*operator, "transfer", "--to", address)
    so = "it was so already: nothing new was signed\n"
    assert mirrored.run(*operator, "transfer", "--to", address) == offered + so
    assert f"not to {TEST_ADDRESS}" in mirrored.fails(*operator, "accept")
    assert mirrored.run(*operator, "accept", *sign) == f"operator of SCI: {address}\n"
    assert mirrored.json(*operator, "accept", *sign)["was_done"]
    assert f"the token's operator is {address}" in mirrored.fails(
        *operator, "transfer", "--to", WALLET
    )
    shown = mirrored.json(*operator, "show")
    assert (shown["operator"], shown["pending"], shown["stored"]) == (address, None, None)
    mirrored.run("mint", "alice", "1")
    mirrored.run("seal")
    assert address in mirrored.fails("chain", "replay")
    assert mirrored.run("chain", "replay", *sign).startswith("sent 1 batch with 1 entry")
    assert mirrored.run("chain", "verify").startswith("agree: 3 entries")
    assert f"the token's operator is {address}" in mirrored.fails("chain", "finalize", "--yes")
    assert mirrored.run("chain", "finalize", "--yes", *sign).startswith("SCI is live")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "say --to ADDRESS, or --withdraw"),
        (["--to", WALLET, "--withdraw"], "say --to ADDRESS, or --withdraw"),
        (["--to", "0x12"], "must be 0x and 40 hex digits"),
        (["--to", "0x" + "00" * 20], "is address zero"),
        (["--to", str(TEST_ADDRESS)], "is the operator already"),
    ],
)
def test_an_offer_that_is_none(mirrored: Shell, words: list[str], says: str) -> None:
    assert says in mirrored.fails("chain", "operator", "transfer", *words)


# --- claims ---


def test_a_claim_by_the_ledgers_own_key(live: Shell) -> None:
    words = ["chain", "claim"]
    said = live.run(*words, "authorise", "alice", "claim.json", "--wallet", WALLET)
    assert said.startswith("claim.json: claim of all SCI at 0x")
    assert "on chain 31337, until 2" in said
    assert f"by wallet {WALLET}" in said
    assert "claim.json exists" in live.fails(
        *words, "authorise", "alice", "claim.json", "--wallet", WALLET
    )
    address = live.json("account", "show", "alice")["address"]
    moves = f"1000 SCI  {address} -> {WALLET}"
    assert live.run(*words, "send", "claim.json", "--dry-run") == f"dry run: {moves}\n"
    done = live.run(*words, "send", "claim.json")
    assert done.startswith(f"{moves}  tx 0x")
    again = live.run(*words, "send", "claim.json")
    assert again == done.replace("\n", "  (sent by an earlier run)\n")
    late = live.fails(*words, "send", "claim.json", "--dry-run")
    assert "nonce: is 0, and the account's next is 1" in late
    live.run(*words, "authorise", "alice", "more.json", "--wallet", WALLET)
    assert json.loads(Path("more.json").read_text(encoding="utf-8"))["nonce"] == 1
    assert "holds nothing" in live.fails(*words, "send", "more.json")
    assert live.run("chain", "verify").startswith("agree")


def test_a_claim_as_json(live: Shell) -> None:
    words = ["chain", "claim"]
    made = live.json(*words, "authorise", "bob", "claim.json", "--wallet", WALLET)
    document = json.loads(Path("claim.json").read_text(encoding="utf-8"))
    assert (made["signed"], made["digest"]) == (True, document["digest"])
    assert (made["account"], made["registrar"]) == (
        document["account"]["address"],
        document["account"]["registrar"],
    )
    planned = live.json(*words, "send", "claim.json", "--dry-run")
    assert (planned["dry_run"], planned["amount"]["tokens"]) == (True, "5")
    done = live.json(*words, "send", "claim.json")
    assert (done["amount"]["base_units"], done["wallet"]) == (str(5 * 10**18), WALLET)


def test_a_registrar_without_a_network(shell: Shell, anvil: Node, cold: list[str]) -> None:
    """Prepared here, signed on a computer without database and node, sent by anybody."""
    shell.environment["EVM_LEDGER_RPC"] = anvil.url
    shell.run("init", "--symbol", "SCI", "--name", "SCI token", "--registrar", COLD.address)
    shell.run("account", "create", "alice")
    for words in (["seal"], ["chain", "deploy"], ["chain", "replay"]):
        shell.run(*words)
    claim = ["chain", "claim"]
    alice = [*claim, "authorise", "alice", "claim.json", "--wallet", WALLET]
    assert "is not this ledger's own key" in shell.fails(*alice)
    said = shell.run(*alice, "--unsigned")
    assert said.endswith(f"to be signed by the registrar, {COLD.address}\n")
    assert "still mirrors its ledger" in shell.fails(*claim, "send", "claim.json")
    shell.run("chain", "finalize", "--yes")
    assert "signature: is missing" in shell.fails(*claim, "send", "claim.json")

    there = type(shell)(
        "sqlite:///no-such-folder/none.db", {"EVM_LEDGER_RPC": "http://127.0.0.1:1"}
    )
    typed = json.loads(there.run(*claim, "sign", "claim.json", "--typed-data"))
    message = encode_typed_data(full_message=typed)
    by_wallet = "0x" + bytes(COLD.sign_message(message).signature).hex()
    there.run(*claim, "sign", "claim.json", "by-wallet.json", "--signature", by_wallet)
    there.run(*claim, "sign", "claim.json", "by-key.json", *cold)
    one, other = (Path(it).read_bytes() for it in ("by-wallet.json", "by-key.json"))
    assert one == other
    assert shell.run(*claim, "send", "by-key.json").startswith("1000 SCI  0x")


def test_an_account_of_its_own(live: Shell) -> None:
    words = ["chain", "account"]
    said = live.run(*words, "authorise", "alice", "account.json", "--owner", WALLET)
    address = live.json("account", "show", "alice")["address"]
    assert said.startswith(f"account.json: account {address} for owner {WALLET}, on chain 31337")
    text = f"account {address}  owner {WALLET}"
    assert live.run(*words, "deploy", "account.json", "--dry-run") == f"dry run: {text}\n"
    done = live.run(*words, "deploy", "account.json")
    assert done.startswith(f"{text}  tx 0x")
    again = live.run(*words, "deploy", "account.json")
    assert again == done.replace("\n", "  (sent by an earlier run)\n")
    late = live.fails(*words, "deploy", "account.json", "--dry-run")
    assert "is deployed: its owner moves" in late
    live.run("chain", "claim", "authorise", "alice", "claim.json", "--wallet", WALLET)
    assert "is deployed: its owner moves" in live.fails("chain", "claim", "send", "claim.json")
    done = live.json(*words, "authorise", "bob", "bob.json", "--owner", WALLET, "--deadline", "1h")
    assert done["signed"] is True
    assert live.json(*words, "deploy", "bob.json")["owner"] == WALLET


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--wallet", "0x" + "00" * 20], "wallet: 0x0000"),
        (["--wallet", "0x4e59b44847b379578588920cA78FbF26c0B4956C"], "tokens strand there"),
        (["--wallet", WALLET, "--deadline", "soon"], "deadline: 'soon' is no instant"),
        (["--wallet", WALLET, "--deadline", "2020-01-01T00:00:00Z"], "has passed"),
        (["--wallet", WALLET, "--deadline", "7y"], "deadline: '7y' is no instant"),
        (["--wallet", WALLET, "--nonce", "1"], "is read from the chain"),
        (["--wallet", WALLET, "--offline"], "chain-id: must be given with --offline"),
        (["--wallet", WALLET, "--unsigned", "--own-registrar"], "say one of"),
        (["--wallet", WALLET, "--chain-id", "5"], "serves chain 31337, not 5"),
        (["--wallet", WALLET, "--asset", "NONE"], "UNKNOWN_ASSET"),
    ],
)
def test_a_claim_that_cannot_be_authorised(live: Shell, words: list[str], says: str) -> None:
    assert says in live.fails("chain", "claim", "authorise", "alice", "claim.json", *words)
    assert not Path("claim.json").exists()


def test_a_claim_for_a_chain_that_is_worth_something(stocked: Shell, keystore: Keystore) -> None:
    stocked.run("asset", "create", "MINE", "--operator", keystore[2])
    words = ["chain", "claim", "authorise", "alice", "claim.json", "--wallet", WALLET]
    there = ["--asset", "MINE", "--offline", "--chain-id", "10", "--nonce", "3"]
    assert "no local test chain: say --own-registrar" in stocked.fails(*words, *there)
    assert "has no operator" in stocked.fails(*words, "--asset", "SCI", *there[2:])
    said = stocked.run(*words, *there, "--own-registrar", "--deadline", "2126-01-01T00:00:00Z")
    assert "on chain 10, until 2126-01-01T00:00:00Z, signed by the registrar" in said
    document = json.loads(Path("claim.json").read_text(encoding="utf-8"))
    assert (document["nonce"], document["chain_id"]) == (3, 10)


def test_what_a_registrar_does_not_sign(live: Shell, cold: list[str]) -> None:
    claim = ["chain", "claim"]
    live.run(*claim, "authorise", "alice", "claim.json", "--wallet", WALLET, "--unsigned")
    sign = [*claim, "sign", "claim.json"]
    assert "and the key is of" in live.fails(*sign, "signed.json", *cold)
    for words in ([], ["signed.json"], ["signed.json", "--typed-data", "--signature", "0x12"]):
        assert "say one of --keystore, --signature and --typed-data" in live.fails(*sign, *words)
    assert "name the new file" in live.fails(*sign, "--signature", "0x12")
    assert "must be 0x and hex digits" in live.fails(*sign, "signed.json", "--signature", "12")
    assert "signature: must have 1" in live.fails(*sign, "signed.json", "--signature", "0x")
    said = live.run(*sign, "signed.json", "--signature", "0x" + "11" * 65)
    assert "whether by the registrar" in said
    assert "signature: is not by the registrar" in live.fails(*claim, "send", "signed.json")
    assert "is for `evm-ledger chain claim ...`" in live.fails(
        "chain", "account", "deploy", "claim.json"
    )


# --- docs/live.md ---


def test_the_page_shows_what_happens(shell: Shell, anvil: Node) -> None:
    """The session of docs/live.md, then its Python, on one ledger and one chain."""
    shell.database = "sqlite:///live.db"
    shell.environment = {"EVM_LEDGER_RPC": anvil.url, "COLUMNS": "100"}
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"```sh\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    assert len(found) == text.count("```sh") >= 5
    for commands, shown in found:
        printed = "".join(_typed(shell, line) for line in commands.splitlines())
        # Tables have as many spaces as their cells need.
        lines = [re.escape(line).replace(r"\.\.\.", ".*") + r" *\n" for line in shown.splitlines()]
        assert re.fullmatch("".join(lines), printed), f"it prints\n{printed}\nnot\n{shown}"
    [(code, shown)] = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    with contextlib.redirect_stdout(io.StringIO()) as printed_there:
        exec(compile(code, PAGE.name, "exec"), {"rpc": anvil.url})  # noqa: S102 (our own page)
    assert printed_there.getvalue() == shown


def _typed(shell: Shell, line: str) -> str:
    """Return what a line of the page prints."""
    command, _, otherwise = line.partition(" || ")
    code, said, complained = shell.invoke(*shlex.split(command)[1:])
    assert (code != 0) is bool(otherwise), complained
    return said + complained + (f"exit code {code}\n" if otherwise else "")


def test_every_obstacle_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("| reason |") : page.index("Ledger and chain are compared whole")]
    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert sorted(re.findall(r"`([a-z-]+)`", " ".join(first))) == sorted(ObstacleKind)


# --- the question on a terminal ---


@pytest.mark.parametrize("typed", ["SCI", "sci"])
def test_the_symbol_has_to_be_typed(mirrored: Shell, folder: Path, typed: str) -> None:
    ours, theirs = pty.openpty()
    environment = {"EVM_LEDGER_DATABASE": mirrored.database, **mirrored.environment}
    with subprocess.Popen(
        [PROGRAM, "chain", "finalize"],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(ours, f"{typed}\n".encode())
        said, asked = process.communicate(timeout=240)
    os.close(ours)
    os.close(theirs)
    assert "would be live for ever" in asked
    assert "Nobody can undo this. Type SCI to go on" in asked
    if typed == "SCI":
        assert (process.returncode, said[:11]) == (0, "SCI is live")
    else:
        assert (process.returncode, said) == (2, "")
        assert asked.endswith("error: not confirmed: nothing was sent, and nothing has changed\n")
    live = mirrored.json("chain", "finalize", "--dry-run")["is_live"]
    assert live is (typed == "SCI")
