"""The short way of the two commonest requests answers what the whole way answers."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from bridge.api import shortcuts
from bridge.api.keys import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from bridge.api import Settings
    from ledger import Ledger
    from tests.api.server import ApiServer

PAY = {"from_account": "alice", "to_account": "bob", "amount": "1"}
BODIES: list[Any] = [
    PAY,
    {**PAY, "amount": {"base_units": "5"}, "memo": "é", "asset": "SCI"},
    {**PAY, "amount": 1},
    {**PAY, "amount": "1e3"},
    {**PAY, "amount": "0"},
    {**PAY, "amount": "5000"},
    {**PAY, "to_account": "nobody"},
    {**PAY, "to_account": "alice"},
    {**PAY, "to_account": "system"},
    {**PAY, "from_account": "system"},
    {**PAY, "asset": "NONE"},
    {**PAY, "more": 1},
    {**PAY, "dry_run": True},
    {**PAY, "dry_run": "yes"},
    {**PAY, "memo": "\x00"},
    [],
    None,
]
IDS = ["alice", "nobody", "ali%C3%A9", "a%2Fb", "a%00b", "x" * 256, "system", "%20alice"]


@pytest.fixture
def known(server: ApiServer) -> httpx.Client:
    """Return a client whose key the server remembers."""
    token = server.token("post")
    server.service.keys.check(token)
    return server.client(token)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return, as they come, whether requests were answered the short way."""
    seen: list[bool] = []
    real = shortcuts.taken

    async def watched(*arguments: Any) -> Any:  # noqa: ANN401 (as the real one's)
        answer = await real(*arguments)
        seen.append(answer is not None)
        return answer

    monkeypatch.setattr("bridge.api.surroundings.taken", watched)
    return seen


def shown(answer: httpx.Response) -> tuple[Any, ...]:
    """Return an answer without what differs from posting to posting."""
    body = answer.json()
    own = ("id", "seq", "head", "time", "timestamp", "idempotency_key")
    kept = {name: body[name] for name in body if name not in own and "balance" not in name}
    headers = {name: answer.headers[name] for name in answer.headers if name != "content-length"}
    return answer.status_code, kept, {**headers, "date": ""}


@pytest.mark.parametrize("body", BODIES, ids=lambda it: json.dumps(it)[-40:])
def test_payments(known: httpx.Client, taken: list[bool], body: object) -> None:
    """Refused and repeated ones too; a query makes a request unusual."""
    answers = [
        known.post(path, json=body, headers={"Idempotency-Key": key})
        for key in ("short", "whole")
        for path in ["/v1/entries" + ("" if key == "short" else "?whole=1")] * 2
    ]
    first, again, whole, whole_again = map(shown, answers)
    assert first == whole
    assert again == whole_again
    assert taken[2:] == [False, False]


@pytest.mark.parametrize("account", IDS)
def test_balances(known: httpx.Client, account: str) -> None:
    path = f"/api/token/balance/{account}"
    short, whole = known.get(path), known.get(path + "?asset=SCI")
    assert (short.status_code, short.json()) == (whole.status_code, whole.json())


def test_the_short_way_is_taken_where_nothing_is_unusual(
    server: ApiServer, known: httpx.Client, taken: list[bool]
) -> None:
    headers = {"Idempotency-Key": "k"}
    assert known.post("/v1/entries", json=PAY, headers=headers).status_code == 201
    assert known.get("/api/token/balance/alice").status_code == 200
    assert taken == [True, True]
    text = {**headers, "Content-Type": "text/plain"}
    assert known.post("/v1/entries", content=json.dumps(PAY), headers=text).status_code == 400
    assert known.post("/v1/entries", json=PAY).status_code == 400
    new = server.client(server.token("read"))
    assert new.get("/api/token/balance/alice").status_code == 200
    assert new.post("/v1/entries", json=PAY, headers=headers).status_code == 403
    assert server.client().post("/v1/entries", json=PAY, headers=headers).status_code == 401
    assert taken[2:] == [False] * 5


def test_many_at_once_get_each_its_own_answer(
    serve: Callable[[Settings | None], ApiServer], ledger: Ledger
) -> None:
    """Payments, refused ones, those of revoked keys and readings, all in common runs."""
    server = serve(None)
    key, revoked = server.service.keys.create("gone", Scope.POST)
    good = server.token("post")
    for token in (good, revoked):
        server.service.keys.check(token)
    server.service.keys.revoke(key.id)
    found: dict[int, tuple[int, Any]] = {}

    def ask(number: int) -> None:
        client = server.client(revoked if number % 4 == 3 else good)
        if number % 4 == 2:
            answer = client.get("/api/token/balance/carol")
        else:
            amount = "1" if number % 4 else "100000"
            body = {**PAY, "amount": amount, "memo": str(number)}
            headers = {"Idempotency-Key": str(number)}
            answer = client.post("/v1/entries", json=body, headers=headers)
        found[number] = (answer.status_code, answer.json())

    with ledger.connection() as connection:
        connection.exec_driver_sql("UPDATE token_journals SET seq = seq")
        asking = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
        for thread in asking:
            thread.start()
        while server.service.writes < 20:
            threading.Event().wait(0.01)
    for thread in asking:
        thread.join()
    for number, (status, body) in found.items():
        expected = {0: 409, 1: 201, 2: 200, 3: 401}[number % 4]
        assert status == expected, body
        if status == 201:
            assert body["memo"] == str(number)
    assert len(ledger.get_statement("bob")) == 11
    assert ledger.audit().ok
