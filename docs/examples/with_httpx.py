"""The common jobs with httpx. URL is where `evm-ledger serve` listens, KEY a key of scope admin."""

from __future__ import annotations

import json
import os
import time
import uuid
from typing import Any

import httpx

api = httpx.Client(
    base_url=os.environ["URL"], headers={"Authorization": f"Bearer {os.environ['KEY']}"}
)


def write(path: str, body: dict[str, Any] | None = None, *, key: str | None = None) -> Any:  # noqa: ANN401 (JSON)
    """Post once, however often it must be sent: the key makes trying again harmless."""
    key = key or str(uuid.uuid4())
    for wait in (0.1, 0.5, 2.0, 5.0, 0.0):
        try:
            answer = api.post(path, json=body, headers={"Idempotency-Key": key})
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

# All together or nothing.
group = write("/v1/groups", {"movements": [pay | {"amount": "3"}, pay | {"amount": "4"}]})
print("posted together:", len(group["entries"]))

# Set aside, post a part, release the rest.
hold = write("/v1/holds", {"account_id": "carol", "to_account": "dave", "amount": "20"})
write(f"/v1/holds/{hold['id']}/post", {"amount": "5"})
print("still held:", api.get(f"/v1/holds/{hold['id']}").json()["remaining"]["tokens"])

# Undo.
undone = write("/v1/reversals", {"entry": entry["id"]})
print("undone by entry of kind", undone["entries"][0]["kind"])

# A refusal says its rule.
try:
    write("/v1/entries", pay | {"amount": "99999"})
except RuntimeError as refusal:
    print(str(refusal).split(":")[0])

# Listen: each change once and in order; after a break, go on behind the last one that was seen.
seen = None
headers = {} if seen is None else {"Last-Event-ID": seen}
with api.stream("GET", "/v1/changes/stream", headers=headers, timeout=None) as stream:
    for text in stream.iter_lines():
        if text.startswith("id: "):
            seen = text[4:]
        if text.startswith("data: ") and json.loads(text[6:])["type"] == "hold_posted":
            print("heard of the hold that was posted")
            break
