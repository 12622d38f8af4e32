#!/bin/sh
# The common jobs with curl. $URL is where `evm-ledger serve` listens, $KEY a key of scope admin.
set -eu

ask() { curl --silent --fail-with-body --write-out '\n' -H "Authorization: Bearer $KEY" "$@"; }

# A new name for each thing that is to happen once; the same name again if you are not sure that it did.
write() { ask -H "Content-Type: application/json" -H "Idempotency-Key: $1" "$URL$2" --data "$3"; }

echo "-- create accounts"
write account-1 /v1/accounts '{"account_id": "alice"}'
write account-2 /v1/accounts '{"account_id": "bob", "initial_balance": "0"}'

echo "-- transfer"
write order-7 /v1/entries '{"from_account": "alice", "to_account": "bob", "amount": "12.5",
  "reason": "order", "reference_type": "order", "reference_id": "7"}'

echo "-- once more, because the answer was lost: the same entry"
write order-7 /v1/entries '{"from_account": "alice", "to_account": "bob", "amount": "12.5",
  "reason": "order", "reference_type": "order", "reference_id": "7"}'

echo "-- what an account has, and what happened to it"
ask "$URL/api/token/balance/bob"
ask "$URL/api/token/ledger?account=bob&limit=50"

echo "-- all together or nothing"
write trade-1 /v1/groups '{"movements": [
  {"from_account": "alice", "to_account": "bob", "amount": "3"},
  {"from_account": "bob", "to_account": "alice", "amount": "1"}]}'

echo "-- set aside, then post a part of it and release the rest"
write hold-1 /v1/holds '{"account_id": "alice", "to_account": "bob", "amount": "20"}' > hold.json
HOLD=$(sed 's/.*"id":"\(0x[0-9a-f]*\)".*/\1/' hold.json)
write hold-1-post "/v1/holds/$HOLD/post" '{"amount": "5"}'

echo "-- undo an entry"
write order-8 /v1/entries '{"from_account": "alice", "to_account": "bob", "amount": "1"}' > entry.json
ENTRY=$(sed 's/.*"id":"\(0x[0-9a-f]*\)","head.*/\1/' entry.json)
write undo-8 /v1/reversals "{\"entry\": \"$ENTRY\"}"

echo "-- the supply, its velocity and distribution"
ask "$URL/api/token/supply"

echo "-- seal, and take the proof of an entry with you"
write seal-1 /v1/seals ''
ask --write-out '' "$URL/v1/proofs/entries/$ENTRY" > proof.json

echo "-- what happened, from the start"
ask "$URL/v1/changes?limit=5"

echo "-- a refusal says its rule"
write too-much /v1/entries '{"from_account": "bob", "to_account": "alice", "amount": "99999"}' || echo "exit code $?"
