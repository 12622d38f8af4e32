"""The demo on a real Anvil: what it shows, and that each of its claims can fail."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bridge import economy, mainnet
from bridge.demo import DemoError, run_demo
from ledger import ISSUER, Ledger
from tests.cli.shell import Shell, process
from tests.support.nodes import anvil_path

if TYPE_CHECKING:
    from tests.support.nodes import Node

LAST_LINE = re.compile(
    r"demo: ok entries=23381 accounts=396 batches=77 gas_per_entry=\d+ mismatches=0 tamper_found=1"
)


def test_the_demo(folder: Path) -> None:
    path = f"{anvil_path().parent}{os.pathsep}{os.environ['PATH']}"
    done = process("demo", "--folder", "room", folder=folder, PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert LAST_LINE.fullmatch(lines[-1])
    assert [line.split(":")[0].strip() for line in lines] == [
        "folder", "booked", "booked", "sealed", "exported", "deployed", "replayed", "verified",
        "tampered", "audit", "verify", "look around", "look at it in the explorer", "demo",
    ]  # fmt: skip
    with Ledger.open(f"sqlite:///{folder}/room/ledger.db") as ledger:
        assert_mainnet(ledger)
        assert ledger.audit().ok
    shell = Shell(f"sqlite:///{folder}/room/tampered.db")
    assert shell.run("audit", code=1).startswith("FOUND: token_ledger SCI/11456: id is 0x")
    assert done.stdout.count("SCI/11456") == 2
    around, explorer = (line.partition(": ")[2] for line in lines[-3:-1])
    assert_they_work(around, explorer, folder)


def assert_they_work(around: str, explorer: str, folder: Path) -> None:
    """Paste both commands into a shell as they are, but for the port, which may not be free."""
    shown = subprocess.run(["/bin/sh", "-c", around], cwd=folder, capture_output=True, check=True)
    assert b"treasury" in shown.stdout
    assert " serve --open-reads --database " in explorer
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {explorer} --port 0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            assert said.startswith("listening at http://127.0.0.1:")
            page = httpx.get(f"{said.split()[-1]}/entries?asset=SCI", trust_env=False, timeout=60)
            assert (page.status_code, page.text.count("chip final")) == (200, 26)
        finally:
            server.send_signal(signal.SIGINT)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the demo less to do: it has the same steps."""
    transfers, skipped = mainnet.read_transfers()
    few = [it for it in transfers if it.token in {transfers[0].token, transfers[-1].token}]
    monkeypatch.setattr(mainnet, "read_transfers", lambda: (few, skipped))
    monkeypatch.setattr(economy, "ENTRIES", 500)


@pytest.mark.usefixtures("little")
def test_the_demo_says_its_numbers_as_json(folder: Path) -> None:
    found = Shell("").json("demo", "--anvil", anvil_path(), "--folder", folder / "room")
    with Ledger.open(f"sqlite:///{folder}/room/ledger.db") as ledger:
        entries = sum(1 for asset in ledger.assets() for _ in ledger.entries(asset.symbol))
    assert found.pop("gas_per_entry") > 0
    assert found.pop("accounts") > economy.ACCOUNTS
    assert found.pop("batches") >= 3
    assert found == {"entries": entries, "mismatches": 0, "tamper_found": 1}


@pytest.mark.usefixtures("little")
def test_the_demo_on_hardhat(folder: Path, hardhat: Node) -> None:
    """72 tokens and 77 batches would take it minutes."""
    said = Shell("").run("demo", "--rpc", hardhat.url, "--folder", folder / "room")
    assert re.search(r"\ndemo: ok entries=\d+ .* mismatches=0 tamper_found=1\n$", said)


def assert_mainnet(ledger: Ledger) -> None:
    """Compare what the ledger has of mainnet with the logs themselves."""
    logs = [log for log in mainnet_logs() if len(log["topics"]) == 3]
    found = [
        entry
        for asset in ledger.assets()[1:]
        for entry in ledger.entries(asset.symbol)
        if entry.kind == "chain"
    ]
    assert len(found) == len(logs) == 282
    assert Counter((entry.asset, entry.reference_id, entry.amount) for entry in found) == Counter(
        (log["address"], log["transaction_hash"], int(log["data"], 16)) for log in logs
    )
    assert len({entry.cause for entry in found}) == 282


def mainnet_logs() -> list[dict[str, Any]]:
    """Return the `Transfer` logs of the file, read without the package."""
    data = Path(mainnet.__file__).with_name("data")
    [file] = data.glob("mainnet_logs_*.jsonl")
    topic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    logs = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [log for log in logs if log["topics"][:1] == [topic]]


def test_the_real_input_is_what_the_issue_says() -> None:
    transfers, skipped = mainnet.read_transfers()
    movements = [transfer.movement for transfer in transfers]
    assert (len(transfers), skipped) == (282, 9)
    assert len(mainnet_logs()) == 282 + 9
    assert len({transfer.token for transfer in transfers}) == 71
    assert sum(movement.amount == 0 for movement in movements) == 3
    assert sum(movement.from_account == movement.to_account for movement in movements) == 13
    groups = list(mainnet.groups(transfers))
    assert len(groups) == len({transfer.transaction for transfer in transfers})
    for group in groups:
        assert len({movement.reference_id for movement in group.movements}) == 1
    assert [movement for group in groups for movement in group.movements] == movements


def test_opening_balances_are_the_least_that_suffice() -> None:
    transfers, _ = mainnet.read_transfers()
    opening = mainnet.opening_balances(transfers)
    for dropped in (0, 1):
        held: Counter[tuple[str | None, str]] = Counter()
        lowest = 0
        movements = [transfer.movement for transfer in transfers]
        for movement in opening:
            held[movement.asset, movement.to_account] += movement.amount - dropped
        for movement in movements:
            held[movement.asset, movement.from_account] -= movement.amount
            if movement.from_account != ISSUER:
                lowest = min(lowest, held[movement.asset, movement.from_account])
            held[movement.asset, movement.to_account] += movement.amount
        assert lowest == -dropped


def test_the_economy_is_always_the_same() -> None:
    first = list(economy.movements("SCI"))
    assert first == list(economy.movements("SCI"))
    assert len(first) + len(economy.account_ids()) == economy.ENTRIES == 22_912
    assert len(economy.account_ids()) == economy.ACCOUNTS == 84
    assert all(movement.amount > 0 for movement in first)
    assert all(balance >= 0 for balance in economy.expected_balances("SCI").values())
    reasons = Counter(movement.reason for movement in first)
    assert set(reasons) == {
        "earn:debate", "tip", "pay:review", "pay:translation", "spend:compute", "fee:listing",
        "burn:penalty", "mint:grant",
    }  # fmt: skip


def test_a_claim_that_does_not_hold_ends_the_demo(folder: Path, anvil: Node) -> None:
    """Somebody alters a row between two steps; the next step must say so."""
    room, said = folder / "room", []

    def say(line: str) -> None:
        said.append(line)
        if "of 84 agents" in line:
            with sqlite3.connect(room / "ledger.db") as database:
                database.execute(
                    "UPDATE token_balances SET total_earned = total_spent, total_spent = "
                    "total_earned WHERE account_id = 'agent-0001'"
                )
            database.close()

    with pytest.raises(
        DemoError, match=r"this does not hold: the audit finds nothing \(.*agent-0001"
    ):
        run_demo(anvil=None, rpc=anvil.url, folder=room, say=say)
    assert len(said) == 3
    assert not any(line.startswith("demo: ok") for line in said)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--anvil", "/nowhere/anvil"], "no Anvil at /nowhere/anvil: name one with --anvil"),
        (["--anvil", "/bin/false"], "/bin/false did not start as an Anvil: it said nothing"),
        (["--rpc", "http://127.0.0.1:1"], "http://127.0.0.1:1 does not answer"),
    ],
)
def test_a_demo_without_a_node(shell: Shell, words: list[str], says: str) -> None:
    assert says in shell.fails("demo", *words, "--folder", "new")
    assert not Path("new").exists()


def test_a_demo_without_anvil_on_the_path(folder: Path) -> None:
    done = process("demo", folder=folder, PATH="/nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no Anvil on PATH: name one with --anvil")
    assert done.stderr.count("\n") == 1


def test_a_demo_writes_over_nothing(shell: Shell, anvil: Node) -> None:
    Path("here").mkdir()
    assert shell.fails("demo", "--rpc", anvil.url, "--folder", "here") == (
        "here exists; name a new folder"
    )
