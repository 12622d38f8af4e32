#!/bin/sh
# The common jobs with curl. $URL is where `evm-ledger serve` listens, $KEY a key of scope admin.
set -eu

ask() { curl --silent --fail-with-body --write-out '\n' -H "Authorization: Bearer $KEY" "$@"; }

# A new name for each thing that is to happen once; the same name again if you are not sure that it did.
write() { name=$1 path=$2 body=$3; shift 3
  ask -H "Content-Type: application/json" -H "Idempotency-Key: $name" "$URL$path" --data "$body" "$@"; }

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

echo "-- mint and burn"
write mint-1 /v1/mints '{"account_id": "bob", "amount": "100", "reason": "reward"}'
write burn-1 /v1/burns '{"account_id": "bob", "amount": "40"}'

echo "-- all together or nothing"
write trade-1 /v1/groups '{"movements": [
  {"from_account": "alice", "to_account": "bob", "amount": "3"},
  {"from_account": "bob", "to_account": "alice", "amount": "1"}]}'

echo "-- set aside, then post a part of it and release the rest"
write hold-1 /v1/holds '{"account_id": "alice", "to_account": "bob", "amount": "20"}' > hold.json
HOLD=$(sed 's/.*"id":"\(0x[0-9a-f]*\)".*/\1/' hold.json)
write hold-1-post "/v1/holds/$HOLD/post" '{"amount": "5"}'

echo "-- set aside, then release all of it"
write hold-2 /v1/holds '{"account_id": "alice", "amount": "7", "expires_at": "2100-01-01T00:00:00Z"}' > hold.json
HOLD=$(sed 's/.*"id":"\(0x[0-9a-f]*\)".*/\1/' hold.json)
write hold-2-void "/v1/holds/$HOLD/void" ''

echo "-- undo an entry"
write order-8 /v1/entries '{"from_account": "alice", "to_account": "bob", "amount": "1"}' > entry.json
ENTRY=$(sed 's/.*"id":"\(0x[0-9a-f]*\)","head.*/\1/' entry.json)
write undo-8 /v1/reversals "{\"entry\": \"$ENTRY\"}"

echo "-- freeze an account: nothing leaves it; then open it again"
write freeze-1 /v1/account-status '{"account_id": "bob", "status": "frozen"}'
write frozen-1 /v1/entries '{"from_account": "bob", "to_account": "alice", "amount": "1"}' || echo "exit code $?"
write open-1 /v1/account-status '{"account_id": "bob", "status": "open"}'

echo "-- limit what leaves an account at once, and what it may have"
write limit-1 /v1/limits '{"account_id": "bob", "max_debit": "50", "max_balance": "1000"}' -X PUT
write limited-1 /v1/entries '{"from_account": "bob", "to_account": "alice", "amount": "51"}' || echo "exit code $?"
write limit-2 /v1/limits '{"account_id": "bob"}' -X PUT

echo "-- a whole statement, page by page"
CURSOR=''
while
  ask "$URL/v1/entries?account=bob&order=oldest&limit=3$CURSOR" > page.json
  grep -o '"seq":[0-9]*' page.json
  NEXT=$(sed -n 's/.*"cursor":"\([^"]*\)"}$/\1/p' page.json)
  [ -n "$NEXT" ]
do CURSOR="&cursor=$NEXT"; done

echo "-- the supply, its velocity and distribution"
ask "$URL/api/token/supply"

echo "-- seal, take the proof of an entry with you, and check it without the server"
write seal-1 /v1/seals ''
ask --write-out '' "$URL/v1/proofs/entries/$ENTRY" > proof.json
evm-ledger check proof.json

echo "-- listen to the first three changes; then, after a break, go on behind the third"
listen() { exec curl --silent --no-buffer -H "Authorization: Bearer $KEY" "$@" "$URL/v1/changes/stream"; }
: > heard; : > rest
listen > heard & LISTENER=$!
until [ "$(grep -c '^id: ' heard)" -ge 3 ]; do sleep 0.1; done
kill $LISTENER
LAST=$(sed -n 's/^id: //p' heard | sed -n 3p)
listen -H "Last-Event-ID: $LAST" > rest & LISTENER=$!
until [ "$(grep -c '^id: ' rest)" -ge 1 ]; do sleep 0.1; done
kill $LISTENER
types() { sed -n 's/^data: {"type": *"\([a-z_]*\)".*/\1/p' "$1" | head -n "$2"; }
types heard 3
types rest 1

echo "-- a refusal says its rule"
write too-much /v1/entries '{"from_account": "bob", "to_account": "alice", "amount": "99999"}' || echo "exit code $?"
