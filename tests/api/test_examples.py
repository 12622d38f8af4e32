"""The examples of the documentation, run as they are against a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger import Ledger
from tests.api.server import ApiServer
from tests.support import curl

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def empty(sqlite_url: str) -> Iterator[ApiServer]:
    """Serve a ledger that has an asset and nobody."""
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("SCI", "SCI token", 18)
        server = ApiServer(ledger)
        yield server
        server.stop()


def own_programs(folder: Path) -> Path:
    """Return the first folder of the PATH of an example."""
    (programs := folder / "bin").mkdir(exist_ok=True)
    return programs


def run(server: ApiServer, folder: Path, *command: str) -> str:
    """Run an example, which may call `evm-ledger`, and return what it printed."""
    program = own_programs(folder) / "evm-ledger"
    call = f'exec {sys.executable} -c "from bridge.cli import main; main()" "$@"'
    program.write_text(f"#!/bin/sh\nPYTHONPATH={EXAMPLES.parents[1]} {call}\n")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=240, check=False,
        env={
            **os.environ, "PATH": path, "NO_PROXY": "*", "PYTHONUNBUFFERED": "",
            "URL": server.url, "KEY": server.token("admin"),
        },
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("program", ["curl", "ours"] if shutil.which("curl") else ["ours"])
def test_curl(empty: ApiServer, tmp_path: Path, program: str) -> None:
    if program == "ours":
        curl.provide(own_programs(tmp_path))
    said = run(empty, tmp_path, "sh", str(EXAMPLES / "with_curl.sh"))
    parts = dict(part.split("\n", 1) for part in said[3:].split("\n-- "))
    assert len(parts) == 16
    answers = {name: text for name, text in parts.items() if '"code":' in text}
    assert [re.findall('"code":"(.*?)"', text) for text in answers.values()] == [
        ["ACCOUNT_FROZEN"],
        ["DEBIT_LIMIT"],
        ["INSUFFICIENT_AVAILABLE"],
    ]
    assert all("exit code 22" in text for text in answers.values())
    assert '"balance":{"tokens":"12.5","base_units":"12500000000000000000"}' in said
    assert '"repeated":true' in parts["once more, because the answer was lost: the same entry"]
    ledger = empty.service.ledger
    own = [entry.seq for entry in ledger.get_statement("bob")]
    paged = re.findall(r'"seq":(\d+)', parts["a whole statement, page by page"])
    assert list(map(int, paged)) == own
    assert ledger.asset().format(ledger.get_balance("bob")) == "79.5"
    assert [hold.state for hold in ledger.holds("alice")] == ["posted", "voided"]
    [listened] = [text for name, text in parts.items() if name.startswith("listen to")]
    assert listened.split() == [str(change.type) for change in islice(ledger.changes(), 4)]
    [checked] = [text for name, text in parts.items() if name.startswith("seal, take")]
    assert "\nentry 8 of SCI: 1 SCI from " in checked


def test_httpx(empty: ApiServer, tmp_path: Path) -> None:
    said = run(empty, tmp_path, sys.executable, str(EXAMPLES / "with_httpx.py"))
    assert said.splitlines()[0] == "dave has 12.5 tokens, 12500000000000000000 base units"
    lines = [line for line in said.splitlines() if "->" not in line]
    assert lines[1:8] == [
        "left after the burn: 72.5",
        "posted together: 2",
        "still held: 0",
        "a hold is voided",
        "undone by entry of kind reversal",
        "ACCOUNT_FROZEN",
        "DEBIT_LIMIT",
    ]
    assert lines[8] == "INSUFFICIENT_AVAILABLE"
    assert lines[9].startswith("entry 2 of SCI: 12.5 SCI from ")
    assert lines[-2:] == ["heard of the hold that was posted", "and then of: hold_created"]
