"""Python and Solidity agree: which bytes are a payload, what it does, and every id and address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.addresses import account_salt, create2_address
from ledger.errors import FieldError
from ledger.hashing import keccak
from ledger.ids import batch_id, next_history
from ledger.model import ZERO_ADDRESS, Address, Batch, Hash32, Record
from ledger.payload import decode_payload, encode_payload
from tests.contracts.chain import Reverted, artifact, from_hex, to_hex
from tests.contracts.test_accounts import factory_on
from tests.contracts.token import HEAD, LEDGER_ID, MAX, ROOT, Token, mint
from tests.core.strategies import addresses, hashes, records
from tests.support.nodes import reset_base_fee

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.nodes import Node

POOL: Final = [Address(bytes(19) + bytes([n])) for n in range(1, 9)]
FUNDS: Final = 2**251
"""What each holder of the pool has: a few of the largest amounts go through, many do not."""

payloads = st.lists(records, min_size=1, max_size=12).map(encode_payload)
places = st.integers(0, 400)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw bytes that are a payload, or nearly."""
    payload = bytearray(draw(payloads))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(places) % (len(payload) + 1)
        how = draw(st.sampled_from(["flip", "set", "insert", "delete", "cut", "repeat", "header"]))
        match how:
            case "flip" if at < len(payload):
                payload[at] ^= 1 << draw(st.integers(0, 7))
            case "set" if at < len(payload):
                payload[at] = draw(st.sampled_from([0, 1, 10, 32, 33, 255]))
            case "insert":
                payload[at:at] = draw(st.binary(min_size=1, max_size=33))
            case "delete":
                del payload[at : at + draw(st.integers(1, 21))]
            case "cut":
                del payload[at:]
            case "repeat":
                payload += payload[at:]
            case _ if len(payload) >= 8:
                payload[draw(st.integers(0, 7))] = draw(st.integers(0, 8))
    return bytes(payload)


def overdraft(balances: Mapping[bytes, int], moved: Sequence[Record]) -> tuple[int, str] | None:
    """Return the first record, and its debit account, that `balances` do not cover: the oracle."""
    held = dict(balances)
    for position, (from_, to, amount) in enumerate(moved):
        if amount > held.get(from_, 0):
            return position, to_hex(from_)
        held[from_] = held.get(from_, 0) - amount
        held[to] = held.get(to, 0) + amount
    return None


@pytest.fixture
def funded(token: Token) -> Token:
    """Return a token on which everybody in the pool has FUNDS."""
    token.replay(*(mint(holder, FUNDS) for holder in POOL))
    return token


BALANCES: Final[dict[bytes, int]] = {
    ZERO_ADDRESS: MAX - len(POOL) * FUNDS,
    **dict.fromkeys(POOL, FUNDS),
}


@given(payload=mutated())
@settings(max_examples=400)
def test_the_contract_reads_what_python_reads(funded: Token, payload: bytes) -> None:
    try:
        funded.try_replay(payload=payload)
        answer = None
    except Reverted as error:
        answer = (error.name, *error.arguments[:2])
    try:
        moved = decode_payload(payload)
    except FieldError:
        # An overdraft may come before what is wrong with the bytes.
        assert answer is not None
        assert answer[0] not in {"unknown", "Panic"}
        return
    short = overdraft(BALANCES, moved)
    assert answer == (None if short is None else ("Overdraft", *short))


@given(batches=st.lists(st.lists(records, min_size=1, max_size=12), min_size=1, max_size=3))
def test_replay_does_what_the_ledger_says(funded: Token, batches: list[list[Record]]) -> None:
    snapshot = funded.node.rpc("evm_snapshot")
    held = dict(BALANCES)
    for moved in batches:
        if overdraft(held, moved) is None:
            for from_, to, amount in moved:
                held[from_] = held.get(from_, 0) - amount
                held[to] = held.get(to, 0) + amount
            _replay_and_compare(funded, moved)
    room = held.pop(ZERO_ADDRESS)
    assert {holder: funded.balance(holder) for holder in held} == held
    assert funded.call("totalSupply") == MAX - room
    funded.node.rpc("evm_revert", snapshot)
    reset_base_fee(funded.node)


def _replay_and_compare(token: Token, moved: Sequence[Record]) -> None:
    """Replay records, and compare the logs and the history with what Python computes."""
    domain, before = token.call("ledgerDomainSeparator"), token.call("history")
    number, seq, prev = (token.call(name) for name in ("batchCount", "lastSeq", "head"))
    *transfers, (_, batch) = token.events(token.replay(*moved))
    words = [(it["from"], it["to"], it["amount"]) for _, it in transfers]
    assert words == [(to_hex(it.from_), to_hex(it.to), it.amount) for it in moved]
    expected = Batch(
        token.call("assetId"),
        number + 1,
        seq + 1,
        seq + len(moved),
        prev,
        Hash32(HEAD),
        Hash32(ROOT),
        Hash32(keccak(encode_payload(moved))),
    )
    assert batch["history"] == token.call("history")
    assert batch["history"] == next_history(before, batch_id(domain, expected))


@given(ledger=hashes, key=hashes, registrar=addresses)
def test_derived_addresses_agree(
    anvil: Node, ledger: bytes, key: bytes, registrar: Address
) -> None:
    factory = factory_on(anvil)
    salt = account_salt(ledger, key, registrar)
    init_code_hash = from_hex(artifact("formats")["initCodeHash"])
    address = create2_address(from_hex(factory.address), salt, init_code_hash)
    assert factory.call("addressOf", ledger, key, registrar) == to_hex(address)


@given(key=hashes, registrar=addresses)
def test_the_token_derives_the_same_addresses(token: Token, key: bytes, registrar: Address) -> None:
    factory = factory_on(token.node)
    ours = token.call("accountOf", key, registrar)
    assert ours == factory.call("addressOf", LEDGER_ID, key, registrar)
