"""The description of the API, and what a fuzzer that reads it finds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.api import Settings
from tests.api.conftest import small_ledger
from tests.api.server import ApiServer
from tests.api.test_access import prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

FUZZER = Path(sys.executable).with_name("schemathesis")
RULES = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Return a server whose ledger has something of everything."""
    with small_ledger(f"sqlite:///{tmp_path_factory.mktemp('fuzzed') / 'ledger.db'}") as ledger:
        prepared(ledger)
        server = ApiServer(ledger, Settings(rate=1e6, burst=1_000_000))
        yield server
        server.stop()


def test_a_fuzzer_finds_nothing(fuzzed: ApiServer, tmp_path: Path) -> None:
    """Every operation but the stream, which never ends: examples, coverage, fuzzing, sequences."""
    command = [
        str(FUZZER), "--config-file", str(RULES), "run", f"{fuzzed.url}/openapi.json",
        "--header", f"Authorization: Bearer {fuzzed.token('admin')}",
        "--exclude-path", "/v1/changes/stream", "--max-examples", "20", "--seed", "1", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    cases = re.search(r"(\d+) generated", done.stdout)
    assert tested is not None
    assert cases is not None
    assert int(tested[1]) == sum(map(len, fuzzed.app.openapi()["paths"].values())) - 1
    assert int(cases[1]) > 500
    assert fuzzed.service.ledger.audit().ok


def test_every_operation_is_described(fuzzed: ApiServer) -> None:
    """Each has a summary, a tag, a success, and problems with the shape of problems."""
    description = fuzzed.app.openapi()
    assert description["openapi"].startswith("3.1")
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            name = f"{method} {path}"
            assert operation["summary"], name
            assert operation["description"], name
            assert operation["tags"], name
            assert {"200", "201"} & operation["responses"].keys(), name
            for status, answer in operation["responses"].items():
                if status[0] in "45":
                    assert list(answer["content"]) == ["application/problem+json"], name
            if method != "get":
                keys = [it for it in operation["parameters"] if it["name"] == "Idempotency-Key"]
                assert [it["required"] for it in keys] == [True], name
