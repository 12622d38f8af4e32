"""Changes as server-sent events: each once and in order, from where a listener left."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from bridge.api import Settings
from bridge.api.keys import Scope
from ledger import Movement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from ledger import Ledger
    from tests.api.server import ApiServer

QUICK = Settings(rate=1e6, burst=1_000_000, poll=0.02)


@pytest.fixture
def quick(serve: Callable[[Settings], ApiServer]) -> ApiServer:
    return serve(QUICK)


def events(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    """Yield (id, data) of each event of a stream."""
    id_, data = "", ""
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            id_ = value
        elif name == "data":
            data = value
        elif not line and data:
            yield id_, json.loads(data)
            data = ""


def listen(
    client: httpx.Client, count: int, last: str | None = None, **query: str
) -> list[tuple[str, Any]]:
    """Return the next `count` events."""
    headers = {} if last is None else {"Last-Event-ID": last}
    with client.stream("GET", "/v1/changes/stream", headers=headers, params=query) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = events(answer)
        return [next(found) for _ in range(count)]


def test_a_listener_hears_what_was_and_what_comes(quick: ApiServer, ledger: Ledger) -> None:
    client = quick.client(quick.token("read"))
    before = [change.cursor for change in ledger.changes()]
    heard: list[tuple[str, Any]] = []
    listening = threading.Thread(target=lambda: heard.extend(listen(client, len(before) + 2)))
    listening.start()
    first = ledger.transfer("alice", "bob", 1)
    second = ledger.transfer("bob", "alice", 2)
    listening.join(120)
    assert not listening.is_alive()
    assert [id_ for id_, _ in heard[: len(before)]] == before
    assert [data["entry"]["id"] for _, data in heard[-2:]] == [str(first.id), str(second.id)]


def test_a_listener_goes_on_after_the_last_event_it_saw(quick: ApiServer, ledger: Ledger) -> None:
    client = quick.client(quick.token("read"))
    for number in range(1, 8):
        ledger.transfer("alice", "bob", number)
    every = listen(client, sum(1 for _ in ledger.changes()))
    for position in (0, 3, len(every) - 2):
        rest = listen(client, len(every) - position - 1, last=every[position][0])
        assert rest == every[position + 1 :]
    assert listen(client, 1, after=every[4][0]) == [every[5]]
    assert listen(client, 1, last=every[4][0], after=every[0][0]) == [every[5]]


def test_a_cursor_of_nobody_is_refused_before_the_stream_begins(quick: ApiServer) -> None:
    client = quick.client(quick.token("read"))
    answer = client.get("/v1/changes/stream", headers={"Last-Event-ID": "nonsense"})
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_FIELD")


def test_pages_of_changes_tell_the_same(quick: ApiServer, ledger: Ledger) -> None:
    client = quick.client(quick.token("read"))
    ledger.transfer("alice", "bob", 1)
    every = [data for _, data in listen(client, sum(1 for _ in ledger.changes()))]
    told, cursor, more = [], None, True
    while more:
        query = {"limit": "3"} if cursor is None else {"limit": "3", "after": cursor}
        page = client.get("/v1/changes", params=query).json()
        told += page["changes"]
        cursor, more = page["cursor"], page["more"]
    assert told == every


def test_a_listener_whose_key_was_revoked_is_sent_home(quick: ApiServer) -> None:
    key, token = quick.service.keys.create("short", Scope.READ)
    client = quick.client(token)
    with client.stream("GET", "/v1/changes/stream") as answer:
        found = events(answer)
        next(found)
        quick.service.keys.revoke(key.id)
        assert len(list(found)) < 100


def test_a_listener_too_many_is_told_to_come_back(
    serve: Callable[[Settings], ApiServer],
) -> None:
    server = serve(Settings(rate=1e6, burst=1_000_000, poll=0.02, max_listeners=1))
    client = server.client(server.token("read"))
    with client.stream("GET", "/v1/changes/stream") as first:
        found = events(first)  # kept: let go, it would end the stream
        next(found)
        answer = client.get("/v1/changes/stream")
        assert (answer.status_code, answer.json()["code"]) == (503, "OVERLOADED")
        assert answer.headers["retry-after"] == "1"
        assert client.get("/v1/changes").status_code == 200
    while server.service.listening:
        threading.Event().wait(0.01)
    assert len(listen(client, 1)) == 1


def test_nobody_takes_every_stream(serve: Callable[[Settings], ApiServer]) -> None:
    """A key has a quarter of them; so has a host that needs none. Others still get theirs."""
    settings = Settings(rate=1e6, burst=1_000_000, poll=0.02, max_listeners=8, open_reads=True)
    server = serve(settings)
    kept: list[Iterator[tuple[str, Any]]] = []  # let go, they would end the streams
    with ExitStack() as open_ones:
        for client in (server.client(), *(server.client(server.token("read")) for _ in range(2))):
            for _ in range(2):
                answer = open_ones.enter_context(client.stream("GET", "/v1/changes/stream"))
                assert answer.status_code == 200
                kept.append(events(answer))
                next(kept[-1])
            refused = client.get("/v1/changes/stream")
            assert (refused.status_code, refused.json()["code"]) == (503, "OVERLOADED")
            assert "too often" in refused.json()["detail"]
    while server.service.listening:
        threading.Event().wait(0.01)
    assert len(listen(server.client(), 1)) == 1


def test_who_does_not_read_what_it_listens_to_is_cut_off_at_the_end(
    quick: ApiServer, ledger: Ledger
) -> None:
    """Without that the server would wait for it, and never end."""
    memo = "m" * 4_000
    ledger.post_many([Movement("alice", "bob", 1, memo=memo) for _ in range(4_000)])
    token = quick.token("read")
    port = int(quick.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        head = (
            f"GET /v1/changes/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        deaf.sendall(head.encode())
        while not any(it.flow.write_paused for it in quick.connections()):
            threading.Event().wait(0.01)
        assert quick.service.listening
        quick.stop()
    assert not quick.service.listening


def test_what_a_listener_is_answered_can_be_asked_by_head(quick: ApiServer) -> None:
    """Its headers, and then it ends."""
    answer = quick.client(quick.token("read")).head("/v1/changes/stream")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    while quick.service.listening:
        threading.Event().wait(0.01)
