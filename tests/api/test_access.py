"""Who may do what, at every endpoint: no key, wrong scope, another's account, revoked, expired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pytest

from bridge.api import Settings
from bridge.api.drawing import PageRoute
from bridge.api.keys import ApiKeys, Scope, clock
from ledger import FieldError, Group, Movement, Receipt
from ledger.times import moment_of
from tests.api.conftest import small_ledger
from tests.api.server import ApiServer, Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from ledger import Ledger

AMOUNT = {"amount": "1"}
Strict: TypeAlias = "tuple[ApiServer, list[Endpoint]]"
OPEN = {"/healthz", "/readyz", "/openapi.json"}
"""What everybody may ask, always."""


class Endpoint(NamedTuple):
    """One endpoint, a request that goes well with the right key, and who may send it."""

    method: str
    route: str
    path: str
    scope: str
    body: Any = None
    confined: bool | None = True
    """Whether a key of `alice` may send it; None where it is the same for every account."""

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


def endpoints(entry: str, hold: str) -> list[Endpoint]:
    """Return every endpoint; `entry` and `hold` are of alice."""
    transfer = {"from_account": "alice", "to_account": "bob", **AMOUNT}
    return [
        Endpoint("GET", "/api/token/balance/{agent_id:path}", "/api/token/balance/alice", "read"),
        Endpoint("GET", "/api/token/supply", "/api/token/supply", "read", confined=None),
        Endpoint("GET", "/api/token/ledger", "/api/token/ledger?account=alice", "read"),
        Endpoint("GET", "/v1/ledger", "/v1/ledger", "read", confined=None),
        Endpoint("GET", "/v1/assets", "/v1/assets", "read", confined=None),
        Endpoint("GET", "/v1/assets/{symbol:path}", "/v1/assets/SCI", "read", confined=None),
        Endpoint("GET", "/v1/accounts", "/v1/accounts", "read", confined=False),
        Endpoint("GET", "/v1/accounts/{account_id:path}", "/v1/accounts/alice", "read"),
        Endpoint("GET", "/v1/balances", "/v1/balances?account=alice&at=1", "read"),
        Endpoint("GET", "/v1/supply", "/v1/supply", "read", confined=None),
        Endpoint("GET", "/v1/entries", "/v1/entries?account=alice", "read"),
        Endpoint("GET", "/v1/entries/{entry_id}", f"/v1/entries/{entry}", "read"),
        Endpoint("GET", "/v1/groups/{entry_id}", f"/v1/groups/{entry}", "read"),
        Endpoint("GET", "/v1/reversals/{entry_id}", f"/v1/reversals/{entry}", "read"),
        Endpoint("GET", "/v1/holds", "/v1/holds?account=alice", "read"),
        Endpoint("GET", "/v1/holds/{hold_id}", f"/v1/holds/{hold}", "read"),
        Endpoint("GET", "/v1/seals", "/v1/seals", "read", confined=False),
        Endpoint("GET", "/v1/seals/{number}", "/v1/seals/1", "read", confined=False),
        Endpoint("GET", "/v1/batches", "/v1/batches", "read", confined=False),
        Endpoint("GET", "/v1/batches/{number}", "/v1/batches/1", "read", confined=False),
        Endpoint("GET", "/v1/chain", "/v1/chain", "read", confined=None),
        Endpoint("GET", "/v1/proofs/entries/{entry_id}", f"/v1/proofs/entries/{entry}", "read"),
        Endpoint("GET", "/v1/proofs/balances", "/v1/proofs/balances?account=alice", "read"),
        Endpoint(
            "GET",
            "/v1/proofs/consistency",
            "/v1/proofs/consistency?old_seal=1",
            "read",
            confined=None,
        ),
        Endpoint("GET", "/v1/changes", "/v1/changes", "read", confined=False),
        Endpoint("GET", "/v1/changes/stream", "/v1/changes/stream", "read", confined=False),
        Endpoint("GET", "/metrics", "/metrics", "read", confined=False),
        Endpoint("POST", "/v1/entries", "/v1/entries", "post", transfer),
        Endpoint("POST", "/v1/burns", "/v1/burns", "post", {"account_id": "alice", **AMOUNT}),
        Endpoint("POST", "/v1/groups", "/v1/groups", "post", {"movements": [transfer]}),
        Endpoint(
            "POST", "/v1/reversals", "/v1/reversals", "post", {"entry": entry}, confined=False
        ),
        Endpoint("POST", "/v1/holds", "/v1/holds", "post", {"account_id": "alice", **AMOUNT}),
        Endpoint(
            "POST",
            "/v1/holds/{hold_id}/post",
            f"/v1/holds/{hold}/post",
            "post",
            {"to_account": "bob"},
        ),
        Endpoint("POST", "/v1/holds/{hold_id}/void", f"/v1/holds/{hold}/void", "post"),
        Endpoint("POST", "/v1/mints", "/v1/mints", "admin", {"account_id": "alice", **AMOUNT}),
        Endpoint("POST", "/v1/assets", "/v1/assets", "admin", {"symbol": "NEW", "name": "New"}),
        Endpoint("POST", "/v1/accounts", "/v1/accounts", "admin", {"account_id": "dave"}),
        Endpoint(
            "POST",
            "/v1/account-status",
            "/v1/account-status",
            "admin",
            {"account_id": "alice", "status": "frozen"},
        ),
        Endpoint("PUT", "/v1/limits", "/v1/limits", "admin", {"account_id": "alice"}),
        Endpoint("POST", "/v1/seals", "/v1/seals", "admin"),
    ]


ROUTES = [str(endpoint) for endpoint in endpoints("0x", "0x")]
PAGES = {
    "/": "/",
    "/accounts": "/accounts",
    "/account": "/account?id=alice",
    "/account/{account_id:path}": "/account/alice",
    "/assets": "/assets",
    "/entries": "/entries",
    "/entry/{entry_id}": "/entry/{entry}",
    "/seals": "/seals",
    "/seal/{number}": "/seal/1",
    "/batch/{number}": "/batch/1",
    "/holds": "/holds",
    "/hold/{hold_id}": "/hold/{hold}",
    "/search": "/search?q=alice",
}
"""Every page of the explorer, and how to ask for it."""


def prepared(ledger: Ledger) -> list[Endpoint]:
    """Return every endpoint, with things of alice to ask about."""
    entry = ledger.transfer("alice", "bob", 10**18)
    ledger.reverse(entry.id)
    entry = ledger.transfer("alice", "bob", 10**18)
    ledger.reverse(ledger.transfer("bob", "alice", 10**18).id)
    hold = ledger.hold("alice", 10**18)
    ledger.seal()
    ledger.transfer("bob", "carol", 1)
    ledger.seal()
    return endpoints(str(entry.id), str(hold.id))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiServer, list[Endpoint]]]:
    """Return a server and its endpoints, for tests in which every request is refused."""
    with small_ledger(f"sqlite:///{tmp_path_factory.mktemp('strict') / 'ledger.db'}") as ledger:
        server = ApiServer(ledger)
        yield server, prepared(ledger)
        server.stop()


def of(known: list[Endpoint], name: str) -> Endpoint:
    """Return the endpoint of that name."""
    return next(it for it in known if str(it) == name)


def send(server: ApiServer, endpoint: Endpoint, token: str | None) -> tuple[int, str]:
    """Return the status and the code of the answer; a stream is left after its first line."""
    client = server.client(token)
    headers = {} if endpoint.method == "GET" else {"Idempotency-Key": "k"}
    with client.stream(
        endpoint.method, endpoint.path, json=endpoint.body, headers=headers
    ) as answer:
        if answer.status_code == 200 and endpoint.path.endswith("/stream"):
            return 200, ""
        answer.read()
        code = answer.json().get("code", "") if answer.status_code >= 400 else ""
        return answer.status_code, code


def reversed_missing(endpoint: Endpoint, status: int) -> bool:
    """Tell whether the answer is the one for an entry that nothing reversed."""
    return endpoint.route == "/v1/reversals/{entry_id}" and status == 404


def routes(app: FastAPI) -> Iterator[str]:
    """Yield every route that the application has."""
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield f"{method.upper()} {path}"


def test_every_endpoint_is_in_the_tests(strict: Strict) -> None:
    """A new endpoint without a line above fails here."""
    server, _ = strict
    listed = {name.replace(":path", "") for name in ROUTES}
    assert {route for route in routes(server.app) if route.split()[1] not in OPEN} == listed


def test_some_endpoints_are_open_to_all(strict: Strict) -> None:
    """Health and the description need no key."""
    server, _ = strict
    for path in OPEN:
        assert server.client().get(path).status_code == 200


@pytest.mark.parametrize("name", ROUTES)
def test_without_a_key(strict: Strict, name: str) -> None:
    server, known = strict
    endpoint = of(known, name)
    assert send(server, endpoint, None) == (401, "KEY_MISSING")


@pytest.mark.parametrize("name", ROUTES)
def test_with_a_key_of_nobody(strict: Strict, name: str) -> None:
    server, known = strict
    endpoint = of(known, name)
    real = server.token("admin")
    forged = real[:-1] + ("A" if real[-1] != "A" else "B")
    for token in (forged, "evl_0123456789ab_" + "x" * 43, "nonsense", "é"):
        if token.isascii():
            assert send(server, endpoint, token) == (401, "KEY_INVALID")


@pytest.mark.parametrize("name", ROUTES)
def test_with_a_revoked_key(strict: Strict, name: str) -> None:
    """Whether the server has seen it before or not, and whoever revoked it: at once."""
    server, known = strict
    endpoint = of(known, name)
    keys = server.service.keys
    for is_known in (False, True):
        key, token = keys.create("x", Scope.ADMIN)
        if is_known:
            assert server.client(token).get("/v1/ledger").status_code == 200
            assert keys.remembered(token) == key
        ApiKeys(server.service.ledger).revoke(key.id)
        assert send(server, endpoint, token) == (401, "KEY_INVALID")


@pytest.mark.parametrize("name", ROUTES)
def test_with_the_wrong_scope(strict: Strict, name: str) -> None:
    server, known = strict
    endpoint = of(known, name)
    lesser = {"post": "read", "admin": "post"}.get(endpoint.scope)
    if lesser is None:
        status, _ = send(server, endpoint, server.token("read"))
        assert status == 200 or reversed_missing(endpoint, status)
    else:
        assert send(server, endpoint, server.token(lesser)) == (403, "SCOPE_MISSING")


@pytest.mark.parametrize("name", ROUTES)
def test_with_a_key_of_another_account(strict: Strict, name: str) -> None:
    """Carol's key sees and moves nothing of alice; what is the same for all, it may read."""
    server, known = strict
    endpoint = of(known, name)
    scope = "post" if endpoint.scope == "admin" else endpoint.scope
    status, code = send(server, endpoint, server.token(scope, ["carol"]))
    if endpoint.scope == "admin":
        assert (status, code) == (403, "SCOPE_MISSING")
    elif endpoint.confined is None:
        assert status == 200
    else:
        assert (status, code) == (403, "ACCOUNT_FORBIDDEN")


@pytest.mark.parametrize("name", ROUTES)
def test_with_a_key_of_the_account(server: ApiServer, ledger: Ledger, name: str) -> None:
    """Alice's own key may do what touches her alone."""
    endpoint = of(prepared(ledger), name)
    scope = "post" if endpoint.scope == "admin" else endpoint.scope
    status, code = send(server, endpoint, server.token(scope, ["alice"]))
    if endpoint.scope == "admin":
        assert (status, code) == (403, "SCOPE_MISSING")
    elif endpoint.confined is False:
        assert (status, code) == (403, "ACCOUNT_FORBIDDEN")
    else:
        assert status in {200, 201} or reversed_missing(endpoint, status)


@pytest.mark.parametrize("name", ROUTES)
def test_with_the_right_key(server: ApiServer, ledger: Ledger, name: str) -> None:
    endpoint = of(prepared(ledger), name)
    status, code = send(server, endpoint, server.token(endpoint.scope))
    assert status in {200, 201} or reversed_missing(endpoint, status), code


def test_a_key_of_an_account_is_told_no_balance_of_another(
    server: ApiServer, ledger: Ledger
) -> None:
    """Not in a statement, an answer, or a group; nor of entries that are not its own."""
    alice = Caller(server.client(server.token("post", ["alice"])))
    paid = {"from_account": "alice", "to_account": "bob", **AMOUNT}
    made = alice.post("/v1/entries", paid)
    listed = alice.get("/v1/entries", account="alice")["entries"][0]
    first = alice.get("/api/token/ledger", account="alice")["entries"][0]
    for entry in (made, listed, first, alice.get(f"/v1/entries/{made['id']}")):
        assert entry["balance_after_from"]["tokens"] == "999"
        assert entry["balance_after_to"] is None
    group = Group((Movement("alice", "bob", 1), Movement("bob", "carol", 2)))
    [receipt] = ledger.post_many([group])
    assert isinstance(receipt, Receipt)
    seen = alice.get(f"/v1/groups/{receipt.entries[0].id}")["entries"]
    assert [entry["id"] for entry in seen] == [str(receipt.entries[0].id)]
    ledger.set_limits("bob", max_balance=1_002 * 10**18)
    for caller, says_it in ((alice, False), (Caller(server.client(server.token("post"))), True)):
        body = {**paid, "amount": "7", "dry_run": True}
        refused = caller.write("/v1/entries", body, key=f"too much {says_it}").json()
        assert refused["code"] == "BALANCE_LIMIT"
        assert ("1002" in refused["detail"]) is says_it
    for path in ("/api/token/supply", "/v1/supply"):
        assert [it["account_id"] for it in alice.get(path)["top"]] == ["alice"]
    both = Caller(server.client(server.token("read", ["alice", "bob"])))
    assert both.get(f"/v1/entries/{made['id']}")["balance_after_to"]["tokens"] == "1001"


def test_a_page_is_for_everybody_or_for_nobody(server: ApiServer, ledger: Ledger) -> None:
    """Where reading is closed no key opens one; where it is open none is asked for."""
    found = {route.path for route in server.app.state.routes if isinstance(route, PageRoute)}
    assert found == PAGES.keys()
    known = prepared(ledger)
    [entry] = [it.path.rpartition("/")[2] for it in known if it.route == "/v1/entries/{entry_id}"]
    [hold] = [it.path.rpartition("/")[2] for it in known if it.route == "/v1/holds/{hold_id}"]
    key, revoked = server.service.keys.create("x", Scope.ADMIN)
    server.service.keys.revoke(key.id)
    everybody = [
        None, revoked, "evl_0123456789ab_" + "x" * 43, server.token("read"),
        server.token("post", ["alice"]), server.token("admin"),
    ]  # fmt: skip
    callers = [server.client(token) for token in everybody]
    is_open = ApiServer(ledger, Settings(open_reads=True, rate=1e6, burst=1_000_000))
    visitor = is_open.client()
    try:
        for path in (it.format(entry=entry, hold=hold) for it in PAGES.values()):
            for caller in callers:
                answer = caller.get(path)
                assert (answer.status_code, answer.json()["code"]) == (401, "KEY_MISSING")
            answer = visitor.get(path)
            assert answer.status_code == (303 if path.startswith("/search") else 200)
    finally:
        is_open.stop()


def test_a_key_moves_so_much_at_once(server: ApiServer, ledger: Ledger) -> None:
    """Out of each account, however it is asked: the entries of a group together."""
    keys = server.service.keys
    token = keys.create("x", Scope.POST, accounts=["alice", "bob"], max_amount="10.5")[1]
    caller = Caller(server.client(token))
    pay = {"from_account": "alice", "to_account": "carol"}
    back = {"from_account": "bob", "to_account": "carol"}
    got = ledger.transfer("carol", "alice", 11 * 10**18)
    hold = ledger.hold("alice", 11 * 10**18, "carol")
    few, many = {"amount": "5.25"}, {"amount": "5.250000000000000001"}
    for path, body, right in (
        ("/v1/entries", {**pay, "amount": "10.500000000000000001"}, {**pay, "amount": "10.5"}),
        ("/v1/burns", {"account_id": "alice", "amount": "11"}, {"account_id": "alice", **few}),
        ("/v1/holds", {"account_id": "alice", "amount": "11"}, {"account_id": "alice", **few}),
        (
            "/v1/groups",
            {"movements": [{**pay, **few}, {**back, **few}, {**pay, **many}]},
            {"movements": [{**pay, **few}, {**back, "amount": "10.5"}, {**pay, **few}]},
        ),
        (f"/v1/holds/{hold.id}/post", {}, few),
        ("/v1/reversals", {"entry": str(got.id)}, {"entry": str(got.id), **few}),
    ):
        refused = caller.write(path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "AMOUNT_FORBIDDEN"), path
        caller.post(path, right)
    assert ledger.audit().ok


@pytest.mark.parametrize(
    ("scope", "amount"),
    [
        (Scope.POST, "0"), (Scope.POST, "1e3"), (Scope.POST, "-1"), (Scope.ADMIN, "1"),
        (Scope.READ, "1"),
    ],
)  # fmt: skip
def test_what_is_no_amount_of_a_key(server: ApiServer, scope: Scope, amount: str) -> None:
    with pytest.raises(FieldError, match="max_amount"):
        server.service.keys.create("x", scope, max_amount=amount)


def test_an_expired_key_is_none(server: ApiServer, ledger: Ledger) -> None:
    """It ends by itself, at its time."""
    keys = server.service.keys
    soon = clock() + 1_000_000
    _, token = keys.create("x", Scope.READ, expires_at=moment_of(soon))
    client = server.client(token)
    assert client.get("/v1/ledger").status_code == 200
    with ledger.connection() as connection:
        connection.exec_driver_sql("UPDATE token_api_keys SET expires_at = created_at")
    assert client.get("/v1/ledger").json()["code"] == "KEY_INVALID"


def test_reads_may_be_open_and_writes_never_are(ledger: Ledger) -> None:
    server = ApiServer(ledger, Settings(open_reads=True, rate=1e6, burst=1_000_000))
    try:
        caller = Caller(server.client())
        assert caller.get("/api/token/balance/alice")["balance"]["tokens"] == "1000"
        answer = caller.write("/v1/mints", {"account_id": "alice", **AMOUNT})
        assert (answer.status_code, answer.json()["code"]) == (401, "KEY_MISSING")
        revoked = server.client("evl_0123456789ab_" + "x" * 43).get("/v1/ledger")
        assert revoked.status_code == 401
    finally:
        server.stop()
