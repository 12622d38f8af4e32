"""The three endpoints of the first specification, exactly as they were named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from ledger import Ledger
    from tests.api.server import Caller

TOKEN = 10**18


def test_balance(ledger: Ledger, admin: Caller) -> None:
    ledger.transfer("alice", "bob", 12 * TOKEN + 5)
    ledger.hold("alice", TOKEN)
    found = admin.get("/api/token/balance/alice")
    assert found["account_id"] == "alice"
    assert found["balance"] == {
        "tokens": "987.999999999999999995",
        "base_units": "987999999999999999995",
    }
    assert found["available"]["tokens"] == "986.999999999999999995"
    assert found["total_staked"]["base_units"] == str(TOKEN)
    assert admin.client.get("/api/token/balance/nobody").json()["code"] == "UNKNOWN_ACCOUNT"


def test_a_balance_of_an_account_with_any_name(ledger: Ledger, admin: Caller) -> None:
    for name in ("team/a b", "ünï/✓", "50%", "a?b#c", "x&y=z"):
        ledger.create_account(name, 7)
        found = admin.client.get(f"/api/token/balance/{quote(name, safe='')}")
        assert (found.status_code, found.json()["account_id"]) == (200, name)


def test_supply(ledger: Ledger, admin: Caller) -> None:
    ledger.transfer("alice", "bob", 500 * TOKEN)
    ledger.burn("carol", 100 * TOKEN)
    found = admin.get("/api/token/supply")
    assert found["total_supply"]["tokens"] == "2900"
    assert found["velocity"] == {
        "window": "720h",
        "transfers": 1,
        "amount": {"tokens": "500", "base_units": str(500 * TOKEN)},
        "ratio": "0.172414",
    }
    assert (found["holders"], found["gini"]) == (3, "0.229885")
    assert [(it["account_id"], it["share"]) for it in found["top"]] == [
        ("bob", "0.517241"),
        ("carol", "0.310345"),
        ("alice", "0.172414"),
    ]


def test_ledger(ledger: Ledger, admin: Caller) -> None:
    for number in range(1, 121):
        ledger.transfer("alice", "bob", number)
    first = admin.get("/api/token/ledger", account="alice", limit=50)
    assert len(first["entries"]) == 50
    assert [it["amount"]["base_units"] for it in first["entries"]][:3] == ["120", "119", "118"]
    assert admin.get("/api/token/ledger", account="alice") == first
    seen, cursor = first["entries"], first["cursor"]
    while cursor:
        page = admin.get("/api/token/ledger", account="alice", limit=50, cursor=cursor)
        seen += page["entries"]
        cursor = page["cursor"]
    own = [str(entry.id) for entry in ledger.get_statement("alice")]
    assert [entry["id"] for entry in seen] == own[::-1]
    answer = admin.client.get("/api/token/ledger")
    assert (answer.status_code, answer.json()["field"]) == (422, "account")


def test_the_addresses_are_those_that_were_named(ledger: Ledger, admin: Caller) -> None:
    """Written out, as somebody would who has nothing but the first specification."""
    ledger.transfer("alice", "bob", 1)
    client = admin.client
    assert client.get("/api/token/balance/alice").status_code == 200
    assert client.get("/api/token/supply").status_code == 200
    assert client.get("/api/token/ledger?account=alice&limit=50").status_code == 200
    supply = client.get("/api/token/supply").json()
    assert {"total_supply", "velocity", "holders", "gini", "top"} <= supply.keys()
    assert _numbers(supply) <= {"holders", "transfers"}
    assert _numbers(client.get("/api/token/balance/alice").json()) == set()
    assert _numbers(client.get("/api/token/ledger?account=alice").json()) == {"seq"}
    for limit in ("0", "1001", "-1", "x", "1.5"):
        answer = client.get(f"/api/token/ledger?account=alice&limit={limit}")
        assert (answer.status_code, answer.json()["field"]) == (422, "limit")


def _numbers(value: Any, name: str = "") -> set[str]:  # noqa: ANN401 (JSON)
    """Return the names of what is a JSON number: counts may be, amounts never."""
    if isinstance(value, dict):
        return {found for key, each in value.items() for found in _numbers(each, key)}
    if isinstance(value, list):
        return {found for each in value for found in _numbers(each, name)}
    return {name} if isinstance(value, int | float) and not isinstance(value, bool) else set()
