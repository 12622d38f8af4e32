"""The life of a token: mirror, then live, and every refusal of both phases."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from eth_account.messages import encode_typed_data

from ledger.hashing import keccak
from ledger.ids import batch_id, next_history
from ledger.model import ZERO_ADDRESS, ZERO_HASH, Batch, Hash32, Record
from ledger.payload import encode_payload
from tests.contracts.chain import (
    MAX_GAS,
    ZERO,
    artifact,
    constructor_arguments,
    from_hex,
    refused,
    to_hex,
)
from tests.contracts.people import ALICE, BOB, OPERATOR, REGISTRAR, STRANGER, members, sign
from tests.contracts.token import (
    HEAD,
    KEY,
    LEDGER_ID,
    NAME,
    NEVER,
    ROOT,
    Token,
    address,
    mint,
    new_token,
)
from tests.core.golden import vectors

if TYPE_CHECKING:
    from tests.support.nodes import Node

A, B = address(0xA), address(0xB)
OPERATOR_, ALICE_, BOB_, STRANGER_ = (person.address for person in (OPERATOR, ALICE, BOB, STRANGER))


BALANCE_SLOT_SEED = (0x87A211A2).to_bytes(12, "big")
SUPPLY_SLOT = 0x05345CDF77EB68F44C


def at(value: str) -> str:
    """Return an address as the ABI decoder spells it."""
    return value.lower()


# --- the life of a token, on both nodes ---


def test_life(node_token: Token) -> None:
    token = node_token
    assert token.call("history") == token.call("head") == from_hex(vectors()["head0"])
    before = token.call("history")
    receipt = token.replay(
        mint(from_hex(ALICE_), 10), mint(A, 5), Record(A, ZERO_ADDRESS, 2), Record(A, A, 0)
    )
    *transfers, (name, batch) = token.events(receipt)
    assert [(event, it["from"], it["to"], it["amount"]) for event, it in transfers] == [
        ("Transfer", ZERO, at(ALICE_), 10),
        ("Transfer", ZERO, to_hex(A), 5),
        ("Transfer", to_hex(A), ZERO, 2),
        ("Transfer", to_hex(A), to_hex(A), 0),
    ]
    assert name == "BatchReplayed"
    assert batch == {
        "number": 1,
        "firstSeq": 1,
        "lastSeq": 4,
        "prevHead": before,
        "newHead": HEAD,
        "treeRoot": ROOT,
        "payloadHash": batch["payloadHash"],
        "history": token.call("history"),
    }
    assert (token.call("totalSupply"), token.balance(A), token.balance(ALICE_)) == (13, 3, 10)
    assert (token.call("batchCount"), token.call("lastSeq"), token.call("head")) == (1, 4, HEAD)

    with refused("OnlyLive"):
        token.send("transfer", BOB_, 1, sender=ALICE_)
    assert [name for name, _ in token.events(token.finalize())] == [
        "OperatorTransferred",
        "Finalized",
    ]
    token.send("transfer", BOB_, 4, sender=ALICE_)
    token.send("approve", STRANGER_, 3, sender=ALICE_)
    token.send("transferFrom", ALICE_, BOB_, 3, sender=STRANGER_)
    assert (token.balance(ALICE_), token.balance(BOB_), token.call("totalSupply")) == (3, 7, 13)


def test_history_is_that_of_the_ledger(token: Token) -> None:
    domain = token.call("ledgerDomainSeparator")
    expected, head, seq = token.call("history"), token.call("head"), 0
    for number, count in enumerate([1, 3, 2], start=1):
        records = [mint(A, number * 10**18) for _ in range(count)]
        payload_hash = Hash32(keccak(encode_payload(records)))
        batch = Batch(
            token.call("assetId"),
            number,
            seq + 1,
            seq + count,
            head,
            Hash32(HEAD),
            Hash32(ROOT),
            payload_hash,
        )
        (*_, (_, event)) = token.events(token.replay(*records))
        expected = next_history(expected, batch_id(domain, batch))
        head, seq = Hash32(HEAD), seq + count
        assert event["payloadHash"] == payload_hash
        assert event["history"] == token.call("history") == expected


@pytest.mark.parametrize("entries", [2_000, 4_000])
def test_large_batches_fit_a_transaction(node_token: Token, entries: int) -> None:
    token, chance = node_token, random.Random(entries)
    holders = [address(1_000_000 + number) for number in range(400)]
    token.replay(*(mint(holder, 10**24) for holder in holders))
    records = [
        Record(chance.choice(holders), chance.choice(holders), chance.randrange(1, 10**6) * 10**16)
        for _ in range(entries)
    ]
    expected = dict.fromkeys(holders, 10**24)
    for record in records:
        expected[record.from_] -= record.amount
        expected[record.to] += record.amount
    receipt = token.replay(*records)
    assert int(receipt["gasUsed"], 16) < MAX_GAS
    assert len(receipt["logs"]) == entries + 1
    assert {holder: token.balance(holder) for holder in holders} == expected


def test_constructor_computes_the_ids_of_the_vectors(anvil: Node) -> None:
    asset = vectors()["asset"]
    token = new_token(anvil, symbol=asset["symbol"], name=asset["name"], decimals=asset["decimals"])
    assert to_hex(token.call("assetId")) == asset["id"]
    assert to_hex(token.call("ledgerDomainSeparator")) == vectors()["domainSeparator"]
    assert to_hex(token.call("history")) == vectors()["history"][0]
    assert (token.call("symbol"), token.call("name")) == (asset["symbol"], asset["name"])
    assert token.call("decimals") == asset["decimals"]
    assert token.call("operator") == at(OPERATOR_)
    assert token.call("ledgerId") == LEDGER_ID


def test_replay_computes_the_history_of_the_vectors(token: Token) -> None:
    # The amounts of the vectors' batch are no history that balances: its holders get the money in
    # storage, and BOB all but the unit that he receives before he pays 2**256 - 1.
    batch = vectors()["batch"]
    payload = from_hex(batch["payload"])
    for holder in (from_hex(it["address"]) for it in vectors()["accounts"]):
        _set_balance(token, holder, 2**255)
    _set_balance(token, from_hex(vectors()["accounts"][1]["address"]), 2**256 - 2)
    arguments = (token.call("history"), from_hex(batch["newHead"]), from_hex(batch["treeRoot"]))
    token.send("replay", *arguments, payload, sender=OPERATOR_)
    assert to_hex(token.call("history")) == vectors()["history"][1]
    assert to_hex(token.call("head")) == batch["newHead"]


def _set_balance(token: Token, holder: bytes, amount: int) -> None:
    slot = to_hex(keccak(holder + BALANCE_SLOT_SEED))
    money = to_hex(amount.to_bytes(32, "big"))
    token.node.rpc("anvil_setStorageAt", token.address, slot, money)


@pytest.mark.parametrize("texts", [("", ""), ("é" * 64, "名" * 100), ("X" * 31, "Y" * 32)])
def test_ids_of_any_text(anvil: Node, texts: tuple[str, str]) -> None:
    symbol, name = texts
    token = new_token(anvil, symbol=symbol, name=name, decimals=255)
    types = {"Asset": members("string symbol,string name,uint8 decimals")}
    message = {"symbol": symbol, "name": name, "decimals": 255}
    domain = {"name": "evm-ledger", "version": "1", "salt": LEDGER_ID}
    signable = encode_typed_data(domain, types, message)
    assert token.call("assetId") == signable.body
    assert token.call("ledgerDomainSeparator") == signable.header
    assert (token.call("symbol"), token.call("name")) == texts


def test_the_deployer_has_no_part_in_the_token(anvil: Node) -> None:
    assert new_token(anvil).address == new_token(anvil).address
    assert new_token(anvil, operator=ALICE_).address != new_token(anvil).address


# --- storage, as documented ---


def test_balances_and_supply_lie_where_it_is_documented(token: Token) -> None:
    token.replay(mint(A, 7), mint(B, 5))
    slots = {keccak(A + BALANCE_SLOT_SEED): 7, SUPPLY_SLOT.to_bytes(32, "big"): 12}
    for slot, value in slots.items():
        stored = token.node.rpc("eth_getStorageAt", token.address, to_hex(slot), "latest")
        assert int(stored, 16) == value


# --- mirror phase ---

NOT_LIVE: dict[str, tuple[object, ...]] = {
    "transfer": (BOB_, 0),
    "transferFrom": (ALICE_, BOB_, 0),
    "approve": (BOB_, 1),
    "permit": (ALICE_, BOB_, 1, NEVER, 27, bytes(32), bytes(32)),
    "claim": (KEY, REGISTRAR.address, BOB_, NEVER, b""),
}
NOT_MIRROR: dict[str, tuple[object, ...]] = {
    "replay": (bytes(32), HEAD, ROOT, b""),
    "finalize": (bytes(32), 0),
    "transferOperator": (BOB_,),
    "acceptOperator": (),
}


@pytest.mark.parametrize("name", NOT_LIVE)
def test_only_live(token: Token, name: str) -> None:
    with refused("OnlyLive"):
        token.send(name, *NOT_LIVE[name], sender=ALICE_)


@pytest.mark.parametrize("sender", [OPERATOR_, ALICE_])
@pytest.mark.parametrize("name", NOT_MIRROR)
def test_only_mirror(live_token: Token, name: str, sender: str) -> None:
    with refused("OnlyMirror"):
        live_token.send(name, *NOT_MIRROR[name], sender=sender)


@pytest.mark.parametrize("name", ["replay", "finalize", "transferOperator"])
def test_not_operator(token: Token, name: str) -> None:
    with refused("NotOperator", at(STRANGER_)):
        token.send(name, *NOT_MIRROR[name], sender=STRANGER_)


def test_replay_twice_is_stale(token: Token) -> None:
    start = token.call("history")
    token.replay(mint(A, 1))
    with refused("StaleHistory", token.call("history"), start):
        token.send("replay", start, HEAD, ROOT, encode_payload([mint(A, 1)]), sender=OPERATOR_)
    assert token.call("totalSupply") == 1


def test_replay_of_another_history_is_stale(token: Token) -> None:
    with refused("StaleHistory", token.call("history"), ZERO_HASH):
        token.send("replay", bytes(32), HEAD, ROOT, encode_payload([mint(A, 1)]), sender=OPERATOR_)


def test_constructor_refuses_operator_zero(anvil: Node) -> None:
    # The proxy answers a failed constructor with an empty revert: the constructor is called alone.
    token = new_token(anvil)
    document = artifact("LedgerToken")
    arguments = constructor_arguments(document["abi"], LEDGER_ID, "SCI", NAME, 18, ZERO)
    code = from_hex(document["bytecode"]) + arguments
    with refused("InvalidOperator", ZERO):
        token.request("eth_call", {"data": to_hex(code)}, "latest")


# --- two steps to another operator ---


def test_operator_change(token: Token) -> None:
    started = token.send("transferOperator", ALICE_, sender=OPERATOR_)
    assert token.events(started) == [
        ("OperatorTransferStarted", {"operator": at(OPERATOR_), "pendingOperator": at(ALICE_)})
    ]
    assert token.call("pendingOperator") == at(ALICE_)
    token.replay(mint(A, 1))
    with refused("NotPendingOperator", at(BOB_)):
        token.send("acceptOperator", sender=BOB_)
    accepted = token.send("acceptOperator", sender=ALICE_)
    assert token.events(accepted) == [
        ("OperatorTransferred", {"previousOperator": at(OPERATOR_), "newOperator": at(ALICE_)})
    ]
    assert (token.call("operator"), token.call("pendingOperator")) == (at(ALICE_), ZERO)
    with refused("NotOperator", at(OPERATOR_)):
        token.replay(mint(A, 1))
    token.replay(mint(A, 1), sender=ALICE_)
    with refused("NotPendingOperator", at(ALICE_)):
        token.send("acceptOperator", sender=ALICE_)


def test_operator_change_is_withdrawn(token: Token) -> None:
    token.send("transferOperator", ALICE_, sender=OPERATOR_)
    token.send("transferOperator", ZERO, sender=OPERATOR_)
    with refused("NotPendingOperator", at(ALICE_)):
        token.send("acceptOperator", sender=ALICE_)
    assert token.call("operator") == at(OPERATOR_)


def test_nobody_is_pending_at_first(token: Token) -> None:
    with refused("NotPendingOperator", at(STRANGER_)):
        token.send("acceptOperator", sender=STRANGER_)


# --- finalize ---


def test_finalize_wants_the_history(token: Token) -> None:
    token.replay(mint(A, 1))
    with refused("StaleHistory", token.call("history"), HEAD):
        token.send("finalize", HEAD, 1, sender=OPERATOR_)


@pytest.mark.parametrize("last_seq", [0, 1, 3])
def test_finalize_wants_the_last_seq(token: Token, last_seq: int) -> None:
    token.replay(mint(A, 1), mint(B, 1))
    with refused("WrongLastSeq", 2, last_seq):
        token.send("finalize", token.call("history"), last_seq, sender=OPERATOR_)


def test_finalize_before_a_batch_is_replayed_is_stale(token: Token) -> None:
    start = token.call("history")
    token.replay(mint(A, 1))
    with refused("StaleHistory", token.call("history"), start):
        token.send("finalize", start, 0, sender=OPERATOR_)


def test_finalize_of_an_empty_ledger(token: Token) -> None:
    token.finalize()
    assert token.call("live")


def test_finalize_leaves_no_operator(token: Token) -> None:
    token.send("transferOperator", ALICE_, sender=OPERATOR_)
    receipt = token.finalize()
    assert token.events(receipt) == [
        ("OperatorTransferred", {"previousOperator": at(OPERATOR_), "newOperator": ZERO}),
        ("Finalized", {"history": token.call("history"), "head": token.call("head"), "lastSeq": 0}),
    ]
    assert (token.call("operator"), token.call("pendingOperator")) == (ZERO, ZERO)
    with refused("OnlyMirror"):
        token.send("acceptOperator", sender=ALICE_)


def test_finalize_twice(live_token: Token) -> None:
    with refused("OnlyMirror"):
        live_token.finalize()


# --- live phase ---


def test_transfer(live_token: Token) -> None:
    receipt = live_token.send("transfer", BOB_, 200, sender=ALICE_)
    assert live_token.events(receipt) == [
        ("Transfer", {"from": at(ALICE_), "to": at(BOB_), "amount": 200})
    ]
    with refused("InsufficientBalance"):
        live_token.send("transfer", BOB_, 301, sender=ALICE_)


def test_transfer_from(live_token: Token) -> None:
    live_token.send("approve", BOB_, 10, sender=ALICE_)
    live_token.send("transferFrom", ALICE_, STRANGER_, 4, sender=BOB_)
    assert live_token.call("allowance", ALICE_, BOB_) == 6
    with refused("InsufficientAllowance"):
        live_token.send("transferFrom", ALICE_, STRANGER_, 7, sender=BOB_)


ZERO_PARTIES: dict[str, tuple[str, tuple[object, ...], str]] = {
    "transfer to zero": ("transfer", (ZERO, 1), "ERC20InvalidReceiver"),
    "transfer of nothing to zero": ("transfer", (ZERO, 0), "ERC20InvalidReceiver"),
    "transferFrom to zero": ("transferFrom", (ALICE_, ZERO, 0), "ERC20InvalidReceiver"),
    "transferFrom zero": ("transferFrom", (ZERO, ALICE_, 0), "ERC20InvalidSender"),
}


@pytest.mark.parametrize("case", ZERO_PARTIES)
def test_the_supply_is_fixed_once_live(live_token: Token, case: str) -> None:
    name, arguments, error = ZERO_PARTIES[case]
    with refused(error, ZERO):
        live_token.send(name, *arguments, sender=ALICE_)


def test_permit2_has_no_allowance(live_token: Token) -> None:
    permit2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
    assert live_token.call("allowance", ALICE_, permit2) == 0
    with refused("InsufficientAllowance"):
        live_token.call("transferFrom", ALICE_, BOB_, 1, sender=permit2)


def sign_permit(token: Token, *, nonce: int, deadline: int) -> tuple[int, bytes, bytes]:
    """Return ALICE's permit of 50 for BOB."""
    fields = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"
    message = {"owner": ALICE_, "spender": BOB_, "value": 50, "nonce": nonce, "deadline": deadline}
    raw = sign(ALICE, token.domain(), "Permit", fields, message)
    return raw[64], raw[:32], raw[32:64]


def test_permit(live_token: Token) -> None:
    signature = sign_permit(live_token, nonce=0, deadline=NEVER)
    live_token.send("permit", ALICE_, BOB_, 50, NEVER, *signature, sender=STRANGER_)
    assert live_token.call("allowance", ALICE_, BOB_) == 50
    assert live_token.call("nonces", ALICE_) == 1
    with refused("InvalidPermit"):
        live_token.send("permit", ALICE_, BOB_, 50, NEVER, *signature, sender=STRANGER_)


def test_permit_of_zero_is_nobodys(live_token: Token) -> None:
    with refused("InvalidPermit"):
        live_token.call("permit", ZERO, BOB_, 1, NEVER, 27, bytes(32), bytes(32))


def test_permit_expires(live_token: Token) -> None:
    signature = sign_permit(live_token, nonce=0, deadline=1)
    with refused("PermitExpired"):
        live_token.send("permit", ALICE_, BOB_, 50, 1, *signature, sender=STRANGER_)


def test_domain_separator_is_the_tokens_own(token: Token) -> None:
    typed = encode_typed_data(
        token.domain(), {"Nothing": [{"name": "nothing", "type": "bool"}]}, {"nothing": False}
    )
    assert token.call("DOMAIN_SEPARATOR") == typed.header
