"""The common jobs with httpx. URL is where `evm-ledger serve` listens, KEY a key of scope admin."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

api = httpx.Client(
    base_url=os.environ["URL"], headers={"Authorization": f"Bearer {os.environ['KEY']}"}
)


def write(
    path: str, body: dict[str, Any] | None = None, *, key: str | None = None, method: str = "POST"
) -> Any:  # noqa: ANN401 (JSON)
    """Do it once, however often it must be sent: the key makes trying again harmless."""
    key = key or str(uuid.uuid4())
    for wait in (0.1, 0.5, 2.0, 5.0, 0.0):
        try:
            answer = api.request(method, path, json=body, headers={"Idempotency-Key": key})
            if answer.status_code not in {429, 503}:
                break
            wait = float(answer.headers.get("Retry-After", wait))  # noqa: PLW2901 (the server knows better)
        except httpx.TransportError:
            if wait == 0:
                raise
        time.sleep(wait)
    if answer.is_error:
        problem = answer.json()
        raise RuntimeError(f"{problem['code']}: {problem['detail']}")
    return answer.json()


# Accounts, a transfer, and the same request again.
write("/v1/accounts", {"account_id": "carol"})
write("/v1/accounts", {"account_id": "dave", "initial_balance": "0"})
pay = {"from_account": "carol", "to_account": "dave", "amount": "12.5", "reason": "order"}
entry = write("/v1/entries", pay, key="order-70")
assert write("/v1/entries", pay, key="order-70")["id"] == entry["id"]  # noqa: S101 (shows what is true)

# What an account has, and what happened to it, page by page.
balance = api.get("/api/token/balance/dave").json()["balance"]
print("dave has", balance["tokens"], "tokens,", balance["base_units"], "base units")
query = {"account": "dave", "limit": 50}
while True:
    page = api.get("/api/token/ledger", params=query).json()
    for line in page["entries"]:
        print(
            line["time"][:4],
            line["from_account"],
            "->",
            line["to_account"],
            line["amount"]["tokens"],
        )
    if page["cursor"] is None:
        break
    query["cursor"] = page["cursor"]

# Mint and burn.
write("/v1/mints", {"account_id": "dave", "amount": "100", "reason": "reward"})
burned = write("/v1/burns", {"account_id": "dave", "amount": "40"})
print("left after the burn:", burned["balance_after_from"]["tokens"])

# All together or nothing.
group = write("/v1/groups", {"movements": [pay | {"amount": "3"}, pay | {"amount": "4"}]})
print("posted together:", len(group["entries"]))

# Set aside, post a part, release the rest.
hold = write("/v1/holds", {"account_id": "carol", "to_account": "dave", "amount": "20"})
write(f"/v1/holds/{hold['id']}/post", {"amount": "5"})
print("still held:", api.get(f"/v1/holds/{hold['id']}").json()["remaining"]["tokens"])

# Set aside, release all of it.
hold = write("/v1/holds", {"account_id": "carol", "amount": "7"})
print("a hold is", write(f"/v1/holds/{hold['id']}/void")["state"])

# Undo.
undone = write("/v1/reversals", {"entry": entry["id"]})
print("undone by entry of kind", undone["entries"][0]["kind"])


def refusal(path: str, body: dict[str, Any]) -> str:
    """Return the rule that refuses a request: its name is stable."""
    try:
        write(path, body)
    except RuntimeError as error:
        return str(error).split(":")[0]
    return "none"


# Freeze an account, open it again; limit it, and take the limits away.
write("/v1/account-status", {"account_id": "carol", "status": "frozen"})
print(refusal("/v1/entries", pay))
write("/v1/account-status", {"account_id": "carol", "status": "open"})
write("/v1/limits", {"account_id": "carol", "max_debit": "5"}, method="PUT")
print(refusal("/v1/entries", pay))
write("/v1/limits", {"account_id": "carol"}, method="PUT")
print(refusal("/v1/entries", pay | {"amount": "99999"}))

# Seal, take the proof of an entry with you, and check it without the server.
write("/v1/seals")
Path("proof.json").write_bytes(api.get(f"/v1/proofs/entries/{entry['id']}").content)
check = ["evm-ledger", "check", "proof.json"]
print(subprocess.check_output(check, text=True), end="")  # noqa: S603 (the one installed)


def listen(after: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (cursor, change), each change once and in order; behind `after` if there is one."""
    headers = {} if after is None else {"Last-Event-ID": after}
    with api.stream("GET", "/v1/changes/stream", headers=headers, timeout=None) as stream:
        cursor, change = "", {}
        for line in stream.iter_lines():
            name, _, text = line.partition(": ")
            if name == "id":
                cursor = text
            elif name == "data":
                change = json.loads(text)
            elif not line and cursor:
                yield cursor, change


# Listen until a hold is posted; then, after a break, go on behind what was seen last.
seen = next(cursor for cursor, change in listen(None) if change["type"] == "hold_posted")
print("heard of the hold that was posted")
print("and then of:", next(listen(seen))[1]["type"])
