"""How much at once: rates, sizes, writes under way; and what every answer carries."""

from __future__ import annotations

import json
import sqlite3
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bridge.api import Settings
from bridge.api.keys import Scope
from bridge.api.rates import MOST_BUCKETS, RateLimiter, host_of
from bridge.api.server import allowed_hosts
from bridge.api.surroundings import HEADERS
from ledger import FieldError
from ledger.engine import sqlite_path
from tests.api.server import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from ledger import Ledger
    from tests.api.server import ApiServer

PAY = {"from_account": "alice", "to_account": "bob", "amount": "1"}


def test_each_key_has_a_rate_of_its_own(serve: Callable[[Settings], ApiServer]) -> None:
    server = serve(Settings(rate=0.001, burst=3))
    busy, other = server.client(server.token("read")), server.client(server.token("read"))
    assert [busy.get("/v1/ledger").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = busy.get("/v1/ledger")
    assert refused.json()["code"] == "RATE_LIMITED"
    assert int(refused.headers["retry-after"]) >= 1
    assert other.get("/v1/ledger").status_code == 200


def test_guesses_of_keys_are_slowed_down_by_host(serve: Callable[[Settings], ApiServer]) -> None:
    server = serve(Settings(rate=0.001, burst=3))
    client = server.client("evl_0123456789ab_" + "x" * 43)
    assert [client.get("/v1/ledger").status_code for _ in range(4)] == [401, 401, 401, 429]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/search?q=alice",
        "/entries",
        "/static/style.css",
        "/readyz",
        "/openapi.json",
        "/nowhere",
    ],
)
def test_whatever_is_asked_without_a_key_is_counted_by_host(
    serve: Callable[[Settings], ApiServer], path: str
) -> None:
    """But health: whoever runs the server must be able to ask for it, and it costs nothing."""
    server = serve(Settings(rate=0.001, burst=2, open_reads=True))
    client = server.client()
    statuses = [client.get(path).status_code for _ in range(3)]
    assert statuses[2] == 429
    assert 429 not in statuses[:2]
    assert client.get(path).headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    assert client.get("/healthz").status_code == 200
    known = server.service.keys.create("shop", Scope.READ)[1]
    server.service.keys.check(known)
    assert server.client(known).get("/v1/ledger").status_code == 200


def test_bodies_that_are_no_json_are_counted_too(serve: Callable[[Settings], ApiServer]) -> None:
    server = serve(Settings(rate=0.001, burst=2))
    token = server.token("post")
    server.service.keys.check(token)
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    for client, first in ((server.client(), 401), (server.client(token), 400)):
        statuses = [
            client.post("/v1/entries", content=b"{", headers=headers).status_code for _ in range(3)
        ]
        assert statuses == [first, first, 429]


def test_guesses_are_sent_away_before_the_database_is_asked(
    serve: Callable[[Settings], ApiServer], ledger: Ledger
) -> None:
    server = serve(Settings(rate=0.001, burst=1))
    client = server.client("evl_0123456789ab_" + "x" * 43)
    assert client.get("/v1/ledger").status_code == 401
    ledger.close()
    with ledger.connection() as connection:
        connection.exec_driver_sql("ALTER TABLE token_api_keys RENAME TO hidden")
    try:
        assert [client.get("/v1/ledger").status_code for _ in range(3)] == [429] * 3
    finally:
        with ledger.connection() as connection:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO token_api_keys")


def test_buckets_are_bounded_and_an_ipv6_network_has_one() -> None:
    limiter = RateLimiter(rate=1.0, burst=1)
    for number in range(MOST_BUCKETS + 10):
        limiter.wait(str(number))
    assert len(limiter) == MOST_BUCKETS
    assert host_of(("2001:db8::1", 1)) == host_of(("2001:db8::ffff", 2)) == "2001:db8::/64"
    assert host_of(("192.0.2.7", 1)) == "192.0.2.7"
    assert host_of(None) == ""


def test_other_names_are_not_answered_to_where_only_this_machine_can_ask(
    serve: Callable[[Settings], ApiServer],
) -> None:
    """A page on the web could give its own name the address 127.0.0.1, and read what is open."""
    names = allowed_hosts("127.0.0.1", ["Ledger.Example"])
    client = serve(Settings(open_reads=True, allowed_hosts=names)).client()
    for host in ("localhost:8000", "127.0.0.1", "[::1]:80", "[::1]", "ledger.example", "LOCALHOST"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io"):
        for path in ("/", "/v1/ledger", "/healthz", "/nowhere"):
            answer = client.get(path, headers={"Host": host})
            assert (answer.status_code, answer.json()["code"]) == (421, "HOST_UNKNOWN")


def test_which_names_are_answered_to() -> None:
    own = frozenset({"localhost", "127.0.0.1", "[::1]"})
    assert allowed_hosts("127.0.0.1") == own
    assert allowed_hosts("127.0.0.2") == own | {"127.0.0.2"}
    assert allowed_hosts("0.0.0.0") is None  # noqa: S104 (nothing listens)
    assert allowed_hosts("192.0.2.1", ["a.b"]) == own | {"192.0.2.1", "a.b"}
    assert allowed_hosts("127.0.0.1", ["*"]) is None


def test_head_answers_like_get_without_a_body(
    serve: Callable[[Settings], ApiServer],
) -> None:
    server = serve(Settings(rate=1e6, burst=1_000_000, open_reads=True))
    client = server.client(server.token("read"))
    for path in ("/v1/ledger", "/", "/healthz", "/openapi.json", "/static/style.css", "/nowhere"):
        whole, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        for name in ("content-type", "content-length", *HEADERS):
            assert head.headers[name] == whole.headers[name]
    refused = client.head("/v1/burns")
    assert refused.status_code == 405
    assert client.delete("/v1/entries").headers["allow"] == "GET, HEAD, POST"


def test_a_bucket_fills_again() -> None:
    now = 0.0
    limiter = RateLimiter(rate=2.0, burst=4, clock=lambda: now)
    assert [limiter.wait("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    now = 0.5
    assert limiter.wait("a") == 0
    assert limiter.wait("a") == 0.5
    now = 100.0
    assert [limiter.wait("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_large_bodies_are_refused(serve: Callable[[Settings], ApiServer], ledger: Ledger) -> None:
    """Whether their size is stated or only turns out."""
    server = serve(Settings(max_body=2_000))
    client = server.client(server.token("post"))
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    head = ledger.head()
    whole = json.dumps(PAY).encode()
    for content in (b"x" * 2_001, iter([b"x" * 1_500] * 2), iter([whole, b" " * 2_000])):
        answer = client.post("/v1/entries", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
        assert answer.headers["content-type"] == "application/problem+json"
    assert ledger.head() == head
    assert Caller(client).write("/v1/entries", PAY).status_code == 201


def test_writes_beyond_the_limit_are_sent_away_and_nothing_is_lost(
    serve: Callable[[Settings], ApiServer], ledger: Ledger
) -> None:
    """While another program holds the journal, two writes wait and the third is told to go."""
    server = serve(Settings(max_writes=2))
    caller = Caller(server.client(server.token("post")))
    answers: list[httpx.Response] = []
    with ledger.connection() as connection:
        connection.exec_driver_sql("UPDATE token_journals SET seq = seq")
        waiting = [
            threading.Thread(
                target=lambda key=key: answers.append(caller.write("/v1/entries", PAY, key=key))
            )
            for key in ("one", "two")
        ]
        for thread in waiting:
            thread.start()
        while server.service.writes < 2:
            pass
        refused = caller.write("/v1/entries", PAY, key="three")
        assert (refused.status_code, refused.json()["code"]) == (503, "OVERLOADED")
        assert refused.headers["retry-after"] == "1"
        assert caller.get("/v1/ledger")["assets"] == ["SCI"]
        strangers = [server.client().post("/v1/entries", json=PAY) for _ in range(3)]
        assert {answer.status_code for answer in strangers} == {401}
    for thread in waiting:
        thread.join()
    assert [answer.status_code for answer in answers] == [201, 201]
    assert caller.write("/v1/entries", PAY, key="three").status_code == 201
    keys = [entry.idempotency_key for entry in ledger.get_statement("bob")]
    assert sorted(key.rpartition(":")[2] for key in keys[-3:]) == ["one", "three", "two"]


def test_reads_go_on_while_many_writes_wait(server: ApiServer, sqlite_url: str) -> None:
    """Each write that waits has a connection; whoever reads gets one more."""
    caller = Caller(server.client(server.token("post")))
    caller.get("/v1/ledger")
    answers: list[httpx.Response] = []
    outside = sqlite3.connect(str(sqlite_path(sqlite_url)), isolation_level=None)
    outside.execute("BEGIN IMMEDIATE")

    def write(number: int) -> None:
        body = {"movements": [PAY]}
        answers.append(caller.write("/v1/groups", body, key=f"group {number}"))

    waiting = [threading.Thread(target=write, args=(number,)) for number in range(60)]
    for thread in waiting:
        thread.start()
    while server.service.write_threads.borrowed_tokens < len(waiting):
        threading.Event().wait(0.01)
    assert caller.get("/api/token/balance/alice")["account_id"] == "alice"
    assert caller.get("/v1/accounts/alice")["account_id"] == "alice"
    assert caller.client.get("/readyz").status_code == 200
    outside.execute("COMMIT")
    outside.close()
    for thread in waiting:
        thread.join()
    for answer in answers:
        assert answer.status_code in {201, 503}, answer.text
        assert answer.status_code == 201 or answer.headers["retry-after"] == "1"
    assert 201 in {answer.status_code for answer in answers}


@pytest.mark.parametrize("path", ["/healthz", "/v1/ledger", "/nowhere", "/openapi.json"])
def test_every_answer_carries_the_headers(server: ApiServer, path: str) -> None:
    answer = server.client().get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


def test_metrics_count_by_route_and_name_no_account(admin: Caller) -> None:
    admin.get("/api/token/balance/alice")
    admin.write("/v1/entries", {**PAY, "amount": "0"})
    text = admin.client.get("/metrics").text
    route = "/api/token/balance/{agent_id:path}"
    assert f'evm_ledger_requests_total{{method="GET",route="{route}",status="200"}} 1.0' in text
    refused = 'evm_ledger_requests_total{method="POST",route="/v1/entries",status="422"} 1.0'
    assert refused in text
    assert 'evm_ledger_journal_entries{asset="SCI"} 3.0' in text
    assert "alice" not in text


def test_health_and_readiness(server: ApiServer) -> None:
    client = server.client()
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    server.service.stopping = True
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_settings_are_checked() -> None:
    for make, name in (
        (partial(Settings, rate=0), "rate"),
        (partial(Settings, burst=0), "burst"),
        (partial(Settings, max_body=10), "max_body"),
        (partial(Settings, threads=0), "threads"),
        (partial(Settings, threads=50, max_writes=50), "max_writes"),
    ):
        with pytest.raises(FieldError, match=name):
            make()
