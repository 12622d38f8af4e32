"""Receipts make the root in the header of their block, on real chains, and no others do."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import rlp  # type: ignore[import-untyped]  # it has no types

from bridge.deploy import deploy
from bridge.headers import parse_header
from bridge.receipts import encode_receipt, may_hold, receipts_root
from bridge.replay import replay
from bridge.trie import EMPTY_ROOT
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from bridge.chain import Chain
    from bridge.keys import Signer
    from ledger import Ledger

Json = Any

DEPOSIT: Json = {
    "type": "0x7e",
    "status": "0x1",
    "cumulativeGasUsed": "0xb729",
    "logsBloom": "0x" + "00" * 256,
    "logs": [],
    "depositNonce": "0x1d2f5a4",
    "depositReceiptVersion": "0x1",
}
"""The first receipt of a block on a chain of the OP Stack, since its upgrade Canyon."""


def receipts_of(chain: Chain, block: Json) -> list[Json]:
    return [chain.request("eth_getTransactionReceipt", it) for it in block["transactions"]]


def test_receipts_make_the_root_of_every_block(
    book: Ledger, any_chain: Chain, signer: Signer
) -> None:
    deploy(book, any_chain, signer)
    replay(book, any_chain, signer)
    logs = 0
    for number in range(1, any_chain.block().number + 1):
        block = any_chain.request("eth_getBlockByNumber", hex(number), False)  # noqa: FBT003 (JSON-RPC is positional)
        receipts = receipts_of(any_chain, block)
        header = parse_header(block)
        assert receipts_root(receipts) == header.receipts_root
        for log in (log for receipt in receipts for log in receipt["logs"]):
            logs += 1
            assert may_hold(header.logs_bloom, Address.parse(log["address"]))
            assert all(may_hold(header.logs_bloom, Hash32.parse(it)) for it in log["topics"])
        assert not may_hold(header.logs_bloom, b"\x11" * 20)
    assert logs > 20


def test_a_block_of_many_transactions(chain: Chain) -> None:
    """The keys of its trie are of one byte and of two, and some begin with the same nibbles."""
    assert receipts_root([]) == EMPTY_ROOT
    accounts = chain.request("eth_accounts")
    chain.request("evm_setAutomine", False)  # noqa: FBT003 (JSON-RPC is positional)
    for number in range(140):
        send = {"from": accounts[number % 5], "to": accounts[5], "value": "0x1", "gas": "0x5208"}
        chain.request("eth_sendTransaction", send)
    chain.request("evm_mine")
    chain.request("evm_setAutomine", True)  # noqa: FBT003 (JSON-RPC is positional)
    block = chain.request("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 (JSON-RPC is positional)
    receipts = chain.request("eth_getBlockReceipts", block["hash"])
    assert len(receipts) == 140
    assert receipts_root(receipts) == parse_header(block).receipts_root
    for others in (receipts[::-1], receipts[:-1], [*receipts, receipts[-1]]):
        assert receipts_root(others) != parse_header(block).receipts_root


def test_a_receipt_is_encoded_as_others_do() -> None:
    topics = ["0x" + "0a" * 32, "0x" + "0b" * 32]
    log = {"address": "0x" + "0c" * 20, "topics": topics, "data": "0x7f"}
    fields = [
        b"\x01",
        b"\xb7\x29",
        bytes(256),
        [[b"\x0c" * 20, [b"\x0a" * 32, b"\x0b" * 32], b"\x7f"]],
    ]
    receipt = DEPOSIT | {"logs": [log], "type": "0x2"}
    assert encode_receipt(receipt) == b"\x02" + rlp.encode(fields)
    for legacy in (receipt | {"type": "0x0"}, {k: v for k, v in receipt.items() if k != "type"}):
        assert encode_receipt(legacy) == rlp.encode(fields)
    deposit = [b"\x01", b"\xb7\x29", bytes(256), [], bytes.fromhex("01d2f5a4"), b"\x01"]
    assert encode_receipt(DEPOSIT) == b"\x7e" + rlp.encode(deposit)
    before_canyon = {k: v for k, v in DEPOSIT.items() if k != "depositReceiptVersion"}
    assert encode_receipt(before_canyon) == b"\x7e" + rlp.encode(deposit[:4])


@pytest.mark.parametrize("field", ["status", "cumulativeGasUsed", "logsBloom", "logs"])
def test_a_receipt_that_is_malformed_is_refused(field: str) -> None:
    for value in (None, 7, "zz", "-0x1", "0x-1", {"a": "b"}, [None]):
        if (field, value) != ("logs", {}):
            other = copy.deepcopy(DEPOSIT) | {field: value}
            with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
                encode_receipt(other)
    with pytest.raises(KeyError):
        encode_receipt({name: value for name, value in DEPOSIT.items() if name != field})
