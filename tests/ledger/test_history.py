"""One scripted history gives the same ids, heads, roots and seals everywhere (I9).

The expected values are recomputed here the slow way: eth-account's typed data for every id, and a
Merkle tree written down as the RFC says it.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from ledger import Address, Group, Hash32, Kind, Movement, OpenAccount
from ledger.encoding import TYPES
from ledger.model import Record
from ledger.payload import decode_payload, encode_payload
from tests.ledger.support import LEDGER_ID, PEPPER, create

if TYPE_CHECKING:
    from ledger import Asset, Entry, Ledger, Sealed, SealedBatch

CAUSE = Hash32(b"\x09" * 32)
SOMEBODY = "0x" + "5a" * 20


def play(url: str) -> Ledger:
    """Post everything that the formats know, over two assets, and seal in between."""
    ledger = create(url, registrar=Address(b"\x42" * 20))
    ledger.create_asset("SCI", "Science", 18)
    ledger.create_asset("Ω", "Öre", 2, endowment=0)
    for account_id in ("alice", "café", SOMEBODY):
        ledger.create_account(account_id, asset="SCI")
    ledger.mint("alice", 2**256 - 1, asset="Ω", reason="all there can be")
    ledger.transfer(
        "alice", "café", 12 * 10**18,
        asset="SCI", reason="payment", reference_type="task", reference_id="7", memo="für Ω",
        idempotency_key="k1",
    )  # fmt: skip
    ledger.seal()
    swap = Group(
        (
            Movement("alice", SOMEBODY, 5, "Ω", reason="swap"),
            Movement(SOMEBODY, "alice", 10**18, "SCI", reason="swap"),
            Movement("alice", "café", 1, "SCI"),
        ),
        "k2",
    )
    zero = Movement("café", "café", 0, "SCI", kind=Kind.CHAIN, cause=CAUSE)
    ledger.post_many([swap, zero, OpenAccount("late", 3, "SCI", "k3")])
    ledger.post_many(Movement("alice", "café", 1 + n, "SCI", reason=f"r{n % 3}") for n in range(40))
    ledger.burn("café", 10**18, asset="SCI")
    while ledger.seal():
        pass
    ledger.transfer("alice", "café", 1, asset="SCI", memo="after the last seal")
    return ledger


def everything(ledger: Ledger) -> dict[str, Any]:
    """Return all that a ledger says about itself."""
    return {
        "assets": ledger.assets(),
        "accounts": list(ledger.accounts()),
        "entries": {a.symbol: list(ledger.entries(a.symbol)) for a in ledger.assets()},
        "balances": {a.symbol: list(ledger.balances(a.symbol)) for a in ledger.assets()},
        "heads": {a.symbol: ledger.head(a.symbol) for a in ledger.assets()},
        "seals": list(ledger.seals()),
        "audit": ledger.audit(),
    }


def test_both_databases_give_the_same_history(sqlite_url: str, postgres_url: str) -> None:
    with play(sqlite_url) as one, play(postgres_url) as two:
        here, there = everything(one), everything(two)
    assert here["audit"].ok
    assert {symbol: head.seq for symbol, head in here["heads"].items()} == {"SCI": 50, "Ω": 2}
    assert here == there


# --- the slow recomputation ---


def digest(primary: str, message: dict[str, Any]) -> bytes:
    """Return the EIP-712 digest that eth-account makes of `message`."""

    def members(words: str) -> list[dict[str, str]]:
        pairs = (word.split(" ") for word in words.split(","))
        return [{"type": kind, "name": name} for kind, name in pairs]

    signable = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": members("string name,string version,bytes32 salt"),
                primary: members(TYPES[primary].removeprefix(primary).strip("()")),
            },
            "primaryType": primary,
            "domain": {"name": "evm-ledger", "version": "1", "salt": LEDGER_ID},
            "message": message,
        }
    )
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def struct(primary: str, message: dict[str, Any]) -> bytes:
    """Return the hashStruct of `message`: the body of what eth-account would sign."""
    words = TYPES[primary].removeprefix(primary).strip("()")
    pairs = [word.split(" ") for word in words.split(",")]
    return encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [{"type": "string", "name": "name"}],
                primary: [{"type": kind, "name": name} for kind, name in pairs],
            },
            "primaryType": primary,
            "domain": {"name": ""},
            "message": message,
        }
    ).body


def slow_root(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 9162 section 2.1.1 defines it, recursively."""
    if len(leaves) == 1:
        return keccak(b"\x00" + leaves[0])
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return keccak(b"\x01" + slow_root(leaves[:half]) + slow_root(leaves[half:]))


def slow_id(asset: Asset, entry: Entry) -> bytes:
    blind = keccak(PEPPER + b"entry\x00" + asset.id + entry.seq.to_bytes(8, "big"))
    metadata = {
        "reason": entry.reason,
        "referenceType": entry.reference_type,
        "referenceId": entry.reference_id,
        "memo": entry.memo,
        "idempotencyKey": entry.idempotency_key,
        "group": bytes(entry.group),
        "kind": str(entry.kind),
        "cause": bytes(entry.cause),
        "blind": blind,
    }
    message = {
        "asset": bytes(asset.id),
        "seq": entry.seq,
        "from": str(entry.from_address),
        "to": str(entry.to_address),
        "amount": entry.amount,
        "timestamp": entry.timestamp,
        "ref": struct("Metadata", metadata),
    }
    return digest("Entry", message)


def test_ids_heads_and_groups_are_what_eth_account_says(sqlite_url: str) -> None:
    with play(sqlite_url) as ledger:
        grouped: list[tuple[bytes, bytes, int]] = []
        for asset in ledger.assets():
            terms = {"symbol": asset.symbol, "name": asset.name, "decimals": asset.decimals}
            assert asset.id == struct("Asset", terms)
            domain = bytes(ledger.identity.domain)
            head = keccak(domain + asset.id)
            for entry in ledger.entries(asset.symbol):
                assert entry.id == slow_id(asset, entry)
                head = keccak(head + entry.id)
                assert entry.head == head
                if any(entry.group):
                    grouped.append((entry.group, asset.id, entry.seq))
            assert ledger.head(asset.symbol).head == head
        assert len(grouped) == 3
        for group, members in groupby(sorted(grouped), key=lambda member: member[0]):
            parts = sorted(member[1:] for member in members)
            lowest = {"asset": parts[0][0], "seq": parts[0][1], "count": len(parts)}
            assert digest("Group", lowest) == group


def test_batches_and_seals_are_what_eth_account_says(database_url: str) -> None:
    with play(database_url) as ledger:
        entries = {a.symbol: list(ledger.entries(a.symbol)) for a in ledger.assets()}
        previous = bytes(32)
        sealed = list(ledger.seals())
        assert len(sealed) == 2
        for number, seal in enumerate(sealed, 1):
            for batch in seal.batches:
                _check_batch(batch, entries[batch.symbol])
            message = {
                "number": number,
                "prevSeal": previous,
                "timestamp": seal.seal.timestamp,
                "batches": sorted_ids(seal),
            }
            previous = digest("Seal", message)
            assert seal.id == previous


def sorted_ids(seal: Sealed) -> list[bytes]:
    """Return the batch ids ascending by asset id."""
    return [bytes(b.id) for b in sorted(seal.batches, key=lambda b: bytes(b.batch.asset))]


def _check_batch(stored: SealedBatch, entries: list[Entry]) -> None:
    batch = stored.batch
    taken = entries[batch.first_seq - 1 : batch.last_seq]
    records = tuple(Record(e.from_address, e.to_address, e.amount) for e in taken)
    payload = encode_payload(records)
    assert decode_payload(payload) == records
    assert batch.payload_hash == keccak(payload)
    assert batch.tree_root == slow_root([bytes(e.id) for e in entries[: batch.last_seq]])
    assert batch.new_head == taken[-1].head
    message = {
        "asset": bytes(batch.asset),
        "number": batch.number,
        "firstSeq": batch.first_seq,
        "lastSeq": batch.last_seq,
        "prevHead": bytes(batch.prev_head),
        "newHead": bytes(batch.new_head),
        "treeRoot": bytes(batch.tree_root),
        "payloadHash": bytes(batch.payload_hash),
    }
    assert stored.id == digest("Batch", message)
