"""Who may replay: a key that everybody has rehearses on local test chains, and nothing else."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from eth_account import Account

from bridge.artifacts import token_address
from bridge.chain import Chain
from bridge.deploy import deploy
from bridge.errors import ChainError, CustodyError, NoContractError, OperatorError
from bridge.expected import read_expected
from bridge.keys import PUBLIC_ADDRESSES, TEST_ADDRESS, Signer
from bridge.live_operators import accept_operator, transfer_operator
from bridge.outbox import Outbox
from bridge.replay import replay
from bridge.tokens import on_chain, read_token
from bridge.verify import verify
from ledger import Address, Ledger
from tests.bridge.histories import fund, small_ledger
from tests.bridge.killed import STEPS
from tests.bridge.outcomes import QUICK
from tests.bridge.test_sending import unmined
from tests.bridge.test_survives import SEND, waited
from tests.ledger.support import unchanged
from tests.support.rpc_proxy import honest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bridge.killed import Executioner
    from tests.conftest import StartNode
    from tests.support.rpc_proxy import Forward, Json, RpcProxy

REGISTRAR = Address(b"\x42" * 20)
MNEMONIC = "test test test test test test test test test test test junk"


@pytest.fixture
def public(start_anvil: StartNode, owner: Signer) -> Iterator[Chain]:
    """Return a chain that may be worth something, as far as anybody can tell."""
    with Chain.connect(start_anvil("--chain-id", "10").url) as connection:
        fund(connection, owner)
        yield connection


@pytest.fixture
def cold(sqlite_url: str) -> Iterator[Ledger]:
    """Return a sealed ledger whose registrar's key is elsewhere, as a public chain wants it."""
    with Ledger.create(sqlite_url, registrar=REGISTRAR) as ledger:
        ledger.create_asset("SCI", "SCI token")
        ledger.create_asset("NEW", "No entries yet")
        ledger.create_account("alice", asset="SCI")
        ledger.seal()
        yield ledger


def operators(ledger: Ledger) -> list[Address | None]:
    return [asset.operator for asset in ledger.assets()]


def test_the_public_addresses_are_those_that_the_nodes_fund(chain: Chain) -> None:
    Account.enable_unaudited_hdwallet_features()
    path = "m/44'/60'/0'/0/{}".format
    found = [Account.from_mnemonic(MNEMONIC, account_path=path(n)).address for n in range(20)]
    assert list(map(str, PUBLIC_ADDRESSES)) == found
    known = {account.lower() for account in chain.request("eth_accounts")}
    assert {it.lower() for it in found[:10]} <= known  # and whom an earlier test has impersonated
    assert Signer.for_test_chain().address == TEST_ADDRESS
    assert Signer.for_test_chain().is_public


def test_a_rehearsal_does_not_touch_the_assets(
    database_url: str, any_chain: Chain, signer: Signer
) -> None:
    """The public test key stands in, everywhere alike, and is stored nowhere."""
    with small_ledger(database_url) as ledger:
        report = deploy(ledger, any_chain, signer)
        assert [(it.operator, it.stands_in) for it in report.tokens] == [(TEST_ADDRESS, True)] * 2
        assert replay(ledger, any_chain, signer).entries == 20
        assert verify(ledger, any_chain).agree
        heads = read_expected(ledger, [any_chain.name], None).heads
        assert ledger.audit(heads).ok
        assert {symbol: seq for symbol, (seq, _) in heads.items()} == {"SCI": 15, "GOLD": 5}
        assert operators(ledger) == [None, None]


def test_a_rehearsal_and_then_the_real_thing(
    cold: Ledger, chain: Chain, public: Chain, signer: Signer, owner: Signer
) -> None:
    rehearsed = deploy(cold, chain, signer)
    replay(cold, chain, signer)
    assert verify(cold, chain).agree

    real = deploy(cold, public, owner)
    assert operators(cold) == [owner.address] * 2
    assert [(it.operator, it.stands_in) for it in real.tokens] == [(owner.address, False)] * 2
    assert {it.address for it in real.tokens}.isdisjoint(it.address for it in rehearsed.tokens)
    for asset in cold.assets():
        assert read_token(public, cold.identity, asset, public.block()).operator == owner.address
    assert replay(cold, public, owner).entries == 1
    assert verify(cold, public).agree

    # The operator is part of a token's address: the rehearsal's token is another, and that is said.
    for step in (lambda: verify(cold, chain), lambda: replay(cold, chain, owner)):
        with pytest.raises(NoContractError, match=f"{rehearsed.tokens[0].address} is a rehearsal"):
            step()
    fund(chain, owner)
    assert [it.address for it in deploy(cold, chain, owner).tokens] == [
        it.address for it in real.tokens
    ]
    assert replay(cold, chain, owner).entries == 1
    assert verify(cold, chain).agree


def test_a_rehearsal_is_not_replayed_to_with_another_key(
    book: Ledger, chain: Chain, signer: Signer, owner: Signer
) -> None:
    deploy(book, chain, signer)
    with pytest.raises(OperatorError, match=r"public test key.*chain deploy"):
        replay(book, chain, owner)
    fund(chain, owner)
    deploy(book, chain, owner)
    assert replay(book, chain, owner).entries == 20


@pytest.mark.parametrize("key", [0, 1, 19])
def test_a_public_key_can_do_nothing_on_another_chain(
    cold: Ledger, sqlite_url: str, public: Chain, owner: Signer, *, key: int
) -> None:
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{key}"
    everybodys = Signer(Account.from_mnemonic(MNEMONIC, account_path=path))
    assert everybodys.address == PUBLIC_ADDRESSES[key]
    fund(public, everybodys)

    def refused(signer: Signer, says: str) -> None:
        block = public.block()
        with unchanged(sqlite_url):
            with pytest.raises(CustodyError, match=says):
                deploy(cold, public, signer, allow_own_registrar=True)
            with pytest.raises(CustodyError, match=says):
                replay(cold, public, signer)
        assert public.block() == block

    refused(everybodys, "sign with a key of your own")
    deploy(cold, public, owner)
    refused(everybodys, "sign with a key of your own")
    replay(cold, public, owner)
    cold.create_asset("BAD", "Bad", operator=everybodys.address)
    cold.mint("alice", 1, asset="BAD")
    cold.seal()
    refused(owner, "BAD: everybody has the key of its operator")
    refused(everybodys, "sign with a key of your own")


@pytest.mark.parametrize("key", [1, 19])
def test_a_public_key_is_not_stored_from_a_keystore_either(
    book: Ledger, chain: Chain, signer: Signer, *, key: int
) -> None:
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{key}"
    other = Signer(Account.from_mnemonic(MNEMONIC, account_path=path))
    fund(chain, other)
    report = deploy(book, chain, other)
    assert {(it.operator, it.stands_in) for it in report.tokens} == {(TEST_ADDRESS, True)}
    assert operators(book) == [None, None]
    assert replay(book, chain, signer).entries == 20


def test_an_operator_is_stored_once_its_token_is_there(
    book: Ledger, chain: Chain, owner: Signer
) -> None:
    """Whose deployment fails is nobody's operator: here there is nothing to pay the gas with."""
    with pytest.raises(ChainError):
        deploy(book, chain, owner)
    assert operators(book) == [None, None]
    fund(chain, owner)
    deploy(book, chain, owner)
    assert operators(book) == [owner.address] * 2


def test_nobody_stands_in_on_another_chain(book: Ledger, chain: Chain, public: Chain) -> None:
    asset = book.asset("SCI")
    assert on_chain(chain, asset).operator == TEST_ADDRESS
    assert on_chain(public, asset) is asset
    with pytest.raises(NoContractError, match="has no operator"):
        verify(book, public)


def test_a_registrar_that_everybody_has_stays_off_other_chains(
    sqlite_url: str, chain: Chain, public: Chain, signer: Signer, owner: Signer
) -> None:
    with Ledger.create(sqlite_url, registrar=PUBLIC_ADDRESSES[1]) as ledger:
        ledger.create_asset("SCI", "SCI token")
        ledger.create_account("alice")
        deploy(ledger, chain, signer)
        with unchanged(sqlite_url), pytest.raises(CustodyError, match=r"alice .* --registrar"):
            deploy(ledger, public, owner, allow_own_registrar=True)


def test_what_lies_at_a_tokens_own_address_is_not_stranded(
    sqlite_url: str, chain: Chain, signer: Signer
) -> None:
    with Ledger.create(sqlite_url) as ledger:
        asset = ledger.create_asset("SCI", "SCI token", 0)
        owned = on_chain(chain, asset)
        token = str(token_address(ledger.identity.ledger_id, owned)).lower()
        ledger.create_account("alice")
        ledger.create_account(token, 0)
        ledger.transfer("alice", token, 5)
        with unchanged(sqlite_url), pytest.raises(CustodyError, match="holds 5 SCI"):
            deploy(ledger, chain, signer)
        ledger.transfer(token, "alice", 5)
        assert [one.name for one in deploy(ledger, chain, signer).tokens] == ["SCI"]


# --- it changes hands ---

WRONG, RIGHT = Address(b"\xbb" * 20), Address(b"\xcc" * 20)


@pytest.fixture
def mirrored(sqlite_url: str) -> Iterator[Ledger]:
    """Return a ledger of one asset; its token is yet to be deployed."""
    with Ledger.create(sqlite_url, registrar=REGISTRAR) as ledger:
        ledger.create_asset("SCI", "SCI token")
        yield ledger


def offers(ledger: Ledger, chain: Chain, to: Address) -> list[str]:
    """Return what the outbox says of the offers to `to`."""
    return [
        it.status
        for it in Outbox(ledger, chain.chain_id).attempts(purpose="operator")
        if it.signed.raw.find(bytes(to)) >= 0
    ]


@pytest.mark.parametrize("to", [RIGHT, None])
def test_an_offer_that_was_stored_and_never_sent_is_never_sent(
    *,
    mirrored: Ledger,
    sqlite_url: str,
    hostile: RpcProxy,
    signer: Signer,
    executioner: Executioner,
    to: Address | None,
) -> None:
    """Not for a moment could the wrong one take it: the right offer has its nonce."""
    sent: list[str] = []

    def listens(request: Json, forward: Forward) -> Json:
        if request["method"] == SEND:
            sent.append(request["params"][0])
        return forward(request)

    with Chain.connect(hostile.url) as chain:
        deploy(mirrored, chain, signer)
        for offered in (WRONG, RIGHT):  # the second time, what is right is offered already
            if offered == RIGHT:
                transfer_operator(mirrored, chain, signer, to)
            nonce = chain.next_nonce(signer.address)
            step = executioner.run(
                sqlite_url, chain.name, "stored", 1, what="offer", file=str(WRONG)
            )
            assert (step, chain.next_nonce(signer.address)) == (-signal.SIGKILL, nonce)
            hostile.behave = listens
            said: list[str] = []
            for was_done in (False, True):
                state = transfer_operator(mirrored, chain, signer, to, say=said.append)
                assert (state.pending, state.was_done) == (to, was_done)
                assert chain.next_nonce(signer.address) == nonce + 1
            assert ["is given up" in it for it in said] == [True]
            assert not [it for it in sent if str(WRONG)[2:].lower() in it]
            assert set(offers(mirrored, chain, WRONG)) == {"replaced"}
            hostile.behave = honest


def test_an_offer_that_waits_is_replaced_by_another(
    mirrored: Ledger, sqlite_url: str, any_chain: Chain, signer: Signer, executioner: Executioner
) -> None:
    deploy(mirrored, any_chain, signer)
    nonce = any_chain.next_nonce(signer.address)
    with ThreadPoolExecutor(1) as pool:
        with unmined(any_chain):
            words = {"what": "offer", "file": str(WRONG)}
            assert executioner.run(sqlite_url, any_chain.name, "noted", 1, **words) < 0
            going = pool.submit(
                transfer_operator, mirrored, any_chain, signer, RIGHT, patience=QUICK
            )
            waited(lambda: going.done() or offers(mirrored, any_chain, RIGHT) == ["sent"])
        assert going.result().pending == RIGHT
    assert offers(mirrored, any_chain, WRONG) == ["replaced"]
    assert any_chain.next_nonce(signer.address) == nonce + 1


@pytest.mark.parametrize("what", ["offer", "accept"])
def test_a_change_that_was_cut_short_is_run_again(
    *,
    mirrored: Ledger,
    sqlite_url: str,
    chain: Chain,
    signer: Signer,
    owner: Signer,
    executioner: Executioner,
    what: str,
) -> None:
    """Killed at each step, and run twice: one transaction, and how things stand."""
    fund(chain, owner)
    deploy(mirrored, chain, owner)
    if what == "offer":
        transfer_operator(mirrored, chain, owner, signer.address)
        accept_operator(mirrored, chain, signer)
    for number, step in enumerate(STEPS, 1):
        to = Address(bytes([number]) * 20)
        if what == "accept":
            transfer_operator(mirrored, chain, owner, signer.address)
        nonce = chain.next_nonce(signer.address)
        ended = executioner.run(sqlite_url, chain.name, step, 1, what=what, file=str(to))
        assert ended == -signal.SIGKILL, step
        for again in (False, True):
            state = (
                transfer_operator(mirrored, chain, signer, to)
                if what == "offer"
                else accept_operator(mirrored, chain, signer)
            )
            assert state.operator == signer.address, step
            assert state.pending == (to if what == "offer" else None), step
            assert state.was_done == (again or step != "signed"), step
            assert chain.next_nonce(signer.address) == nonce + 1, step
        if what == "accept":
            transfer_operator(mirrored, chain, signer, owner.address)
            accept_operator(mirrored, chain, owner)
