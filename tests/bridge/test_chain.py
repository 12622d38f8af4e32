"""One node or another: what is asked, what goes wrong, and what the error says then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account

from bridge.chain import Chain
from bridge.codec import TRANSFER, Log, encode_call
from bridge.errors import (
    ChainError,
    KeyFileError,
    NoAnswerError,
    ReorganisedError,
    RpcError,
    TransactionError,
    WrongChainError,
)
from bridge.keys import Signer
from ledger.model import Address, Hash32
from tests.bridge import wallet
from tests.bridge.interference import failure, forward, result, server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.nodes import Node

NOBODY = Address(b"\x77" * 20)


@pytest.mark.parametrize("url", ["", "localhost:8545", "ftp://localhost", "http://", "/geth.ipc"])
def test_a_url_must_be_http(url: str) -> None:
    with pytest.raises(NoAnswerError, match="http://"):
        Chain.connect(url)


def test_nothing_listens() -> None:
    with pytest.raises(NoAnswerError, match=r"http://127\.0\.0\.1:9 does not answer"):
        Chain.connect("http://127.0.0.1:9", timeout=5)


@pytest.mark.parametrize(
    "answer", [b"<html>hello</html>", b"", b"[]", b"{}", b'"0x1"', b'{"result": "0x1", "error": 1}']
)
def test_what_is_no_node_is_said_to_be_none(answer: bytes) -> None:
    with server(lambda _: answer) as url, pytest.raises(NoAnswerError, match="JSON-RPC"):
        Chain.connect(url)


def test_a_chain_id_that_is_no_number_is_refused() -> None:
    with server(lambda asked: result(asked, "one")) as url, pytest.raises(NoAnswerError):
        Chain.connect(url)


def test_a_node_that_hangs_up_is_named_without_its_secrets() -> None:
    with server(lambda _: None) as url:
        secret = url.replace("http://", "http://user:pass@") + "/v3/secret?key=secret"
        with pytest.raises(NoAnswerError) as refusal:
            Chain.connect(secret)
    assert url in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert "pass" not in str(refusal.value)


def test_another_chain_is_refused(anvil: Node) -> None:
    with pytest.raises(WrongChainError, match="serves chain 31337, not 1"):
        Chain.connect(anvil.url, expected_chain_id=1)
    with Chain.connect(anvil.url, expected_chain_id=31337) as chain:
        assert chain.is_local_test


def test_a_revert_carries_its_data(any_chain: Chain, signer: Signer) -> None:
    reverting = bytes.fromhex("63deadbeef6000526004601cfd")  # revert with 0xdeadbeef
    with pytest.raises(RpcError, match="eth_call") as refusal:
        any_chain.call(NOBODY, b"", code=reverting, sender=signer.address)
    assert refusal.value.revert == bytes.fromhex("deadbeef")


def test_a_transaction_sent_twice_is_known(any_chain: Chain, signer: Signer) -> None:
    signed = wallet.transact(any_chain, signer, NOBODY, gas=21_000, value=5)
    first = wallet.send_and_wait(any_chain, signed, "paying")
    assert wallet.send_and_wait(any_chain, signed, "paying again") == first
    assert int(any_chain.request("eth_getBalance", str(NOBODY), "latest"), 16) == 5


def test_a_transaction_that_reverts_is_mined_and_says_so(any_chain: Chain, signer: Signer) -> None:
    # Creation code that deploys ours: copy 2 bytes (revert(0, 0) would need more) and return them.
    any_chain.request("hardhat_setCode", str(NOBODY), "0x60006000fd")
    signed = wallet.transact(any_chain, signer, NOBODY, b"\x01", gas=60_000)
    with pytest.raises(TransactionError, match="mined and failed"):
        wallet.send_and_wait(any_chain, signed, "trying")


def test_the_receipts_of_a_block(any_chain: Chain, signer: Signer) -> None:
    paid = wallet.send_and_wait(
        any_chain, wallet.transact(any_chain, signer, NOBODY, gas=21_000, value=5), "paying"
    )
    [found] = any_chain.block_receipts(paid.block_hash)
    assert (found["transactionHash"], found["status"]) == (str(paid.hash), "0x1")
    assert any_chain.block_receipts(any_chain.block("0x0").hash) == []


def test_a_nonce_that_is_used_is_an_error(any_chain: Chain, signer: Signer) -> None:
    first = wallet.transact(any_chain, signer, NOBODY, gas=21_000, value=5)
    second = wallet.transact(any_chain, signer, NOBODY, gas=21_000, value=6)
    wallet.send_and_wait(any_chain, first, "paying")
    with pytest.raises(RpcError, match=r"(?i)nonce too low"):
        any_chain.send(second)


def test_an_error_on_send_means_unknown(anvil: Node, signer: Signer) -> None:
    """The node takes the transaction and then answers with an error: it is mined all the same."""

    def answer(asked: dict[str, Any]) -> bytes:
        found = forward(anvil.port, asked)
        return failure(asked, "busy") if asked["method"] == "eth_sendRawTransaction" else found

    with server(answer) as url, Chain.connect(url) as chain:
        signed = wallet.transact(chain, signer, NOBODY, gas=21_000, value=5)
        assert wallet.send_and_wait(chain, signed, "paying").succeeded


def test_a_block_that_was_replaced_is_noticed(chain: Chain) -> None:
    chain.request("evm_mine")
    snapshot = chain.request("evm_snapshot")
    chain.request("evm_mine")
    block = chain.block()
    chain.check_canonical(block)
    chain.request("evm_revert", snapshot)
    with pytest.raises(ReorganisedError):
        chain.check_canonical(block)
    chain.request("evm_increaseTime", 100)
    chain.request("evm_mine")
    with pytest.raises(ReorganisedError, match="replaced"):
        chain.check_canonical(block)
    with pytest.raises(ChainError):
        chain.code(NOBODY, block)


def test_a_log_range_that_is_too_large_is_asked_for_in_halves(anvil: Node) -> None:
    spans: list[tuple[int, int]] = []

    def answer(asked: dict[str, Any]) -> bytes:
        if asked["method"] != "eth_getLogs":
            return forward(anvil.port, asked)
        query = asked["params"][0]
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        spans.append((first, last))
        return failure(asked, "too many results") if last - first > 3 else result(asked, [])

    with server(answer) as url, Chain.connect(url) as chain:
        assert list(chain.logs(NOBODY, TRANSFER, 0, 9)) == []
    asked = [
        block for first, last in spans if last - first <= 3 for block in range(first, last + 1)
    ]
    assert asked == list(range(10))


def test_a_log_query_that_fails_for_one_block_fails(anvil: Node) -> None:
    def answer(asked: dict[str, Any]) -> bytes:
        broken = asked["method"] == "eth_getLogs"
        return failure(asked, "no logs here") if broken else forward(anvil.port, asked)

    with (
        server(answer) as url,
        Chain.connect(url) as chain,
        pytest.raises(RpcError, match="no logs here"),
    ):
        list(chain.logs(NOBODY, None, 0, 9))


def test_logs_that_are_malformed_are_refused(anvil: Node) -> None:
    answers: list[object] = [None, "0x", [1], [{}], [{"removed": True}]]

    for found in answers:

        def answer(asked: dict[str, Any], found: object = found) -> bytes:
            broken = asked["method"] == "eth_getLogs"
            return result(asked, found) if broken else forward(anvil.port, asked)

        with server(answer) as url, Chain.connect(url) as chain, pytest.raises(ChainError):
            list(chain.logs(NOBODY, None, 0, 9))


def test_a_log_of_a_real_chain_is_read_and_written_as_it_was() -> None:
    found = {
        "address": "0x" + "c0" * 20,
        "topics": [str(TRANSFER)],
        "data": "0x00ff",
        "blockNumber": "0x10",
        "transactionHash": "0x" + "0a" * 32,
        "transactionIndex": "0x0",
        "blockHash": "0x" + "0b" * 32,
        "logIndex": "0x1f",
        "removed": False,
    }
    assert json.dumps(Log.parse(found).to_rpc()) == json.dumps(found)


def test_a_keystore_file_opens_with_its_password_alone(tmp_path: Path) -> None:
    account = Account.create()
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(account.key, "open sesame", kdf="pbkdf2")))
    signer = Signer.from_keystore(path, "open sesame")
    assert str(signer.address) == account.address
    assert account.key.hex() not in repr(signer)
    with pytest.raises(KeyFileError, match="password"):
        Signer.from_keystore(path, "guess")


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"version": 3}', "0x" + "11" * 32])
def test_a_file_that_is_no_keystore_is_refused_and_not_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(KeyFileError) as refusal:
        Signer.from_keystore(path, "")
    assert "11" * 32 not in str(refusal.value)
    with pytest.raises(KeyFileError, match="cannot be read"):
        Signer.from_keystore(tmp_path / "none", "")


def test_a_contract_with_other_answers_is_no_contract_of_ours(chain: Chain) -> None:
    assert chain.call(NOBODY, encode_call("history()")) == b""
    assert chain.receipt(Hash32(bytes(32))) is None
    assert not chain.knows(Hash32(bytes(32)))
