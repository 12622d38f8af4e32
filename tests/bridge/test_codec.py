"""Logs, events and calls, against vectors and against eth-abi's and web3's own words."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bridge.artifacts import artifact, token_artifact
from bridge.codec import (
    BATCH_REPLAYED,
    TRANSFER,
    BatchReplayed,
    Log,
    Place,
    decode_result,
    encode_call,
    quantity,
    transfer_log,
    transfer_record,
)
from bridge.errors import ChainError, ForeignContractError
from ledger.errors import FieldError
from ledger.hashing import keccak
from ledger.model import Address, Hash32, Record
from tests.core.golden import vectors

ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)
HASHES = st.binary(min_size=32, max_size=32).map(Hash32)
UINT64 = st.integers(0, 2**64 - 1)
RECORDS = st.builds(Record, ADDRESSES, ADDRESSES, st.integers(0, 2**256 - 1))
PLACES = st.builds(Place, UINT64, HASHES, UINT64, HASHES, UINT64)
PLACE = Place(1, Hash32(b"\x01" * 32), 2, Hash32(b"\x02" * 32), 3)
TOKEN = Address(b"\x99" * 20)


def test_logs_are_those_of_the_vectors() -> None:
    golden = vectors()
    for entry, log in zip(golden["entries"], golden["logs"], strict=True):
        words = entry["entry"]
        record = Record(
            Address.parse(words["from"]), Address.parse(words["to"]), int(words["amount"])
        )
        found = transfer_log(TOKEN, record, PLACE).to_rpc()
        assert (found["topics"], found["data"]) == (log["topics"], log["data"])


@given(record=RECORDS, place=PLACES, token=ADDRESSES)
def test_a_movement_goes_to_a_log_to_json_and_back(
    record: Record, place: Place, token: Address
) -> None:
    log = transfer_log(token, record, place)
    assert Log.parse(log.to_rpc()) == log
    assert transfer_record(log) == record


@pytest.mark.parametrize(
    "log",
    [
        Log(TOKEN, (TRANSFER, Hash32(bytes(32))), bytes(32), PLACE),
        Log(TOKEN, (TRANSFER, *[Hash32(bytes(32))] * 3), b"", PLACE),
        Log(TOKEN, (TRANSFER, *[Hash32(bytes(32))] * 2), bytes(31), PLACE),
        Log(TOKEN, (TRANSFER, Hash32(b"\x01" * 32), Hash32(bytes(32))), bytes(32), PLACE),
        Log(TOKEN, (TRANSFER, Hash32(bytes(32)), Hash32(b"\x01" * 32)), bytes(32), PLACE),
        Log(TOKEN, (BATCH_REPLAYED, *[Hash32(bytes(32))] * 2), bytes(32), PLACE),
        Log(TOKEN, (), bytes(32), PLACE),
    ],
    ids=["two topics", "ERC-721", "short data", "dirty from", "dirty to", "other event", "none"],
)
def test_what_is_no_erc20_transfer_is_none(log: Log) -> None:
    assert transfer_record(log) is None


@given(numbers=st.tuples(UINT64, UINT64, UINT64), words=st.tuples(*[HASHES] * 5), place=PLACES)
def test_the_event_of_a_batch_is_read(
    numbers: tuple[int, int, int], words: tuple[Hash32, ...], place: Place
) -> None:
    number, first, last = numbers
    data = encode(["uint64", "uint64", *["bytes32"] * 5], [first, last, *words])
    topics = (BATCH_REPLAYED, Hash32(number.to_bytes(32, "big")))
    event = BatchReplayed.parse(Log(TOKEN, topics, data, place))
    assert (event.number, event.first_seq, event.last_seq) == numbers
    assert (
        event.prev_head,
        event.new_head,
        event.tree_root,
        event.payload_hash,
        event.history,
    ) == words
    with pytest.raises(ChainError):
        BatchReplayed.parse(Log(TOKEN, topics, data[:-1], place))
    with pytest.raises(ChainError):
        BatchReplayed.parse(Log(TOKEN, topics[:1], data, place))


def test_signatures_are_those_of_the_compiled_contract() -> None:
    """The words that the bridge speaks by hand are in the ABI that the compiler wrote."""
    known = {
        f"{item['name']}({','.join(argument['type'] for argument in item['inputs'])})"
        for item in artifact("LedgerToken").abi
        if item["type"] in {"function", "event"}
    }
    wanted = {
        "replay(bytes32,bytes32,bytes32,bytes)",
        "balanceOf(address)",
        "Transfer(address,address,uint256)",
        "BatchReplayed(uint64,uint64,uint64,bytes32,bytes32,bytes32,bytes32,bytes32)",
        *(f"{name}()" for name in ("history", "head", "lastSeq", "batchCount", "totalSupply")),
        *(f"{name}()" for name in ("operator", "live", "ledgerId", "assetId")),
        "ledgerDomainSeparator()",
    }
    assert wanted <= known


def test_calls_are_selector_and_arguments() -> None:
    assert encode_call("totalSupply()") == bytes.fromhex("18160ddd")
    call = encode_call("transfer(address,uint256)", TOKEN, 5)
    assert call == bytes.fromhex("a9059cbb") + bytes(12) + TOKEN + bytes(31) + b"\x05"


@pytest.mark.parametrize("data", [b"", bytes(31), b"\x02" + bytes(31)])
def test_an_answer_of_another_shape_is_foreign(data: bytes) -> None:
    with pytest.raises(ForeignContractError):
        decode_result(["bool"], data)


def test_quantities_have_no_leading_zeros() -> None:
    assert [quantity(number) for number in (0, 15, 16, 2**64)] == [
        "0x0", "0xf", "0x10", "0x10000000000000000",
    ]  # fmt: skip


def test_a_contract_that_this_version_lacks_is_refused() -> None:
    with pytest.raises(FieldError, match="no contract 'Coin'"):
        token_artifact("Coin/1")
    with pytest.raises(FieldError, match="LedgerToken/1"):
        token_artifact("LedgerToken/99")
    assert token_artifact("LedgerToken/1").label == "LedgerToken/1"
    assert keccak(artifact("LedgerAccount").bytecode) != bytes(32)
