"""Every write sent again: the same answer, marked; another request with its key is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ledger.views import account_json
from tests.api.conftest import small_ledger
from tests.api.server import ApiServer, Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger import Ledger

AMOUNT = {"amount": "1"}
PAY = {"from_account": "alice", "to_account": "bob", **AMOUNT}


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """Return the small ledger on both databases."""
    with small_ledger(database_url) as made:
        yield made


def writes(ledger: Ledger) -> list[tuple[str, str, Any, Any]]:
    """Return (method, path, body, another body) of every write, in an order that goes well."""
    entry = ledger.transfer("carol", "bob", 1)
    posted, voided = ledger.hold("alice", 10**18), ledger.hold("alice", 10**18)
    own = {"account_id": "alice"}
    return [
        ("POST", "/v1/entries", PAY, {**PAY, "memo": "another"}),
        ("POST", "/v1/mints", {**own, **AMOUNT}, {**own, "amount": "2"}),
        ("POST", "/v1/burns", {**own, **AMOUNT}, {**own, "amount": "2"}),
        ("POST", "/v1/groups", {"movements": [PAY, PAY]}, {"movements": [PAY]}),
        ("POST", "/v1/reversals", {"entry": str(entry.id)}, {"entry": str(entry.id), "memo": "x"}),
        ("POST", "/v1/holds", {**own, **AMOUNT}, {**own, "amount": "2"}),
        (
            "POST",
            f"/v1/holds/{posted.id}/post",
            {"to_account": "bob", "keep_rest": True, "amount": "0.25"},
            {"to_account": "bob", "keep_rest": True, "amount": "0.5"},
        ),
        ("POST", f"/v1/holds/{voided.id}/void", None, ...),
        ("POST", "/v1/accounts", {"account_id": "dave"}, {"account_id": "erin"}),
        ("POST", "/v1/account-status", {**own, "status": "frozen"}, {**own, "status": "open"}),
        ("PUT", "/v1/limits", {**own, "max_debit": "5"}, {**own, "max_debit": "6"}),
        ("POST", "/v1/seals", None, ...),
        (
            "POST",
            "/v1/assets",
            {"symbol": "GLD", "name": "Gold", "decimals": 2},
            {"symbol": "GLD", "name": "Gold", "decimals": 3},
        ),
    ]


def everything(ledger: Ledger) -> list[object]:
    """Return all that a write can change."""
    return [
        list(ledger.changes()),
        [ledger.head(asset.symbol) for asset in ledger.assets()],
        ledger.assets(),
        ledger.last_seal(),
        [account_json(account) for account in ledger.accounts()],
    ]


@pytest.fixture
def server(ledger: Ledger) -> Iterator[ApiServer]:
    """Serve the ledger."""
    made = ApiServer(ledger)
    yield made
    made.stop()


def test_every_write_is_done_once(ledger: Ledger, server: ApiServer) -> None:
    admin = Caller(server.client(server.token("admin")))
    known = writes(ledger)
    described = [it for methods in server.app.openapi()["paths"].values() for it in methods]
    assert len(known) == len(described) - described.count("get")
    for number, (method, path, body, another) in enumerate(known):
        key = f"once-{number}"
        first = admin.write(path, body, key=key, method=method)
        assert first.status_code in {200, 201}, first.text
        state = everything(ledger)
        again = admin.write(path, body, key=key, method=method)
        assert again.status_code == first.status_code
        assert again.json() == _marked(first.json()), path
        refused = [admin.write("/v1/entries", {**PAY, "asset": "SCI", "memo": "new"}, key=key)]
        if another is not ...:
            refused.append(admin.write(path, another, key=key, method=method))
        if path != "/v1/seals":
            refused.append(admin.write("/v1/seals", key=key))
        assert {(it.status_code, it.json()["code"]) for it in refused} == {(422, "KEY_REUSED")}
        assert everything(ledger) == state, path
    assert ledger.audit().ok


def _marked(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a first answer as it is given again: it must say that it is the first."""
    assert answer["repeated"] is False
    entries = [{**entry, "repeated": True} for entry in answer.get("entries", [])]
    return {**answer, "repeated": True} | ({"entries": entries} if entries else {})


def test_the_first_answer_stays_whatever_happens_since(ledger: Ledger, server: ApiServer) -> None:
    """A repeated change undoes nothing that was done after it."""
    admin = Caller(server.client(server.token("admin")))
    status = {"account_id": "alice", "status": "frozen"}
    limits = {"account_id": "alice", "max_debit": "5"}
    frozen = admin.post("/v1/account-status", status, key="freeze")
    limited = admin.post("/v1/limits", limits, key="limit", method="PUT")
    sealed = admin.post("/v1/seals", key="seal")
    ledger.reopen_account("alice")
    ledger.set_limits("alice", max_debit=7)
    ledger.transfer("alice", "bob", 1)
    ledger.seal()
    assert admin.post("/v1/account-status", status, key="freeze") == {**frozen, "repeated": True}
    again = admin.post("/v1/limits", limits, key="limit", method="PUT")
    assert again == {**limited, "repeated": True}
    assert admin.post("/v1/seals", key="seal") == {**sealed, "repeated": True}
    assert str(ledger.account("alice").status) == "open"
    assert ledger.balance("alice").max_debit == 7
    assert ledger.last_seal() == 2


def test_a_refused_write_leaves_its_key_free(ledger: Ledger, server: ApiServer) -> None:
    admin = Caller(server.client(server.token("admin")))
    close = {"account_id": "alice", "status": "closed"}
    refused = admin.write("/v1/account-status", close, key="close")
    assert (refused.status_code, refused.json()["code"]) == (409, "ACCOUNT_NOT_EMPTY")
    ledger.burn("alice", ledger.get_balance("alice"))
    assert admin.post("/v1/account-status", close, key="close")["repeated"] is False


def test_keys_of_two_callers_are_not_one(ledger: Ledger, server: ApiServer) -> None:
    """The same Idempotency-Key of another API key, or of the library, names another request."""
    ledger.transfer("alice", "bob", 10**18, idempotency_key="k")
    one, two = (Caller(server.client(server.token("admin"))) for _ in range(2))
    first = one.post("/v1/entries", PAY, key="k")
    second = two.post("/v1/entries", PAY, key="k")
    assert first["id"] != second["id"]
    assert not second["repeated"]
    assert two.post("/v1/seals", key="s")["number"] == 1
    ledger.transfer("alice", "bob", 1)
    assert one.post("/v1/seals", key="s")["number"] == 2
    assert ledger.head().seq == 7


def test_the_same_request_many_times_at_once_is_done_once(
    ledger: Ledger, server: ApiServer
) -> None:
    token = server.token("admin")
    freeze = {"account_id": "alice", "status": "frozen"}

    def ask(path: str, body: object) -> Any:  # noqa: ANN401 (JSON)
        answer = Caller(server.client(token)).write(path, body, key=path)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    for path, body in (("/v1/seals", None), ("/v1/account-status", freeze)):
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(ask, [path] * 6, [body] * 6))
        assert sorted(it.pop("repeated") for it in answers) == [False] + [True] * 5
        assert all(it == answers[0] for it in answers)
    assert ledger.last_seal() == 1


def test_a_status_changes_while_assets_are_made(ledger: Ledger, server: ApiServer) -> None:
    """It concerns every asset, those too that nobody had when it was asked for."""
    admin = Caller(server.client(server.token("admin")))
    with ThreadPoolExecutor(1) as pool:
        made = [pool.submit(ledger.create_asset, f"A{number}", "A", 0) for number in range(12)]
        for number in range(12):
            status = ("frozen", "open")[number % 2]
            body = {"account_id": "alice", "status": status}
            assert admin.post("/v1/account-status", body)["status"] == status
        assert len({it.result().symbol for it in made}) == 12
    assert ledger.audit().ok


@pytest.mark.parametrize("key", ["é".encode(), b"a\tb", b"k" * 241, b""])
def test_what_is_no_key_is_refused(server: ApiServer, key: bytes) -> None:
    client = server.client(server.token("admin"))
    answer = client.post("/v1/entries", json=PAY, headers=[(b"Idempotency-Key", key)])
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_FIELD")
    assert answer.json()["field"] == "Idempotency-Key"
