"""The fixtures give what they promise, and leave nothing behind, even when the suite is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from tests.support.nodes import Node
    from tests.support.warm import WarmProgram

_SUITE_THAT_IS_KILLED = """
import os, sys, time
from tests.support.guardian import Guardian
from tests.support.nodes import start_anvil
from tests.support.postgres import PostgresServer

guardian = Guardian()
folder = guardian.folder("test")
print(folder, PostgresServer(guardian).process.pid, start_anvil(guardian).process.pid, flush=True)
time.sleep(60)
"""


def _has_ended(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_database_is_empty_and_its_own(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE here (there integer)"))
        assert connection.execute(text("SELECT count(*) FROM here")).scalar_one() == 0
    engine.dispose()


@pytest.mark.parametrize("_time", [1, 2])
def test_a_node_forgets(node: Node, _time: int) -> None:
    someone = "0x" + "12" * 20
    assert node.rpc("eth_getBalance", someone, "latest") == "0x0"
    sender = node.rpc("eth_accounts")[0]
    sent = node.rpc("eth_sendTransaction", {"from": sender, "to": someone, "value": "0x1"})
    assert node.receipt(sent)["status"] == "0x1"
    assert node.rpc("eth_getBalance", someone, "latest") == "0x1"


def test_a_fresh_anvil_is_another_one(anvil: Node, fresh_anvil: Node) -> None:
    assert fresh_anvil.url != anvil.url
    fresh_anvil.kill()
    assert anvil.rpc("eth_chainId") == "0x7a69"


@pytest.mark.parametrize("words", ["--version", "balance alice", "balance '' | cat"])
def test_the_warm_program_is_the_installed_one(
    tmp_path: Path, warm_program: WarmProgram, words: str
) -> None:
    def ran(path: str) -> tuple[int, str, str]:
        script = f"evm-ledger {words}"
        environment = {"PATH": path, "EVM_LEDGER_DATABASE": f"sqlite:///{tmp_path}/nowhere.db"}
        done = subprocess.run(
            ["/bin/sh", "-c", script], env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    assert ran(warm_program.path) == ran(f"{Path(sys.executable).parent}:/usr/bin:/bin")


def test_nothing_outlives_a_suite_that_is_killed() -> None:
    suite = subprocess.Popen(
        [sys.executable, "-c", _SUITE_THAT_IS_KILLED], stdout=subprocess.PIPE, text=True
    )
    assert suite.stdout is not None
    folder, *pids = suite.stdout.readline().split()
    assert Path(folder).exists()
    suite.kill()
    suite.wait()
    suite.stdout.close()
    deadline = time.monotonic() + 120
    while not all(_has_ended(int(pid)) for pid in pids) or Path(folder).exists():
        assert time.monotonic() < deadline, "a server outlived the suite that started it"
        time.sleep(0.05)
