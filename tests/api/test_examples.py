"""The examples of the documentation, run as they are against a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger import Ledger
from tests.api.server import ApiServer

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


def run(server: ApiServer, folder: Path, *command: str) -> str:
    """Run an example and return what it printed."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "URL": server.url, "KEY": server.token("admin"), "NO_PROXY": "*"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_curl(empty: ApiServer, tmp_path: Path) -> None:
    said = run(empty, tmp_path, "sh", str(EXAMPLES / "with_curl.sh"))
    assert said.count("\n-- ") == 10
    assert '"balance":{"tokens":"12.5","base_units":"12500000000000000000"}' in said
    assert '"repeated":true' in said
    assert '"code":"INSUFFICIENT_AVAILABLE"}\nexit code 22' in said
    ledger = empty.service.ledger
    assert ledger.asset().format(ledger.get_balance("bob")) == "19.5"
    program = [sys.executable, "-c", "from bridge.cli import main; main()", "check", "proof.json"]
    checked = subprocess.run(
        program, cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parents[1])},
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_httpx(empty: ApiServer, tmp_path: Path) -> None:
    said = run(empty, tmp_path, sys.executable, str(EXAMPLES / "with_httpx.py"))
    assert said.splitlines()[0] == "dave has 12.5 tokens, 12500000000000000000 base units"
    assert said.splitlines()[-5:] == [
        "posted together: 2",
        "still held: 0",
        "undone by entry of kind reversal",
        "INSUFFICIENT_AVAILABLE",
        "heard of the hold that was posted",
    ]
