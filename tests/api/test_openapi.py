"""The description of the API, and what a fuzzer that reads it finds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.exceptions import RequestValidationError
from sqlalchemy import make_url

from bridge.api import Settings
from bridge.api.shapes import ChangeOut
from tests.api.conftest import small_ledger
from tests.api.fuzzing import MALFORMED
from tests.api.server import ApiServer
from tests.api.test_access import prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request, Response

    from ledger import Ledger

FUZZER = Path(sys.executable).with_name("schemathesis")
RULES = Path(__file__).with_name("schemathesis.toml")
ROOT = Path(__file__).parents[2]


def described(ledger: Ledger) -> ApiServer:
    """Serve a ledger that has something of everything; answers to malformed requests are marked."""
    prepared(ledger)
    server = ApiServer(ledger, Settings(rate=1e6, burst=1_000_000))
    own: Any = server.app.exception_handlers[RequestValidationError]

    async def marked(request: Request, error: Exception) -> Response:
        answer: Response = await own(request, error)
        answer.headers[MALFORMED] = "yes"
        return answer

    server.app.exception_handlers[RequestValidationError] = marked
    server.app.middleware_stack = None  # it was built when the server started, and is built anew
    answer = server.client(server.token("read")).get("/v1/entries", params={"limit": "0"})
    assert answer.headers[MALFORMED] == "yes"
    return server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Return a server to look at."""
    with small_ledger(f"sqlite:///{tmp_path_factory.mktemp('served') / 'ledger.db'}") as ledger:
        server = described(ledger)
        yield server
        server.stop()


def known(ledger: Ledger) -> dict[str, list[str]]:
    """Return names that are there, by the fields and parameters that take them."""
    entries = [str(entry.id) for entry in ledger.entries("SCI")]
    holds = [str(hold.id) for hold in ledger.holds(asset="SCI")]
    accounts = ("account", "account_id", "agent_id", "from_account")
    amounts = ("amount", "initial_balance", "max_debit", "max_balance", "endowment")
    return {
        **{name: ["alice", "bob"] for name in accounts},
        "to_account": ["carol"],
        "counterparty": ["carol"],
        **{name: ["1", "0.5", "0.000000000000000001"] for name in amounts},
        "entry": entries,
        "entry_id": entries,
        "hold_id": holds,
        "asset": ["SCI"],
        "at": ["1", "2", "2030-01-01T00:00:00Z"],
        "expires_at": ["2100-01-01T00:00:00Z"],
    }


def fuzz(server: ApiServer, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Let the fuzzer ask every operation but the stream, which never ends."""
    command = [
        str(FUZZER), "--config-file", str(RULES), "run", f"{server.url}/openapi.json",
        "--header", f"Authorization: Bearer {server.token('admin')}",
        "--exclude-path", "/v1/changes/stream", "--seed", "1", "--no-color", *options,
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.api.fuzzing",
        "FUZZ_KNOWN": json.dumps(known(server.service.ledger)),
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


PHASES = {
    "sqlite": ("--phases", "examples,coverage"),
    "postgresql": ("--phases", "fuzzing,stateful", "--max-examples", "12"),
}
"""What is asked of which database: forms, which no database sees, of one; rules of the other."""


def test_a_fuzzer_finds_nothing(database_url: str, tmp_path: Path) -> None:
    with small_ledger(database_url) as ledger:
        server = described(ledger)
        before = changes(ledger)
        try:
            options = PHASES[make_url(database_url).get_backend_name()]
            done = fuzz(server, tmp_path, *options)
            assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
            tested = re.search(r"Tested: (\d+)", done.stdout)
            cases = re.search(r"(\d+) generated", done.stdout)
            assert tested is not None
            assert cases is not None
            assert int(tested[1]) == sum(map(len, server.app.openapi()["paths"].values())) - 1
            assert int(cases[1]) > 500
            assert ledger.audit().ok
            if "fuzzing" in options[1]:
                assert changes(ledger) > before + 10
        finally:
            server.stop()


def changes(ledger: Ledger) -> int:
    """Return how many changes there were: a fuzzer that is always refused finds nothing."""
    return sum(1 for _ in ledger.changes())


def test_the_stream_is_as_described(served: ApiServer) -> None:
    """What the fuzzer leaves out, because it never ends: its events, its headers, its refusals."""
    path = "/v1/changes/stream"
    described = served.app.openapi()["paths"][path]["get"]
    assert list(described["responses"]["200"]["content"]) == ["text/event-stream"]
    parameters = {it["name"]: it["in"] for it in described["parameters"]}
    assert parameters == {"after": "query", "Last-Event-ID": "header"}
    reader = served.client(served.token("read"))
    page = reader.get("/v1/changes", params={"limit": "2"}).json()
    first, second = (change["cursor"] for change in page["changes"])
    for headers, query, position in (
        ({}, {}, 0),
        ({}, {"after": first}, 1),
        ({"Last-Event-ID": first}, {}, 1),
    ):
        with reader.stream("GET", path, headers=headers, params=query) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = takewhile(bool, answer.iter_lines())
            event = dict(line.split(": ", 1) for line in lines)
        assert event.keys() == {"event", "id", "data"}
        assert event["event"] == "change"
        assert event["id"] == (first, second)[position]
        told = ChangeOut.model_validate_json(event["data"])
        assert told.cursor == event["id"]
    refused = [
        (served.client(), {}, 401, "KEY_MISSING"),
        (served.client("evl_nonsense"), {}, 401, "KEY_INVALID"),
        (served.client(served.token("read", ["alice"])), {}, 403, "ACCOUNT_FORBIDDEN"),
        (reader, {"Last-Event-ID": "nonsense"}, 422, "INVALID_FIELD"),
    ]
    for client, headers, status, code in refused:
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        content = described["responses"][str(status)]["content"]["application/problem+json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        schema = served.app.openapi()["components"]["schemas"][name]
        assert answer.json()["code"] in schema["properties"]["code"]["enum"]
        assert set(schema["required"]) <= answer.json().keys() <= schema["properties"].keys()


def test_every_operation_is_described(served: ApiServer) -> None:
    """Each has a summary, a tag, a success, and problems with the shape of problems."""
    description = served.app.openapi()
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
