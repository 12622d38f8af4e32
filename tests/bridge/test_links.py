"""Contract wallets on real nodes: only a clear yes is one, whatever else a contract does."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak as eth_keccak
from hypothesis import given
from hypothesis import strategies as st

from bridge.chain import Chain
from bridge.errors import ChainError, RpcError
from bridge.links import check_contract_link
from ledger import Ledger
from ledger.encoding import ledger_domain, uint_word
from ledger.errors import FieldError, RefusedError, Rule
from ledger.ids import link_digest
from ledger.keys import canonical_signature, signer_of
from ledger.links import MAX_SIGNATURE, Link, LinkScheme, check_link, link_typed_data
from ledger.model import Address, Hash32
from tests.bridge.interference import failure, forward, result, server
from tests.contracts.people import ALICE, STRANGER, malleable
from tests.contracts.test_accounts import factory_on, put_code, sign_message
from tests.core.test_ids import digest as digest_of
from tests.house.test_docs import ROOT, examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eth_account.signers.local import LocalAccount

    from tests.contracts.chain import Contract
    from tests.support.nodes import Node

LEDGER_ID: Final = Hash32(bytes(range(32)))
WALLET: Final = Address(b"\x77" * 20)
"""Where tests put contract code of their own (`put_code`)."""
ECRECOVER: Final = Address((1).to_bytes(20, "big"))


@dataclass
class Wallet:
    """ALICE's wallet, a LedgerAccount, and what she signs with it."""

    contract: Contract
    chain: Chain

    @property
    def address(self) -> Address:
        return Address.parse(self.contract.address)

    def sign(
        self,
        account_id: str = "alice",
        *,
        ledger_id: Hash32 = LEDGER_ID,
        address: Address | None = None,
        chain_id: int | None = None,
        signer: LocalAccount = ALICE,
    ) -> bytes:
        """Sign the link as eth-account hashes it."""
        wanted = self.chain.chain_id if chain_id is None else chain_id
        asked = link_typed_data(ledger_id, account_id, address or self.address, wanted)
        digest = digest_of(encode_typed_data(full_message=asked))
        return sign_message(self.contract, signer, digest)

    def check(self, signature: bytes, account_id: str = "alice") -> Link:
        return check_contract_link(self.chain, LEDGER_ID, account_id, self.address, signature)

    def refuses(self, signature: bytes, account_id: str = "alice") -> None:
        with refused("returned 32 bytes: 0xffffffff0000"):
            self.check(signature, account_id)


@pytest.fixture
def any_wallet(node: Node, any_chain: Chain) -> Wallet:
    """Return a wallet on each kind of node in turn."""
    return Wallet(factory_on(node).account(), any_chain)


@pytest.fixture
def wallet(anvil: Node, chain: Chain) -> Wallet:
    """Return a wallet on Anvil."""
    return Wallet(factory_on(anvil).account(), chain)


@contextmanager
def refused(said: str) -> Iterator[None]:
    """Expect LINK_INVALID, with a message that contains `said`."""
    with pytest.raises(RefusedError) as refusal:
        yield
    assert refusal.value.rule is Rule.LINK_INVALID
    assert said in refusal.value.message


# --- a real wallet ---


def test_a_wallet_confirms_what_its_owner_signed(any_wallet: Wallet) -> None:
    signature = any_wallet.sign()
    link = any_wallet.check(signature)
    assert link == Link(LinkScheme.ERC1271, 31337, signature)
    assert check_link(LEDGER_ID, "alice", any_wallet.address, link) == link


def test_a_wallet_does_not_confirm_what_another_signed(any_wallet: Wallet) -> None:
    any_wallet.refuses(any_wallet.sign(signer=STRANGER))


@pytest.mark.parametrize(
    "change",
    [
        {"ledger_id": Hash32(bytes(32))},
        {"account_id": "bob"},
        {"address": WALLET},
        {"chain_id": 0},
        {"chain_id": 1},
    ],
    ids=lambda change: "other " + next(iter(change)),
)
def test_a_wallet_confirms_one_link(wallet: Wallet, change: dict[str, Any]) -> None:
    wallet.refuses(wallet.sign(**change))


@pytest.mark.parametrize("position", range(65))
def test_an_altered_byte_is_not_confirmed(wallet: Wallet, position: int) -> None:
    altered = bytearray(wallet.sign())
    altered[position] ^= 0x01
    wallet.refuses(bytes(altered))


@pytest.mark.parametrize("cut", [0, 1, 64])
def test_a_short_signature_is_not_confirmed(wallet: Wallet, cut: int) -> None:
    wallet.refuses(wallet.sign()[:cut])


def test_the_other_form_of_a_signature_is_not_confirmed(wallet: Wallet) -> None:
    wallet.refuses(malleable(wallet.sign()))


def test_an_id_is_normalised_before_the_wallet_is_asked(wallet: Wallet) -> None:
    wallet.check(wallet.sign("caf\u00e9"), "cafe\u0301")


def test_the_digest_is_of_the_wallets_chain(wallet: Wallet) -> None:
    digest = link_digest(ledger_domain(LEDGER_ID), "alice", wallet.address, 31337)
    wallet.check(sign_message(wallet.contract, ALICE, digest))


def test_a_wallet_on_another_chain_is_another_wallet(wallet: Wallet) -> None:
    # The same node under another chain id: what was signed for 31337 does not hold there.
    signature = wallet.sign()
    port = wallet.contract.node.port

    def elsewhere(asked: dict[str, Any]) -> bytes:
        return result(asked, "0x1") if asked["method"] == "eth_chainId" else forward(port, asked)

    with server(elsewhere) as url, Chain.connect(url) as chain:
        Wallet(wallet.contract, chain).refuses(signature)


# --- other contracts ---

MAGIC: Final = "1626ba7e".ljust(64, "0")
NO: Final = {
    "reverts": ("60006000fd", "it reverted"),
    "reverts with an error": ("63deadbeef6000526004601cfd", "it reverted"),
    "reverts with the magic": (f"7f{MAGIC}60005260206000fd", "it reverted"),
    "has an invalid opcode": ("fe", "it reverted"),
    "jumps nowhere": ("60ff56", "it reverted"),
    "never ends": ("5b600056", "it reverted"),
    "writes, and says yes": (f"60016000557f{MAGIC}60005260206000f3", "it reverted"),
    "says nothing": ("00", "returned 0 bytes: 0x"),
    "says no": (f"7f{'f' * 8:0<64}60005260206000f3", "returned 32 bytes: 0xffffffff0000"),
    "says zero": ("60206000f3", "returned 32 bytes: 0x00000000"),
    "says true": ("600160005260206000f3", "returned 32 bytes: 0x00000000"),
    "says yes in 4 bytes": (f"7f{MAGIC}60005260046000f3", "returned 4 bytes: 0x1626ba7e"),
    "says yes in 31 bytes": (f"7f{MAGIC}600052601f6000f3", "returned 31 bytes: 0x1626ba7e"),
    "says yes in 33 bytes": (f"7f{MAGIC}60005260216000f3", "returned 33 bytes: 0x1626ba7e"),
    "says yes and more": (f"7f{MAGIC}60005260406000f3", "returned 64 bytes: 0x1626ba7e"),
    "says yes, dirtily": (f"7f{MAGIC[:-1]}160005260206000f3", "returned 32 bytes: 0x1626ba7e"),
    "says yes at the other end": ("631626ba7e60005260206000f3", "returned 32 bytes: 0x0000"),
    "echoes": ("366000600037366000f3", "bytes: 0x1626ba7e"),
    "echoes the first word": ("6020600060003760206000f3", "returned 32 bytes: 0x1626ba7e"),
    "says too much": ("620f42406000f3", "returned 1000000 bytes: 0x0000"),
    "delegates to nothing": ("ef0100" + "99" * 20, "returned 0 bytes: 0x"),
}


@pytest.mark.parametrize("case", NO)
def test_what_is_no_clear_yes_is_no(node: Node, any_chain: Chain, case: str) -> None:
    code, said = NO[case]
    put_code(node, "0x" + code)
    with refused(said):
        check_contract_link(any_chain, LEDGER_ID, "alice", WALLET, b"anything")


@pytest.mark.parametrize("signature", [b"", b"\x01", b"\xff" * MAX_SIGNATURE], ids=len)
def test_a_wallet_may_want_any_signature(node: Node, any_chain: Chain, signature: bytes) -> None:
    put_code(node, f"0x7f{MAGIC}60005260206000f3")
    link = check_contract_link(any_chain, LEDGER_ID, "alice", WALLET, signature)
    assert link == Link(LinkScheme.ERC1271, any_chain.chain_id, signature)


def test_a_wallet_is_asked_in_the_words_of_erc_1271(node: Node, any_chain: Chain) -> None:
    # This one says yes to exactly these bytes.
    signature = b"\xab" * 65
    digest = link_digest(ledger_domain(LEDGER_ID), "alice", WALLET, any_chain.chain_id)
    words = [digest, uint_word(64), uint_word(65), signature.ljust(96, b"\0")]
    asked = bytes.fromhex("1626ba7e") + b"".join(words)
    code = "36600060003736600020"  # keccak(calldata)
    code += f"7f{eth_keccak(asked).hex()}1460305700"  # if it is this one goto 30; stop
    put_code(node, f"0x{code}5b7f{MAGIC}60005260206000f3")
    check_contract_link(any_chain, LEDGER_ID, "alice", WALLET, signature)
    with refused("returned 0 bytes"):
        check_contract_link(any_chain, LEDGER_ID, "bob", WALLET, signature)


def test_an_address_without_code_is_no_wallet(any_chain: Chain) -> None:
    with refused("has no code on chain 31337"):
        check_contract_link(any_chain, LEDGER_ID, "alice", WALLET, b"anything")


@pytest.mark.parametrize(
    ("account_id", "signature", "field"),
    [
        ("", b"", "account_id"),
        ("a\nb", b"", "account_id"),
        ("alice", None, "link"),
        ("alice", "0x00", "link"),
        ("alice", bytes(MAX_SIGNATURE + 1), "link"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    chain: Chain, account_id: str, signature: bytes, field: str
) -> None:
    with pytest.raises(FieldError) as refusal:
        check_contract_link(chain, LEDGER_ID, account_id, WALLET, signature)
    assert refusal.value.field == field


# --- nodes that cannot tell ---


@pytest.mark.parametrize("said", ["0x", "0x01", "0x" + "00" * 95, "0x" + "00" * 97, "0x" + MAGIC])
def test_an_answer_that_is_no_contracts_is_the_nodes(wallet: Wallet, said: str) -> None:
    port = wallet.contract.node.port

    def odd(asked: dict[str, Any]) -> bytes:
        return result(asked, said) if asked["method"] == "eth_call" else forward(port, asked)

    with (
        server(odd) as url,
        Chain.connect(url) as chain,
        pytest.raises(ChainError, match="for 96: try another node"),
    ):
        Wallet(wallet.contract, chain).check(wallet.sign())


def test_a_node_that_fails_is_no_refusal(wallet: Wallet) -> None:
    port = wallet.contract.node.port

    def failing(asked: dict[str, Any]) -> bytes:
        if asked["method"] == "eth_call":
            return failure(asked, "too many requests", -32005)
        return forward(port, asked)

    with server(failing) as url, Chain.connect(url) as chain, pytest.raises(RpcError, match="many"):
        Wallet(wallet.contract, chain).check(wallet.sign())


# --- what the documentation shows ---


def test_the_example_of_a_contract_wallet(
    wallet: Wallet, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ((code, shown),) = examples(ROOT / "docs" / "accounts.md", "tests/bridge/test_links.py")
    with Ledger.create(sqlite_url, ledger_id=LEDGER_ID) as ledger:
        ledger.create_asset("PTS", "Points")
        names = {"rpc_url": wallet.contract.node.url, "ledger": ledger, "address": wallet.address}
        exec(code, names | {"signature": wallet.sign("treasury")})  # noqa: S102 (what the page tells its readers to run)
    assert capsys.readouterr().out == shown


# --- keys, as the chain recovers them ---


@given(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=64, max_size=64),
    st.sampled_from([27, 28]),
)
def test_signers_are_ecrecovers(anvil_process: Node, digest: bytes, pair: bytes, v: int) -> None:
    signature = pair[:32] + bytes([pair[32] & 0x7F]) + pair[33:] + bytes([v])
    data = digest + uint_word(v) + signature[:64]
    call = {"to": str(ECRECOVER), "data": "0x" + data.hex()}
    found = bytes.fromhex(anvil_process.rpc("eth_call", call, "latest")[2:])
    if canonical_signature(signature) is None:  # s between half the order and 2**255
        assert signer_of(Hash32(digest), signature) is None
    else:
        expected = Address(found[12:]) if found else None
        assert signer_of(Hash32(digest), signature) == expected
