"""Writing over HTTP: each request once, amounts exact, refusals by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bridge.api.problems import STATUS_OF
from ledger import MAX_AMOUNT, Ledger, Rule

if TYPE_CHECKING:
    from tests.api.server import Caller

TOKEN = 10**18
PAY = {"from_account": "alice", "to_account": "bob", "amount": "12.5"}


def test_a_transfer_says_everything(ledger: Ledger, admin: Caller) -> None:
    words = {"reason": "tip:answer", "reference_type": "post", "reference_id": "7", "memo": "✓"}
    made = admin.post("/v1/entries", {**PAY, **words}, key="pay-1")
    entry = ledger.get_statement("bob")[-1]
    assert made["id"] == str(entry.id)
    assert made["amount"] == {"tokens": "12.5", "base_units": str(25 * TOKEN // 2)}
    assert {name: made[name] for name in words} == words
    assert made["idempotency_key"] == entry.idempotency_key
    assert entry.idempotency_key.endswith(":pay-1")
    assert not made["repeated"]
    assert admin.get(f"/v1/entries/{made['id']}") == made


def test_the_same_request_again_gives_the_first_result(ledger: Ledger, admin: Caller) -> None:
    first = admin.post("/v1/entries", PAY, key="once")
    again = admin.post("/v1/entries", PAY, key="once")
    assert again == {**first, "repeated": True}
    assert ledger.get_balance("alice") == 1_000 * TOKEN - 25 * TOKEN // 2
    other = admin.write("/v1/entries", {**PAY, "amount": "1"}, key="once")
    assert (other.status_code, other.json()["code"]) == (422, "KEY_REUSED")


def test_every_write_needs_a_key(admin: Caller) -> None:
    answer = admin.client.post("/v1/entries", json=PAY)
    assert (answer.status_code, answer.json()["code"]) == (400, "IDEMPOTENCY_KEY_MISSING")


@pytest.mark.parametrize(
    ("amount", "units"),
    [
        ("1", TOKEN),
        ("0.000000000000000001", 1),
        ({"tokens": "2.5"}, 5 * TOKEN // 2),
        ({"base_units": "3"}, 3),
        ({"tokens": "0.5", "base_units": str(TOKEN // 2)}, TOKEN // 2),
    ],
)
def test_amounts_are_exact(ledger: Ledger, admin: Caller, amount: object, units: int) -> None:
    made = admin.post("/v1/entries", {**PAY, "amount": amount})
    assert made["amount"]["base_units"] == str(units)
    assert ledger.get_balance("bob") == 1_000 * TOKEN + units


@pytest.mark.parametrize(
    "amount",
    [
        1, 1.5, 1e3, True, None, "", "1e3", "-1", "+1", "1,5", " 1", "1.", ".5",
        "1_000", "٣", "NaN",
        "0.0000000000000000001", str(MAX_AMOUNT), {"base_units": 3}, {"base_units": "1.5"},
        {"base_units": str(MAX_AMOUNT + 1)}, {"tokens": 1}, {}, [], {"tokens": "1", "more": "1"},
        {"tokens": "1", "base_units": "1"}, {"wei": "1"},
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(ledger: Ledger, admin: Caller, amount: object) -> None:
    head = ledger.head()
    answer = admin.write("/v1/entries", {**PAY, "amount": amount})
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_FIELD"), answer.text
    assert answer.json()["field"] in {
        "amount",
        "amount.tokens",
        "amount.base_units",
        "amount.more",
        "amount.wei",
    }
    assert ledger.head() == head


def test_mints_and_burns(ledger: Ledger, admin: Caller) -> None:
    minted = admin.post("/v1/mints", {"account_id": "alice", "amount": "5"})
    assert (minted["from_account"], minted["to_account"]) == ("system", "alice")
    burned = admin.post("/v1/burns", {"account_id": "alice", "amount": "7"})
    assert (burned["from_account"], burned["to_account"]) == ("alice", "system")
    assert ledger.get_total_supply() == 2_998 * TOKEN


def test_groups_are_whole(ledger: Ledger, admin: Caller) -> None:
    movements = [PAY, {"from_account": "bob", "to_account": "carol", "amount": "1000"}]
    made = admin.post("/v1/groups", {"movements": movements}, key="group")
    assert len({entry["group"] for entry in made["entries"]}) == 1
    assert admin.post("/v1/groups", {"movements": movements}, key="group")["repeated"]
    found = admin.get(f"/v1/groups/{made['entries'][1]['id']}")
    assert [entry["id"] for entry in found["entries"]] == [it["id"] for it in made["entries"]]
    head = ledger.head()
    refused = admin.write("/v1/groups", {"movements": [PAY, {**movements[1], "amount": "9999"}]})
    assert refused.json()["code"] == "INSUFFICIENT_AVAILABLE"
    assert ledger.head() == head


def test_holds(ledger: Ledger, admin: Caller) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    hold = admin.post(
        "/v1/holds", {"account_id": "alice", "amount": "30", "expires_at": soon}, key="h"
    )
    assert (hold["state"], hold["remaining"]["tokens"]) == ("pending", "30")
    assert ledger.balance("alice").available == 970 * TOKEN
    entry = admin.post(
        f"/v1/holds/{hold['id']}/post", {"amount": "10", "keep_rest": True, "to_account": "bob"}
    )
    assert (entry["kind"], entry["cause"]) == ("hold", hold["id"])
    assert admin.get(f"/v1/holds/{hold['id']}")["remaining"]["tokens"] == "20"
    assert admin.post(f"/v1/holds/{hold['id']}/void", {"dry_run": True})["state"] == "voided"
    assert admin.get(f"/v1/holds/{hold['id']}")["state"] == "pending"
    assert admin.post(f"/v1/holds/{hold['id']}/void")["state"] == "voided"
    again = admin.write(f"/v1/holds/{hold['id']}/void")
    assert (again.status_code, again.json()["code"]) == (409, "HOLD_VOIDED")
    listed = admin.get("/v1/holds", account="alice", state="voided")
    assert [it["id"] for it in listed["holds"]] == [hold["id"]]


def test_reversals(admin: Caller) -> None:
    entry = admin.post("/v1/entries", PAY)
    undone = admin.post("/v1/reversals", {"entry": entry["id"], "amount": "2"})
    [back] = undone["entries"]
    assert (back["kind"], back["cause"], back["amount"]["tokens"]) == (
        "reversal", entry["id"], "2",
    )  # fmt: skip
    assert admin.get(f"/v1/reversals/{entry['id']}") == back
    assert admin.client.get(f"/v1/reversals/{back['id']}").json()["code"] == "NOT_FOUND"
    assert admin.write("/v1/reversals", {"entry": entry["id"]}).json()["code"] == "ENTRY_REVERSED"


def test_assets_and_accounts(ledger: Ledger, admin: Caller) -> None:
    wanted = {"symbol": "GLD", "name": "Gold", "decimals": 2, "endowment": "1.25"}
    made = admin.post("/v1/assets", wanted)
    assert made["endowment"] == {"tokens": "1.25", "base_units": "125"}
    taken = admin.write("/v1/assets", wanted)
    assert (taken.status_code, taken.json()["code"]) == (409, "ASSET_EXISTS")
    body = {"account_id": "dave", "asset": "GLD", "initial_balance": "3.5"}
    account = admin.post("/v1/accounts", body, key="dave")
    assert account["status"] == "open"
    assert ledger.get_balance("dave", "GLD") == 350
    frozen = admin.post("/v1/account-status", {"account_id": "dave", "status": "frozen"})
    assert admin.post("/v1/account-status", {"account_id": "dave", "status": "frozen"}) == frozen
    assert str(ledger.account("dave").status) == "frozen"
    limits = admin.post(
        "/v1/limits",
        {"account_id": "bob", "asset": "GLD", "max_debit": "2.5", "max_balance": None},
        method="PUT",
    )
    assert (limits["max_debit"]["tokens"], limits["max_balance"]) == ("2.5", None)
    assert ledger.balance("bob", "GLD").max_debit == 250


def test_seals(ledger: Ledger, admin: Caller) -> None:
    assert admin.write("/v1/seals", {"dry_run": True}).status_code == 422
    made = admin.post("/v1/seals")
    assert made["batches"][0]["last_seq"] == ledger.head().seq
    assert admin.post("/v1/seals") == made
    del made["repeated"]
    assert admin.get("/v1/seals/1") == made
    assert admin.get("/v1/seals")["seals"] == [made]


def test_a_dry_run_posts_nothing(ledger: Ledger, admin: Caller) -> None:
    head = ledger.head()
    made = admin.post("/v1/entries", {**PAY, "dry_run": True})
    assert made["seq"] == head.seq + 1
    assert ledger.head() == head


REFUSED: dict[Rule, tuple[str, Any]] = {
    Rule.INSUFFICIENT_AVAILABLE: ("/v1/entries", {**PAY, "amount": "1000.5"}),
    Rule.UNKNOWN_ACCOUNT: ("/v1/entries", {**PAY, "to_account": "nobody"}),
    Rule.UNKNOWN_ASSET: ("/v1/entries", {**PAY, "asset": "XXX"}),
    Rule.SAME_ACCOUNT: ("/v1/entries", {**PAY, "to_account": "alice"}),
    Rule.AMOUNT_ZERO: ("/v1/entries", {**PAY, "amount": "0"}),
    Rule.ACCOUNT_EXISTS: ("/v1/accounts", {"account_id": "alice"}),
    Rule.UNKNOWN_ENTRY: ("/v1/reversals", {"entry": "0x" + "11" * 32}),
    Rule.UNKNOWN_HOLD: (f"/v1/holds/0x{'11' * 32}/void", None),
    Rule.ACCOUNT_NOT_EMPTY: ("/v1/account-status", {"account_id": "bob", "status": "closed"}),
    Rule.INVALID_FIELD: ("/v1/entries", {**PAY, "from_account": "system"}),
}


@pytest.mark.parametrize("rule", REFUSED, ids=str)
def test_refusals_have_their_name_and_status(admin: Caller, rule: Rule) -> None:
    path, body = REFUSED[rule]
    answer = admin.write(path, body)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == str(rule)
    assert answer.status_code == problem["status"] == STATUS_OF[rule]
    assert problem["detail"]
    assert problem["title"]


def test_every_rule_has_a_status() -> None:
    assert set(STATUS_OF) == set(Rule)
