"""`evm-ledger serve` as people run it: keys, warnings, an end that loses nothing, a kill too."""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ledger import Entry, Ledger
from ledger.engine import sqlite_path

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-c", "from bridge.cli import main; main()"]
TOKEN = 10**18


class Served:
    """A process of `evm-ledger serve`."""

    def __init__(self, url: str, *options: str) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0", "--database", url, *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening at (http://\S+)\n", line)
        assert found, line + (self.end(signal.SIGKILL)[1])
        self.url = found[1].replace("0.0.0.0", "127.0.0.1")  # noqa: S104 (what it said)

    def end(self, how: int = signal.SIGTERM) -> tuple[int, str]:
        """End it; return its exit code and what it wrote to stderr."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, said = self.process.communicate(timeout=240)
        return self.process.returncode, said


def found_at(url: str) -> str:
    """Make a ledger with two accounts, and return its URL."""
    with Ledger.create(url) as ledger:
        ledger.create_asset("SCI", "SCI token", 18)
        ledger.create_account("alice")
        ledger.create_account("bob")
    return url


@pytest.fixture
def url(sqlite_url: str) -> str:
    """Return the URL of a ledger on SQLite."""
    return found_at(sqlite_url)


@pytest.fixture
def any_url(database_url: str) -> str:
    """Return the URL of a ledger on each kind of database."""
    return found_at(database_url)


def run(url: str, *words: str) -> str:
    """Run a command on the ledger and return what it printed."""
    done = subprocess.run(
        [*PROGRAM, *words, "--database", url],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def pay(client: httpx.Client, key: str) -> httpx.Response:
    """Transfer one token, under a key."""
    body = {"from_account": "alice", "to_account": "bob", "amount": "0.001"}
    return client.post("/v1/entries", json=body, headers={"Idempotency-Key": key})


def test_keys_are_shown_once_and_end(url: str) -> None:
    token = run(url, "key", "create", "--name", "shop", "--scope", "post").strip()
    listed = run(url, "key", "list")
    id_ = token.split("_")[1]
    assert id_ in listed
    assert token not in listed
    with Ledger.open(url) as ledger, ledger.reading() as connection:
        stored = connection.exec_driver_sql("SELECT * FROM token_api_keys").all()
    assert token.split("_", 2)[2] not in repr(stored)
    served = Served(url)
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        assert pay(client, "one").status_code == 201
        run(url, "key", "revoke", id_)
        assert pay(client, "two").status_code == 401
        assert "revoked" in run(url, "key", "list")
    code, said = served.end()
    assert (code, said) == (0, "")


def test_it_answers_to_its_own_names_and_those_it_is_given(url: str) -> None:
    served = Served(url, "--open-reads", "--allowed-host", "Ledger.example")
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        statuses = [
            client.get("/v1/ledger", headers={"Host": host}).status_code
            for host in ("127.0.0.1", "localhost:1", "ledger.example", "other.example")
        ]
    assert statuses == [200, 200, 200, 421]
    assert served.end() == (0, "")


def test_it_warns_when_others_can_reach_it_and_there_is_no_key(url: str) -> None:
    served = Served(url, "--host", "0.0.0.0", "--access-log")  # noqa: S104 (the warning is the test)
    token = run(url, "key", "create", "--name", "shop", "--scope", "read").strip()
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        for header in (f"Bearer {token}", "Bearer evl_0123456789ab_secret", f"Basic {token}"):
            client.get("/v1/ledger", headers={"Authorization": header})
    code, said = served.end()
    assert code == 0
    assert "can be reached from elsewhere, and there is no key" in said
    assert "plain HTTP" in said
    assert "GET /v1/ledger" in said
    for secret in (token, token.split("_", 2)[2], "evl_0123456789ab_secret"):
        assert secret not in said


def named(entry: Entry) -> str:
    """Return the key that a request had; in the ledger the API key's id is before it."""
    return entry.idempotency_key.rpartition(":")[2]


class Payers:
    """Clients that pay all the time, each request under a key of its own."""

    def __init__(self, served: Served, token: str, count: int) -> None:
        self.answered: dict[str, str] = {}
        self.unanswered: list[str] = []
        self._numbers = itertools.count()
        self._url, self._token = served.url, token
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        with httpx.Client(base_url=self._url, headers=headers, trust_env=False) as client:
            while True:
                key = f"pay-{next(self._numbers)}"
                try:
                    answer = pay(client, key)
                except httpx.TransportError:
                    self.unanswered.append(key)
                    return
                if answer.status_code == 201:
                    self.answered[key] = answer.json()["id"]
                else:
                    self.unanswered.append(key)
                    return

    def wait_for(self, count: int) -> None:
        """Wait until so many were answered."""
        while len(self.answered) < count and any(it.is_alive() for it in self._threads):
            threading.Event().wait(0.01)
        assert len(self.answered) >= count

    def join(self) -> None:
        """Wait until all have stopped."""
        for thread in self._threads:
            thread.join(240)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_what_is_cut_off_under_load_is_neither_lost_nor_doubled(any_url: str, how: int) -> None:
    url = any_url
    token = run(url, "key", "create", "--name", "load", "--scope", "post").strip()
    served = Served(url, "--rate", "100000", "--burst", "100000")
    payers = Payers(served, token, 8)
    payers.wait_for(100)
    code, said = served.end(how)
    payers.join()
    if how == signal.SIGTERM:
        assert (code, said) == (0, "")
    answered = dict(payers.answered)
    with Ledger.open(url) as ledger:
        posted: dict[str, Any] = {
            named(entry): str(entry.id) for entry in ledger.get_statement("bob")[1:]
        }
    assert {key: posted.get(key) for key in answered} == answered
    again = Served(url, "--rate", "100000", "--burst", "100000")
    with httpx.Client(base_url=again.url, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        for key in [*payers.unanswered, *itertools.islice(answered, 5)]:
            answer = pay(client, key)
            assert answer.status_code == 201, answer.text
            found = answer.json()
            assert found["repeated"] is (key in posted)
            assert posted.setdefault(key, found["id"]) == found["id"]
    again.end()
    with Ledger.open(url) as ledger:
        entries = ledger.get_statement("bob")[1:]
        assert {named(entry): str(entry.id) for entry in entries} == posted
        assert len(entries) == len(posted) == len(answered) + len(payers.unanswered)
        assert ledger.get_balance("bob") == 1_000 * TOKEN + len(entries) * TOKEN // 1_000
        assert ledger.audit().ok


def test_a_write_that_waits_is_finished_after_the_end_was_asked_for(url: str) -> None:
    """Another program holds the journal while SIGTERM comes; then it lets go."""
    token = run(url, "key", "create", "--name", "slow", "--scope", "post").strip()
    served = Served(url, "--rate", "100000", "--burst", "100000")
    answers: list[httpx.Response] = []
    with httpx.Client(base_url=served.url, trust_env=False, timeout=240) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        for key in ("first", "second"):
            assert pay(client, key).status_code == 201
        outside = sqlite3.connect(str(sqlite_path(url)), isolation_level=None)
        outside.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=lambda: answers.append(pay(client, "waits")))
        waiting.start()
        with httpx.Client(base_url=served.url, trust_env=False) as other:
            other.headers["Authorization"] = f"Bearer {token}"
            while "evm_ledger_writes_under_way 1.0" not in other.get("/metrics").text:
                threading.Event().wait(0.01)
        served.process.send_signal(signal.SIGTERM)
        wait_until_closed(served)
        assert not answers
        outside.execute("COMMIT")
        outside.close()
        waiting.join(240)
    assert [answer.status_code for answer in answers] == [201]
    assert served.end() == (0, "")
    with Ledger.open(url) as ledger:
        assert [named(entry) for entry in ledger.get_statement("bob")[1:]] == [
            "first",
            "second",
            "waits",
        ]


def wait_until_closed(served: Served) -> None:
    """Wait until a server takes no connection any more."""
    place = urlsplit(served.url)
    while True:
        try:
            socket.create_connection((str(place.hostname), int(place.port or 0))).close()
        except ConnectionRefusedError:
            return
        threading.Event().wait(0.01)
