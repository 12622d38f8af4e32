"""How much at once: rates, sizes, writes under way; and what every answer carries."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bridge.api import Settings
from bridge.api.guards import RateLimiter
from bridge.api.surroundings import HEADERS
from ledger import FieldError
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
    assert sorted(keys[-3:]) == ["one", "three", "two"]


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
