"""docs/migration.md, from top to bottom on two real chains; and each failure that it lists."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from eth_account import Account
from eth_typing import HexStr

from tests.cli.shell import PROGRAM, Shell
from tests.ledger.support import attacker
from tests.support import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.guardian import Guardian
    from tests.support.nodes import Node
    from tests.support.warm import WarmProgram

PAGE: Final = (Path(__file__).parents[2] / "docs" / "migration.md").read_text(encoding="utf-8")
KEYS: Final = {"operator": "6b", "registrar": "5b", "wallet": "7c"}
COMMANDS: Final = re.compile(
    r"^```sh\n(?P<code>.*?)^```$(?:\n\n?```text\n(?P<shown>.*?)^```$)?", re.DOTALL | re.MULTILINE
)
BETWEEN: Final = "=== next block ==="
MINED: Final = """\
curl -sS -H 'Content-Type: application/json' https://node.example > mined.json \\
  -d '{"jsonrpc":"2.0","id":1,"method":"anvil_mine","params":["0x8"]}'
"""
"""What makes final what was sent so far: else it depends on how fast the commands after it are."""
ROWS: Final = re.findall(r"^\| ([a-z, ]+) \| `([^|]+)` \|[^|]+\|[^|]+\|$", PAGE, re.MULTILINE)


def address(name: str) -> str:
    return str(Account.from_key("0x" + KEYS[name] * 32).address)


def make_keys(folder: Path) -> None:
    """Write the keystore files of the page, and those of their passwords."""
    for name, byte in KEYS.items():
        secret = f"secret of {name}"
        document = Account.encrypt(HexStr("0x" + byte * 32), secret, kdf="scrypt", iterations=2)
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
        (folder / f"{name}.password").write_text(f"{secret}\n", encoding="utf-8")


def pattern(shown: str) -> str:
    """Return a pattern in which `...` stands for anything within a line."""
    return re.escape(shown).replace(r"\.\.\.", ".*")


@pytest.fixture(scope="module")
def guide_chain(guardian: Guardian) -> Iterator[Node]:
    """Run the page's chain: not one of tests, with a block every fifth of a second."""
    node = nodes.start_anvil(guardian, "--chain-id", "4242", "--block-time", "0.2")
    for name in ("operator", "wallet"):
        node.rpc("anvil_setBalance", address(name), hex(10**19))
    yield node
    node.stop()


@pytest.mark.timeout(900)  # forty programs
def test_the_guide_from_top_to_bottom(
    tmp_path: Path, guide_chain: Node, fresh_anvil: Node, warm_program: WarmProgram
) -> None:
    make_keys(tmp_path)
    found = list(COMMANDS.finditer(PAGE))
    assert len(found) == PAGE.count("```sh\n")
    urls = {"https://node.example": guide_chain.url, "http://127.0.0.1:8545": fresh_anvil.url}
    codes = [block["code"] for block in found]
    (at_the_end,) = (at for at, code in enumerate(codes) if "--export points" in code)
    codes[at_the_end] = MINED + codes[at_the_end]
    script = f"echo '{BETWEEN}'\n".join(codes)
    for shown, real in urls.items():
        script = script.replace(shown, real)
    # What is killed is the program itself, not what asks the warm one to do its work.
    killed = re.compile(r"^evm-ledger (.* &)$", re.MULTILINE)
    script, background = killed.subn(rf"{PROGRAM} \1", script)
    assert background == 1
    ran = subprocess.run(
        ["/bin/sh", "-euc", script],
        cwd=tmp_path,
        env={
            "PATH": f"{warm_program.path}:{nodes.NODE_JS.parent}",
            "COLUMNS": "100",
            "SOURCE": str(nodes.CONTRACTS.parent),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    # Whether there is something to wait for depends on how fast the machine is.
    printed = re.sub(r"(?m)^waiting until block \d+ is finalized\n", "", ran.stdout)
    for there, block in zip(printed.split(BETWEEN + "\n"), found, strict=True):
        here = block["shown"] or ""
        assert re.fullmatch(pattern(here), there), f"it prints\n{there}\nthe page shows\n{here}"


# --- when a step fails ---


class Migration:
    """A ledger of the page, its commands, and how far it is."""

    def __init__(self, url: str, node: Node) -> None:
        self.shell = Shell(url, {"EVM_LEDGER_RPC": node.url})
        self.node = node

    def __call__(self, *words: object, key: str = "") -> str:
        """Return what a command says, wherever it says it."""
        _, said, complained = self.shell.invoke(*words, *self.key(key))
        return said + complained

    def key(self, name: str) -> list[str]:
        """Return the options that sign with the key of that name; none without one."""
        return ["--keystore", f"{name}.json", "--password-file", f"{name}.password"] if name else []

    def deployed(self) -> Migration:
        """Deploy, and go on."""
        self.shell.run("chain", "deploy", *self.key("operator"))
        return self

    def replayed(self) -> Migration:
        """Deploy and replay, and go on."""
        self.deployed().shell.run("chain", "replay", *self.key("operator"))
        return self

    def altered(self) -> Migration:
        """Return the same with a copy of the database in which somebody changed an amount."""
        shutil.copy("points.db", "altered.db")
        with attacker("sqlite:///altered.db") as database:
            amount = database.amount(7)
            database.run("UPDATE token_ledger SET amount = ? WHERE seq = 3", amount)
        return Migration("sqlite:///altered.db", self.node)

    def live(self) -> Migration:
        """Deploy, replay and finalize; give the wallet what it needs to send."""
        live = ("--yes", "--allow-unfinalized")
        self.replayed().shell.run("chain", "finalize", *live, *self.key("operator"))
        self.node.rpc("anvil_setBalance", address("wallet"), hex(10**19))
        return self

    def sender(self) -> Migration:
        """Return somebody without a ledger, who stores in the default outbox what he signs."""
        other = Migration("", self.node)
        other.shell.environment["XDG_STATE_HOME"] = str(Path.cwd())
        return other

    def cut_short(self, *words: object, key: str) -> None:
        """Run a command that sends, until its transaction is on its way and in no block."""
        self.node.rpc("evm_setAutomine", False)  # noqa: FBT003 (JSON-RPC is positional)
        try:
            assert "is not mined after" in self(*words, "--give-up-after", "0.1", key=key)
        finally:
            self.node.rpc("evm_setAutomine", True)  # noqa: FBT003 (JSON-RPC is positional)
            self.node.rpc("evm_mine")

    def finalize(self) -> str:
        """Return what finalize says."""
        return self("chain", "finalize", "--yes", key="operator")

    def claim(self, key: str) -> str:
        """Authorise a claim; return what signing it with the key says."""
        wallet = ["--wallet", address("wallet"), "--unsigned"]
        self.shell.run("chain", "claim", "authorise", "alice", "claim.json", *wallet)
        return self("chain", "claim", "sign", "claim.json", "signed.json", key=key)


def own_registrar(it: Migration) -> Migration:
    """Return a ledger with its own key as registrar, in which nothing is sealed."""
    other = Migration("sqlite:///own.db", it.node)
    other.shell.run("init", "--symbol", "OWN")
    other.shell.run("account", "create", "alice")
    return other


def misspelt_registrar(it: Migration) -> str:
    wrong = address("registrar").swapcase().replace("X", "x")
    other = Migration("sqlite:///new.db", it.node)
    said = other("init", "--symbol", "PTS", "--registrar", wrong)
    assert not Path("new.db").exists()
    return said


def in_another_folder(it: Migration) -> str:
    Path("elsewhere").mkdir()
    other = Migration("sqlite:///elsewhere/points.db", it.node)
    said = other("audit")
    assert other("chain", "report") == said
    return said


def altered_account(it: Migration) -> str:
    with attacker("sqlite:///points.db") as database:
        database.run("UPDATE token_accounts SET blind = ? WHERE account_id = 'alice'", b"\1" * 32)
    return it("audit")


def signed_twice(it: Migration) -> str:
    it.shell.run("checkpoint", "points-seal.json", *it.key("operator"))
    return it("checkpoint", "points-seal.json", key="operator")


def wrong_password(it: Migration) -> str:
    Path("operator.password").write_text("guess", encoding="utf-8")
    return it("chain", "deploy", key="operator")


def without_money(it: Migration) -> str:
    it.node.rpc("anvil_setBalance", address("operator"), "0x0")
    return it("chain", "deploy", key="operator")


def posted_since(it: Migration) -> str:
    it.replayed().shell.run("mint", "bob", "1")
    return it("chain", "replay", key="operator")


def pending(it: Migration) -> str:
    it.replayed().shell.run("hold", "place", "bob", "1")
    return it.finalize()


def frozen(it: Migration) -> str:
    it.replayed().shell.run("account", "freeze", "alice")
    return it.finalize()


def unsealed(it: Migration) -> str:
    it.replayed().shell.run("mint", "bob", "1")
    return it.finalize()


def claimed_too_early(it: Migration) -> str:
    it.replayed().claim("registrar")
    return it("chain", "claim", "send", "signed.json", key="operator")


def sealed_too_late(it: Migration) -> str:
    with closing(sqlite3.connect("points.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        return it("seal", "--lock-timeout", "0.1")


def exported_twice(it: Migration) -> str:
    it.shell.run("export", "points")
    return it("export", "points")


def too_expensive(it: Migration) -> str:
    cheap = ("--max-fee", "0.000000001", "--give-up-after", "0.1")
    return it.deployed()("chain", "replay", *cheap, key="operator")


def never_mined(it: Migration) -> str:
    it.deployed().node.rpc("evm_setAutomine", False)  # noqa: FBT003 (JSON-RPC is positional)
    try:
        return it("chain", "replay", "--give-up-after", "0.1", key="operator")
    finally:
        it.node.rpc("anvil_dropAllTransactions")
        it.node.rpc("evm_setAutomine", True)  # noqa: FBT003 (JSON-RPC is positional)


def taken_back(it: Migration) -> str:
    """Put the chain where it was before the batch was in a block."""
    before = it.deployed().node.rpc("evm_snapshot")
    it.shell.run("chain", "replay", *it.key("operator"))
    assert it.node.rpc("evm_revert", before)
    return it("chain", "status")


def claimed_too_late(it: Migration) -> str:
    """Let the chain's time pass the deadline of what was signed."""
    it.live().claim("registrar")
    it.node.rpc("evm_increaseTime", 8 * 86_400)
    it.node.rpc("evm_mine")
    return it("chain", "claim", "send", "signed.json", key="wallet")


CLAIM: Final = ("chain", "claim", "send", "signed.json")
ACCOUNT: Final = ("chain", "account", "deploy", "allowed.json")


def claim_cut_short(it: Migration) -> str:
    it.live().claim("registrar")
    it.sender().cut_short(*CLAIM, key="wallet")
    assert Path("evm-ledger/outbox.db").exists()
    return it.sender()(*CLAIM, key="wallet")


def claimed_from_elsewhere(it: Migration) -> str:
    it.live().claim("registrar")
    it.sender().cut_short(*CLAIM, key="wallet")
    return it.sender()(*CLAIM, "--outbox", "other.db", key="wallet")


def allow_account(it: Migration) -> None:
    """Authorise that bob's account is deployed, and sign it."""
    owner = ["--owner", address("wallet"), "--unsigned"]
    it.deployed().shell.run("chain", "account", "authorise", "bob", "account.json", *owner)
    signing = ("chain", "account", "sign", "account.json", "allowed.json")
    it.shell.run(*signing, *it.key("registrar"))
    it.node.rpc("anvil_setBalance", address("wallet"), hex(10**19))


def account_cut_short(it: Migration) -> str:
    allow_account(it)
    it.cut_short(*ACCOUNT, key="wallet")  # in the ledger's own outbox
    return it(*ACCOUNT, key="wallet")


def deployed_from_elsewhere(it: Migration) -> str:
    allow_account(it)
    it.cut_short(*ACCOUNT, key="wallet")
    return it(*ACCOUNT, "--outbox", "other.db", key="wallet")


def unsigned(it: Migration) -> str:
    owner = ["--owner", address("wallet"), "--unsigned"]
    it.deployed().shell.run("chain", "account", "authorise", "bob", "account.json", *owner)
    return it("chain", "account", "deploy", "account.json", key="wallet")


def damaged(it: Migration) -> str:
    it.shell.run("export", "points")
    file = Path("points/entries.jsonl")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("endowment", "endowmenT", 1), encoding="utf-8")
    return it("import", "points", "--database", "sqlite:///mine.db")


def other_checkpoint(it: Migration) -> str:
    it.shell.run("checkpoint", "points-seal.json", *it.key("wallet"))
    signer = ["--signer", address("operator")]
    return it("audit", "--expect-head", "points-seal.json", *signer)


FAILURES: Final[dict[str, Callable[[Migration], str]]] = {
    "is the node up?": lambda it: it("chain", "verify", "--rpc", "http://127.0.0.1:1"),
    "serves chain 4242": lambda it: it("chain", "verify", "--chain-id", "1"),
    "the password is wrong": wrong_password,
    "is no local test chain": lambda it: it("chain", "deploy"),
    "have the ledger's own key": lambda it: own_registrar(it)("chain", "deploy", key="operator"),
    "holds a ledger already": lambda it: it("init", "--symbol", "PTS"),
    "EIP-55": misspelt_registrar,
    "ACCOUNT_EXISTS": lambda it: it("account", "create", "alice"),
    "does not exist": in_another_folder,
    "token_accounts": altered_account,
    "is the ledger's own key": lambda it: own_registrar(it)("chain", "report"),
    "--gas-price": lambda it: it("chain", "plan", "--gas-price", "cheap"),
    "nothing is sealed yet": lambda it: own_registrar(it)("checkpoint", "a.json", key="operator"),
    "points-seal.json exists": signed_twice,
    "-> ...  tx": claim_cut_short,
    "claimed from meanwhile": claimed_from_elsewhere,
    "owner ...  tx": account_cut_short,
    "is deployed": deployed_from_elsewhere,
    "of the chain's coin": without_money,
    "has no operator": lambda it: it("chain", "replay", key="operator"),
    "the token's operator is": lambda it: it.deployed()("chain", "replay", key="wallet"),
    "does not recompute": lambda it: it.deployed().altered()("chain", "replay", key="operator"),
    "not sealed yet": posted_since,
    "held the journal": sealed_too_late,
    "is there already": exported_twice,
    "may offer more than": too_expensive,
    "is not mined after": never_mined,
    "stuck, run": taken_back,
    "not-replayed": lambda it: it.deployed()("chain", "verify"),
    "log-differs": lambda it: it.replayed().altered()("chain", "verify"),
    "is pending": pending,
    "is frozen": frozen,
    "are not all sealed": unsealed,
    "its last final block": lambda it: it.replayed().finalize(),
    "registrar: is": lambda it: it.replayed().claim("operator"),
    "still mirrors": claimed_too_early,
    "has passed": claimed_too_late,
    "signature: is missing": unsigned,
    "was altered: its sha256": damaged,
    "or was altered": other_checkpoint,
    "token_ledger PTS/3": lambda it: it.altered()("audit"),
}
"""How to provoke what the page says, by words that only its row has."""


@pytest.fixture(scope="module")
def failing_chain(guardian: Guardian) -> Iterator[Node]:
    """Run a chain that is not one of tests, and mines at once."""
    node = nodes.start_anvil(guardian, "--chain-id", "4242")
    yield node
    node.stop()


@pytest.fixture
def migration(
    tmp_path: Path, failing_chain: Node, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Migration]:
    monkeypatch.chdir(tmp_path)
    make_keys(tmp_path)
    before = failing_chain.rpc("evm_snapshot")
    failing_chain.rpc("anvil_setBalance", address("operator"), hex(10**19))
    made = Migration("sqlite:///points.db", failing_chain)
    made.shell.run("init", "--symbol", "PTS", "--registrar", address("registrar"))
    for name in ("alice", "bob"):
        made.shell.run("account", "create", name)
    made.shell.run("transfer", "alice", "bob", "12.5")
    made.shell.run("seal")
    yield made
    failing_chain.rpc("evm_revert", before)
    nodes.reset_base_fee(failing_chain)


@pytest.mark.parametrize(("step", "says"), ROWS, ids=[says[:40] for _, says in ROWS])
def test_each_failure_of_the_table(migration: Migration, step: str, says: str) -> None:
    [provoke] = [how for words, how in FAILURES.items() if words in says]
    said = provoke(migration)
    assert re.search(pattern(says), said), f"at {step} it says\n{said}"


def test_the_table_has_each_failure_once() -> None:
    assert len(ROWS) == len(FAILURES)
