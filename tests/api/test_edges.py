"""Names that are hard to write in an address, bodies that are no JSON, seals that are not there."""

from __future__ import annotations

import base64
import http.client
import json
import sys
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from bridge.api.cursors import read_cursor
from bridge.api.nesting import DEEPEST, is_deep
from ledger import FieldError
from ledger.hashing import keccak
from tests.api.conftest import small_ledger
from tests.api.server import ApiServer, Caller
from tests.ledger.support import libpq

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from ledger import Ledger

NAMES = (
    ".", "..", "../..", "a/b", "/", "//", "/a", "a/", "a//b", "%2F", "%2e%2e", "%", "a?b#c",
    "x&y=z", "a b", " a ", "+", "\\", "ünï/✓", "日本語", "🙂", "e\u0301", "\u202eabc", "\u2028",
    "a;b=c", "~user", "balances", "balance/alice", "'\"<>",
)  # fmt: skip


def ask(server: ApiServer, path: str) -> tuple[int, dict[str, object]]:
    """Return status and JSON of an address that is sent as it is written, dots and all."""
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(place.hostname), int(place.port or 0))
    headers = {"Authorization": f"Bearer {server.token('read')}"}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_every_account_can_be_asked_for(ledger: Ledger, server: ApiServer, admin: Caller) -> None:
    for number, name in enumerate(NAMES, 1):
        own = ledger.create_account(name, number).account_id
        admin.post(
            "/v1/entries", {"from_account": own, "to_account": "bob", "amount": {"base_units": "1"}}
        )
        left = number - 1
        for path in (f"/v1/accounts/{quote(name, safe='')}", f"/v1/accounts/{quote(name)}"):
            status, found = ask(server, path)
            assert (status, found.get("account_id")) == (200, own), path
        status, found = ask(server, f"/api/token/balance/{quote(name, safe='')}")
        assert (status, found["account_id"]) == (200, own)
        assert found["balance"]["base_units"] == str(left)  # type: ignore[index]  # JSON
        # In the query no client and no proxy takes dots or slashes for more than they are.
        assert admin.get("/v1/balances", account=name)["balance"]["base_units"] == str(left)
        assert len(admin.get("/api/token/ledger", account=name)["entries"]) == 2
        assert len(admin.get("/v1/entries", account=name)["entries"]) == 2
        assert admin.get("/v1/holds", account=name) == {"holds": [], "cursor": None}
        assert admin.get("/v1/accounts", prefix=own)["accounts"][0]["account_id"] == own
    key = server.token("read", [".."])
    confined = server.client(key)
    assert confined.get("/v1/balances", params={"account": ".."}).status_code == 200
    assert confined.get("/v1/balances", params={"account": "."}).status_code == 403


def test_every_asset_can_be_asked_for(ledger: Ledger, server: ApiServer) -> None:
    for symbol in NAMES:
        ledger.create_asset(symbol, "Name", 0)
        status, found = ask(server, f"/v1/assets/{quote(symbol, safe='')}")
        assert (status, found.get("symbol")) == (200, symbol)


@pytest.fixture
def deep_recursion() -> Iterator[None]:
    """Let the process recurse as deep as py_ecc lets it, which eth-account imports."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(100_000, before))
    yield
    sys.setrecursionlimit(before)


UTF_16 = '{"memo": "\\"", "a": '.encode("utf-16-le")

NO_JSON = {
    "empty": (b"", "application/json"),
    "cut": (b"{", "application/json"),
    "word": (b"nonsense", "application/json"),
    "latin": (b'{"amount": "\xff"}', "application/json"),
    "bytes": (b"\xff\xfe\x00", "application/json"),
    "deep list": (b"[" * 1_000_000, "application/json"),
    "deep object": (b'{"a":' * 200_000, "application/json"),
    "deep and closed": (b"[" * 500_000 + b"]" * 500_000, "application/json"),
    "deep behind a string": (b'{"memo": "\\"[", "a": ' + b"[" * 900_000, "application/json"),
    "deep in UTF-16": (UTF_16 + "[".encode("utf-16-le") * 400_000, "application/json"),
    "text": (b'{"account_id": "alice"}', "text/plain"),
    "form": (b"account_id=alice", "application/x-www-form-urlencoded"),
    "no kind": (b'{"account_id": "alice", "amount": "1"}', ""),
}


@pytest.mark.parametrize("path", ["/v1/entries", "/v1/burns"])
@pytest.mark.parametrize("name", NO_JSON)
@pytest.mark.usefixtures("deep_recursion")
def test_what_is_no_json_has_one_answer(
    ledger: Ledger, admin: Caller, name: str, path: str
) -> None:
    """The short way of a payment and the whole way; nested JSON does not end the process."""
    body, kind = NO_JSON[name]
    head = ledger.head()
    admin.get("/v1/ledger")  # from now on the key is remembered
    headers = {"Idempotency-Key": "k"} | ({"Content-Type": kind} if kind else {})
    answer = admin.client.post(path, content=body, headers=headers)
    found = answer.json()
    expected = (422, "INVALID_FIELD") if not body else (400, "BODY_UNREADABLE")
    assert (answer.status_code, found["code"]) == expected, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert ledger.head() == head


def test_brackets_in_strings_are_not_depth() -> None:
    text = {"memo": '["' * 1_000 + "\\", "more": [{"a": ["]"]}] * 1_000}
    assert not is_deep(json.dumps(text).encode())
    assert not is_deep(b"[" * DEEPEST + b"]" * DEEPEST)
    assert is_deep(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1))


@pytest.mark.usefixtures("deep_recursion")
def test_a_cursor_that_is_deep_is_none(admin: Caller) -> None:
    """Anybody can make one up: its tag is no secret."""
    body = b"[" * 45_000
    made = keccak(json.dumps(["accounts", ""]).encode() + b"\0" + body)[:8] + body
    text = base64.urlsafe_b64encode(made).decode().rstrip("=")
    with pytest.raises(FieldError, match="cursor"):
        read_cursor(["accounts", ""], text, str)
    assert admin.client.get("/v1/accounts", params={"cursor": text}).status_code == 422


def test_a_seal_that_is_not_there_is_not_found(ledger: Ledger, admin: Caller) -> None:
    entry = ledger.transfer("alice", "bob", 1)
    place = f"/v1/proofs/entries/{entry.id}"
    early = [(place, {}), ("/v1/proofs/balances", {"account": "alice"})]
    for path, query in early:
        answer = admin.client.get(path, params=query)
        assert (answer.status_code, answer.json()["code"]) == (409, "NOT_SEALED")
    ledger.seal()
    ledger.create_account("dave", 0)
    missing: list[tuple[str, dict[str, str]]] = [
        (place, {"seal": "2"}),
        ("/v1/proofs/balances", {"account": "alice", "seal": "2"}),
        ("/v1/proofs/balances", {"account": "dave"}),
        ("/v1/proofs/consistency", {"old_seal": "2"}),
        ("/v1/proofs/consistency", {"old_seal": "1", "new_seal": "2"}),
        ("/v1/seals/2", {}),
        ("/v1/batches/2", {}),
    ]
    for path, query in missing:
        answer = admin.client.get(path, params=query)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), (path, query)
    assert admin.client.get("/v1/seals/4611686018427387904").status_code == 422


def test_a_balance_tree_is_built_once_for_its_batch(
    ledger: Ledger, server: ApiServer, admin: Caller
) -> None:
    ledger.seal()
    trees = server.service.trees
    first = {name: admin.get("/v1/proofs/balances", account=name) for name in ("alice", "bob")}
    assert trees.built == 1
    ledger.transfer("alice", "bob", 1)
    ledger.seal()
    assert admin.get("/v1/proofs/balances", account="alice", seal=1) == first["alice"]
    assert trees.built == 1
    assert admin.get("/v1/proofs/balances", account="alice") != first["alice"]
    assert trees.built == 2
    ledger.create_asset("GLD", "Gold", 2)
    ledger.mint("alice", 1, asset="GLD")
    ledger.seal()
    gold = admin.get("/v1/proofs/balances", account="alice", asset="GLD")
    later = admin.get("/v1/proofs/balances", account="alice", asset="SCI", seal=3)
    assert (gold["asset"]["symbol"], later["asset"]["symbol"]) == ("GLD", "SCI")
    assert trees.built == 4


def test_two_idempotency_keys_are_refused(ledger: Ledger, admin: Caller) -> None:
    """Whichever of them was meant: on the short way of a payment, and on the whole one."""
    admin.get("/v1/ledger")
    head = ledger.head()
    body = {"from_account": "alice", "to_account": "bob", "amount": "1"}
    for second in ("two", "one", ""):
        for path in ("/v1/entries", "/v1/entries?whole=1", "/v1/groups"):
            sent = {"movements": [body]} if "groups" in path else body
            headers = [("Idempotency-Key", "one"), ("Idempotency-Key", second)]
            answer = admin.client.post(path, json=sent, headers=headers)
            if second:
                assert (answer.status_code, answer.json()["code"]) == (
                    400,
                    "IDEMPOTENCY_KEY_SEVERAL",
                )
            assert answer.status_code in {400, 422}
    assert ledger.head() == head


WAITING = """
    SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'token_api_keys'::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def test_a_lost_database_is_told_as_such(postgres_url: str) -> None:
    """What it said is not repeated; it is asked again as soon as it is there again."""
    pay = {"from_account": "alice", "to_account": "bob", "amount": "1"}
    requests: list[tuple[str, str, object]] = [
        ("GET", "/api/token/balance/alice", None),
        ("GET", "/v1/supply", None),
        ("POST", "/v1/entries", pay),
        ("POST", "/v1/groups", {"movements": [pay]}),
    ]
    answers: list[httpx.Response] = []
    with small_ledger(postgres_url) as ledger:
        server = ApiServer(ledger)
        try:
            caller = Caller(server.client(server.token("post")))
            caller.get("/v1/ledger")

            def ask(method: str, path: str, body: object) -> None:
                answers.append(caller.write(path, body, key=path, method=method))

            asking = [threading.Thread(target=ask, args=each) for each in requests]
            with psycopg.connect(libpq(postgres_url), autocommit=True) as outside:
                outside.execute("BEGIN")
                outside.execute("LOCK TABLE token_api_keys")
                for thread in asking:
                    thread.start()
                lost: set[int] = set()
                while len(lost) < len(asking):  # each waits to know whether its key still stands
                    lost = {row[0] for row in outside.execute(WAITING)}
                for pid in lost:
                    outside.execute("SELECT pg_terminate_backend(%s)", (pid,))
                for thread in asking:
                    thread.join()
            for answer in answers:
                found = (
                    answer.status_code,
                    answer.json()["code"],
                    answer.headers.get("retry-after"),
                )
                assert found == (503, "DATABASE_UNAVAILABLE", "1"), answer.text
                assert "terminat" not in answer.text
            again = [caller.write(path, body, key=path, method=it) for it, path, body in requests]
            assert [answer.status_code for answer in again] == [200, 200, 201, 201]
            assert len(ledger.get_statement("bob")) == 3
        finally:
            server.stop()
