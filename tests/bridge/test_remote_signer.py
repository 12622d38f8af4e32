"""A remote signer is asked and never believed: what it signs is what was asked, or is refused."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
import rlp  # type: ignore[import-untyped]  # it has no types

from bridge.chain import Chain
from bridge.checkpoint import write_checkpoint
from bridge.deploy import deploy
from bridge.errors import CustodyError, SignedOtherwiseError, SignerError
from bridge.keys import PUBLIC_ADDRESSES, TEST_ADDRESS, Signer
from bridge.remote_signer import RemoteSigner
from bridge.replay import replay
from bridge.verify import verify
from ledger.model import Address
from tests.support.rpc_proxy import Dropped
from tests.support.signing import Fields, account, fields_of, raw_of, signs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledger import Ledger
    from tests.conftest import StartNode
    from tests.support.nodes import Node
    from tests.support.rpc_proxy import Forward, Json, RpcProxy

OWNER: Final = account("6b")
OTHER: Final = account("5b")
ADDRESS: Final = Address.parse(OWNER.address)
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

DYNAMIC: Final[Fields] = {
    "chainId": 31_337,
    "nonce": 0,
    "to": str(TEST_ADDRESS),
    "data": "0x00ff",
    "value": 0,
    "gas": 100_000,
    "maxFeePerGas": 3 * 10**9,
    "maxPriorityFeePerGas": 10**9,
    "type": 2,
}
LEGACY: Final[Fields] = {
    "chainId": 31_337,
    "nonce": 7,
    "to": str(TEST_ADDRESS),
    "data": "0x",
    "value": 1,
    "gas": 100_000,
    "gasPrice": 3 * 10**9,
}
KINDS: Final = pytest.mark.parametrize("asked", [DYNAMIC, LEGACY], ids=["dynamic", "legacy"])


def local(asked: Fields) -> bytes:
    return Signer(OWNER).sign(asked).raw


# --- what it signs as asked ---


@KINDS
@pytest.mark.parametrize("answer", [lambda raw: raw, lambda raw: {"raw": raw, "tx": {"nonce": 1}}])
def test_both_shapes_of_answer_are_read(
    rpc_proxy: RpcProxy, asked: Fields, answer: Callable[[str], Any]
) -> None:
    rpc_proxy.behave = signs(OWNER, answer=answer)
    signer = RemoteSigner.connect(rpc_proxy.url)
    signed = signer.sign(asked)
    expected = Signer(OWNER).sign(asked)
    assert (signed.raw, signed.hash, signed.nonce) == (expected.raw, expected.hash, asked["nonce"])
    assert (signer.address, signed.sender) == (ADDRESS, ADDRESS)


def test_anvil_itself_is_a_remote_signer(anvil: Node) -> None:
    signer = RemoteSigner(anvil.url, TEST_ADDRESS)
    for asked in (DYNAMIC, LEGACY):
        assert signer.sign(asked).raw == Signer.for_test_chain().sign(asked).raw
    assert signer.is_public


def test_a_node_that_does_not_sign_says_so(hardhat: Node) -> None:
    with pytest.raises(SignerError, match="eth_signTransaction with error -32004"):
        RemoteSigner(hardhat.url, TEST_ADDRESS).sign(DYNAMIC)


def test_the_whole_way_with_a_remote_signer(
    book: Ledger, any_chain: Chain, rpc_proxy: RpcProxy
) -> None:
    rpc_proxy.behave = signs(OWNER, OTHER)
    signer = RemoteSigner.connect(rpc_proxy.url, ADDRESS)
    any_chain.request("hardhat_setBalance", OWNER.address, hex(10**18))
    deployed = deploy(book, any_chain, signer)
    assert {token.operator for token in deployed.tokens} == {ADDRESS}
    sent = replay(book, any_chain, signer)
    assert sent.entries > 0
    assert verify(book, any_chain).agree
    assert rpc_proxy.calls.count("eth_signTransaction") >= sent.batches + len(deployed.tokens)
    assert set(rpc_proxy.calls) == {"eth_signTransaction"}


# --- what it signs otherwise ---

ALTERED: Final[dict[str, object]] = {
    "chainId": 1,
    "nonce": 8,
    "to": str(PUBLIC_ADDRESSES[1]),
    "data": "0x00fe",
    "value": 2,
    "gas": 100_001,
    "gasPrice": 3 * 10**9 + 1,
    "maxFeePerGas": 3 * 10**9 + 1,
    "maxPriorityFeePerGas": 0,
}


@pytest.mark.parametrize(
    ("asked", "field"),
    [(asked, field) for asked in (DYNAMIC, LEGACY) for field in ALTERED if field in asked],
)
def test_each_field_that_it_alters_is_named(rpc_proxy: RpcProxy, asked: Fields, field: str) -> None:
    rpc_proxy.behave = signs(OWNER, alter=lambda fields: {**fields, field: ALTERED[field]})
    with pytest.raises(SignedOtherwiseError, match=f"something else: {field} is ") as refusal:
        RemoteSigner(rpc_proxy.url, ADDRESS).sign(asked)
    assert refusal.value.field == field


def test_access_that_nobody_asked_for_is_refused(rpc_proxy: RpcProxy) -> None:
    added = [{"address": OTHER.address, "storageKeys": []}]
    rpc_proxy.behave = signs(OWNER, alter=lambda fields: {**fields, "accessList": added})
    with pytest.raises(SignedOtherwiseError, match="accessList is a list"):
        RemoteSigner(rpc_proxy.url, ADDRESS).sign(DYNAMIC)


def test_a_transaction_of_another_type_is_refused(rpc_proxy: RpcProxy) -> None:
    rpc_proxy.behave = signs(OWNER, alter=lambda _: LEGACY)
    with pytest.raises(SignedOtherwiseError, match="type is type 248, asked was type 2"):
        RemoteSigner(rpc_proxy.url, ADDRESS).sign(DYNAMIC)
    rpc_proxy.behave = signs(OWNER, alter=lambda _: DYNAMIC)
    with pytest.raises(SignerError, match="no well-formed transaction"):
        RemoteSigner(rpc_proxy.url, ADDRESS).sign(LEGACY)


def test_an_old_transaction_for_every_chain_is_refused(rpc_proxy: RpcProxy) -> None:
    def without_chain(fields: Fields) -> Fields:
        return {name: value for name, value in fields.items() if name != "chainId"}

    rpc_proxy.behave = signs(OWNER, alter=without_chain)
    with pytest.raises(SignedOtherwiseError, match=r"v is 2[78], asked was 62709 or 62710"):
        RemoteSigner(rpc_proxy.url, ADDRESS).sign(LEGACY)


@KINDS
def test_another_key_is_refused(rpc_proxy: RpcProxy, asked: Fields) -> None:
    def behave(request: Json, forward: Forward) -> Json:
        del forward
        return {"jsonrpc": "2.0", "id": 1, "result": raw_of(OTHER, fields_of(request))}

    rpc_proxy.behave = behave
    with pytest.raises(SignedOtherwiseError, match=f"signature is {OTHER.address}") as refusal:
        RemoteSigner(rpc_proxy.url, ADDRESS).sign(asked)
    assert refusal.value.field == "signature"


def answer_with(found: object, _: str) -> object:
    return found


@KINDS
def test_every_altered_byte_is_refused(rpc_proxy: RpcProxy, asked: Fields) -> None:
    raw = local(asked)
    signer = RemoteSigner(rpc_proxy.url, ADDRESS)
    for position in range(len(raw)):
        altered = "0x" + (raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]).hex()
        rpc_proxy.behave = signs(OWNER, answer=partial(answer_with, altered))
        with pytest.raises(SignerError):
            signer.sign(asked)
    rpc_proxy.behave = signs(OWNER)
    assert signer.sign(asked).raw == raw


def encoded(items: list[Any]) -> str:
    return "0x02" + bytes(rlp.encode(items)).hex()


def test_the_other_form_of_a_signature_is_refused(rpc_proxy: RpcProxy) -> None:
    """Nodes refuse it too (EIP-2); it would have another hash than the one that is saved."""
    items = rlp.decode(local(DYNAMIC)[1:])
    s = ORDER - int.from_bytes(items[-1], "big")
    parity = b"" if items[-3] else b"\x01"
    answer = encoded([*items[:-3], parity, items[-2], s.to_bytes(32, "big")])
    rpc_proxy.behave = signs(OWNER, answer=lambda _: answer)
    with pytest.raises(SignedOtherwiseError, match="signature"):
        RemoteSigner(rpc_proxy.url, ADDRESS).sign(DYNAMIC)


def malformed() -> list[Any]:
    raw = "0x" + local(DYNAMIC).hex()
    items = rlp.decode(local(DYNAMIC)[1:])
    return [
        None,
        "",
        "0x",
        raw[2:],
        raw[:-1],
        raw[:-2],
        raw + "00",
        raw + "zz",
        raw.encode().hex(),
        7,
        [raw],
        {"tx": {}},
        {"raw": None},
        {"raw": [raw]},
        encoded(items[:-1]),
        encoded([*items, b""]),
        encoded([*items[:-1], [items[-1]]]),
        encoded([*items[:-1], b"\x01" * 33]),
        encoded([*items[:-1], b"\x00" + items[-1]]),
        encoded([*items[:-3], b"\x00", *items[-2:]]),
        encoded([*items[:-2], b"", b""]),
        "0x02" + "c0",
        "0x02" + "80",
        "0x02" + "f8" * 2_000,
        "0x02" + "c1" * 2_000,
    ]


@pytest.mark.parametrize("answer", malformed(), ids=lambda answer: repr(answer)[:24])
def test_what_is_no_transaction_is_refused(rpc_proxy: RpcProxy, answer: object) -> None:
    rpc_proxy.behave = signs(OWNER, answer=lambda _: answer)
    with pytest.raises(SignerError):
        RemoteSigner(rpc_proxy.url, ADDRESS).sign(DYNAMIC)


# --- what does not answer ---


def test_a_refusal_is_the_signers_own(rpc_proxy: RpcProxy) -> None:
    error = {"code": -32_000, "message": "the policy forbids it"}
    rpc_proxy.behave = lambda *_: {"jsonrpc": "2.0", "id": 1, "error": error}
    with pytest.raises(SignerError, match="error -32000: the policy forbids it"):
        RemoteSigner(rpc_proxy.url, ADDRESS).sign(DYNAMIC)


def test_no_answer_and_a_late_one(rpc_proxy: RpcProxy) -> None:
    over = threading.Event()

    def drop(*_: object) -> Json:
        raise Dropped

    def wait(*_: object) -> Json:
        over.wait(60)
        raise Dropped

    signer = RemoteSigner(rpc_proxy.url, ADDRESS, timeout=0.2)
    try:
        for behave in (drop, wait):
            rpc_proxy.behave = behave
            with pytest.raises(SignerError, match="does not answer"):
                signer.sign(DYNAMIC)
    finally:
        over.set()
    rpc_proxy.behave = signs(OWNER)
    assert RemoteSigner(rpc_proxy.url, ADDRESS).sign(DYNAMIC).sender == ADDRESS


def test_nobody_there() -> None:
    with pytest.raises(SignerError, match=r"http://127\.0\.0\.1:1: .* does not answer"):
        RemoteSigner.connect("http://127.0.0.1:1")


@pytest.mark.parametrize("url", ["", "/run/signer.sock", "ftp://host", "http://", "http://[::1"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(SignerError, match="must start with http"):
        RemoteSigner(url, ADDRESS)


# --- whose key ---


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([], "has 0 accounts"),
        ([OWNER.address, OTHER.address], "has 2 accounts: say which signs, --signer-address"),
        (["0x12"], "malformed"),
        ("0x12", "malformed"),
        (None, "malformed"),
        ([None], "malformed"),
    ],
)
def test_which_account_signs_must_be_clear(rpc_proxy: RpcProxy, found: object, says: str) -> None:
    rpc_proxy.behave = lambda *_: {"jsonrpc": "2.0", "id": 1, "result": found}
    with pytest.raises(SignerError, match=says):
        RemoteSigner.connect(rpc_proxy.url)


def test_a_public_key_is_refused_wherever_it_is(
    book: Ledger, rpc_proxy: RpcProxy, start_anvil: StartNode
) -> None:
    public = start_anvil("--chain-id", "10")
    signer = RemoteSigner(public.url, TEST_ADDRESS)
    with Chain.connect(public.url) as chain, pytest.raises(CustodyError, match="everybody has"):
        deploy(book, chain, signer, allow_own_registrar=True)
    assert rpc_proxy.calls == []


def test_a_remote_signer_signs_no_checkpoint(
    book: Ledger, rpc_proxy: RpcProxy, tmp_path: Path
) -> None:
    signer: Any = RemoteSigner(rpc_proxy.url, ADDRESS)
    with pytest.raises(SignerError, match="this needs a keystore file"):
        write_checkpoint(book, tmp_path / "checkpoint.json", signer)
    assert not list(tmp_path.glob("checkpoint*"))


def test_what_the_url_hides_is_never_shown(rpc_proxy: RpcProxy) -> None:
    url = rpc_proxy.url.replace("http://", "http://user:s3cret@") + "/k3y?token=t0ken"
    signer = RemoteSigner(url, ADDRESS)
    rpc_proxy.behave = signs(OWNER, answer=lambda _: None)
    with pytest.raises(SignerError) as refusal:
        signer.sign(DYNAMIC)
    said = [repr(signer), str(refusal.value), repr(refusal.value.__cause__)]
    assert not [text for text in said for word in ("s3cret", "k3y", "t0ken") if word in text]
