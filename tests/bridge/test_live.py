"""A token's whole life on both nodes: it mirrors, changes hands, goes live, and is claimed from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from bridge.calls import ask
from bridge.claims import check_claim, own_registrar, send_claim
from bridge.codec import encode_call
from bridge.deploy import deploy
from bridge.errors import AuthorisationError, OperatorError, RevertedError
from bridge.keys import TEST_ADDRESS, Signer
from bridge.live import finalize
from bridge.live_accounts import (
    deploy_account,
    execute,
    message_digest,
    prepare_account,
    read_owner,
)
from bridge.live_operators import accept_operator, read_operator, transfer_operator
from bridge.proof_anchors import check_on_chain
from bridge.proof_checks import check_proof
from bridge.proving import prove_entry
from bridge.replay import replay
from bridge.verify import verify
from ledger import Hash32, Ledger
from ledger.addresses import registrar_key
from tests.bridge.histories import fund, seal_all
from tests.bridge.lives import (
    REGISTRAR,
    WALLET,
    WALLET_KEY,
    balance,
    claim_of,
    go_live,
    holders,
    later,
    send,
    signed,
    token_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.chain import Chain
    from ledger import Address

MAGIC = bytes.fromhex("1626ba7e")


@pytest.fixture
def book(sqlite_url: str) -> Iterator[Ledger]:
    """Return a sealed ledger whose registrar is a key of its own."""
    with holders(sqlite_url) as ledger:
        yield ledger


def agrees(ledger: Ledger, chain: Chain) -> bool:
    return verify(ledger, chain).agree


def test_the_whole_life(book: Ledger, any_chain: Chain, signer: Signer, owner: Signer) -> None:
    for somebody in (owner, WALLET):
        fund(any_chain, somebody)
    deploy(book, any_chain, signer)
    token = token_of(book, any_chain)
    it_mirrors_and_changes_hands(book, any_chain, token, signer, owner)
    it_goes_live(book, any_chain, token, signer, owner)
    who_has_a_key_has_a_plain_erc20(any_chain, token, owner)
    assert agrees(book, any_chain)
    what_has_no_key_is_claimed(book, any_chain, token, signer)
    assert agrees(book, any_chain)
    an_account_gets_its_own_contract(book, any_chain, token, signer, owner)
    assert agrees(book, any_chain)


def it_mirrors_and_changes_hands(
    book: Ledger, chain: Chain, token: Address, signer: Signer, owner: Signer
) -> None:
    replay(book, chain, signer)
    assert agrees(book, chain)
    offered = transfer_operator(book, chain, signer, owner.address)
    assert (offered.operator, offered.pending) == (signer.address, owner.address)
    taken = accept_operator(book, chain, owner)
    assert (taken.operator, taken.pending, taken.token) == (owner.address, None, token)
    book.transfer("bob", "carol", 70)
    seal_all(book)
    with pytest.raises(OperatorError, match=str(owner.address)):
        replay(book, chain, signer)
    assert replay(book, chain, owner).entries == 1
    assert agrees(book, chain)
    with pytest.raises(RevertedError, match="OnlyLive"):
        send(chain, WALLET, token, "transfer(address,uint256)", owner.address, 1)


def it_goes_live(book: Ledger, chain: Chain, token: Address, signer: Signer, owner: Signer) -> None:
    report = finalize(book, chain, owner)
    assert (report.token, report.last_seq, report.was_live) == (token, 5, False)
    assert agrees(book, chain)
    state = read_operator(book, chain)
    assert (state.operator, state.pending) == (None, None)
    assert [it.operator for it in deploy(book, chain, signer).tokens] == [None]
    assert replay(book, chain, owner).entries == 0
    entry = next(book.entries(None, 3))
    proved = check_proof(prove_entry(book, entry.id))
    assert check_on_chain(chain, proved, token).token == token
    again = finalize(book, chain, owner)
    assert (again.was_live, again.transaction, again.history) == (True, None, report.history)


def who_has_a_key_has_a_plain_erc20(chain: Chain, token: Address, owner: Signer) -> None:
    send(chain, WALLET, token, "transfer(address,uint256)", owner.address, 50)
    send(chain, WALLET, token, "approve(address,uint256)", owner.address, 30)
    pull = "transferFrom(address,address,uint256)"
    send(chain, owner, token, pull, WALLET.address, owner.address, 30)
    _permit(chain, token, spender=owner.address, amount=20)
    send(chain, owner, token, pull, WALLET.address, owner.address, 20)
    with pytest.raises(RevertedError, match="refuse"):
        send(chain, owner, token, pull, WALLET.address, owner.address, 1)
    assert [balance(chain, token, it.address) for it in (WALLET, owner)] == [100, 100]


def what_has_no_key_is_claimed(book: Ledger, chain: Chain, token: Address, signer: Signer) -> None:
    claim = signed(claim_of(book, chain, "alice", WALLET.address))
    claimed = send_claim(book, chain, signer, claim)
    assert (claimed.amount, claimed.account) == (800, book.account("alice").address)
    assert balance(chain, token, WALLET.address) == 900
    again = send_claim(book, chain, signer, claim)
    assert (again.was_claimed, again.transaction) == (True, claimed.transaction)
    with pytest.raises(AuthorisationError, match="nonce: is 0, and the account's next is 1"):
        check_claim(chain, claim)


def an_account_gets_its_own_contract(
    book: Ledger, chain: Chain, token: Address, signer: Signer, owner: Signer
) -> None:
    """Its owner moves what it holds and signs for it; claims from it are over, to it are not."""
    deployment = prepare_account(
        book, "carol", owner.address, chain_id=chain.chain_id, deadline=later(chain)
    )
    carol = deploy_account(book, chain, signer, signed(deployment)).account
    assert (carol, read_owner(chain, carol)) == (book.account("carol").address, owner.address)
    with pytest.raises(AuthorisationError, match="is deployed: its owner moves"):
        send_claim(book, chain, signer, signed(claim_of(book, chain, "carol", WALLET.address)))
    moving = encode_call("transfer(address,uint256)", WALLET.address, 40)
    with pytest.raises(RevertedError, match="NotOwner"):
        execute(book, chain, signer, carol, key="1", target=token, data=moving)
    execute(book, chain, owner, carol, key="1", target=token, data=moving)
    assert [balance(chain, token, it) for it in (carol, WALLET.address)] == [60, 940]
    assert _answers(chain, carol, owner)
    assert not _answers(chain, carol, signer)
    send_claim(book, chain, signer, signed(claim_of(book, chain, "bob", carol)))
    assert balance(chain, token, carol) == 60 + 430


def _permit(chain: Chain, token: Address, *, spender: Address, amount: int) -> None:
    """Have WALLET sign an EIP-2612 permit, and somebody else send it."""
    types = {
        "owner": "address",
        "spender": "address",
        "value": "uint256",
        "nonce": "uint256",
        "deadline": "uint256",
    }
    members = [{"name": name, "type": it} for name, it in types.items()]
    domain = {
        "name": "SCI token",
        "version": "1",
        "chainId": chain.chain_id,
        "verifyingContract": str(token),
    }
    values = (str(WALLET.address), str(spender), amount, 0, later(chain))
    message = dict(zip(types, values, strict=True))
    made = WALLET_KEY.sign_message(encode_typed_data(domain, {"Permit": members}, message))
    raw = bytes(made.signature)
    permit = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
    arguments = (WALLET.address, spender, amount, values[-1], raw[64], raw[:32], raw[32:64])
    send(chain, Signer.for_test_chain(), token, permit, *arguments)


def _answers(chain: Chain, account: Address, key: Signer) -> bool:
    """Tell whether an account takes a signature of `key` for its own (ERC-1271)."""
    hash_ = Hash32(b"\x5a" * 32)
    signature = key.sign_digest(message_digest(chain.chain_id, account, hash_))
    asked = "isValidSignature(bytes32,bytes)"
    at = chain.block()
    return bool(ask(chain, account, asked, hash_, signature, answer="bytes4", at=at) == MAGIC)


def test_a_contract_wallet_as_registrar(
    book: Ledger, tmp_path: Path, any_chain: Chain, signer: Signer
) -> None:
    """The wallet is an account of another ledger: its owner signs for it, in its own domain."""
    chain = any_chain
    deploy(book, chain, signer)
    wallet = book.account("bob").address
    made = prepare_account(
        book, "bob", WALLET.address, chain_id=chain.chain_id, deadline=later(chain)
    )
    deploy_account(book, chain, signer, signed(made))

    with holders(f"sqlite:///{tmp_path / 'other.db'}", registrar=wallet) as ledger:
        token = go_live(ledger, chain, signer)
        claim = claim_of(ledger, chain, "alice", WALLET.address)
        with pytest.raises(AuthorisationError, match=r"registrar: is .* and the key is of"):
            signed(claim, WALLET)
        plain = replace(claim, signature=WALLET.sign_digest(claim.digest))
        with pytest.raises(RevertedError, match="InvalidSignature"):
            send_claim(book, chain, signer, plain)
        wrapped = WALLET.sign_digest(message_digest(chain.chain_id, wallet, claim.digest))
        assert send_claim(book, chain, signer, replace(claim, signature=wrapped)).amount == 800
        account = prepare_account(
            ledger, "carol", REGISTRAR.address, chain_id=chain.chain_id, deadline=later(chain)
        )
        wrapped = WALLET.sign_digest(message_digest(chain.chain_id, wallet, account.digest))
        deploy_account(book, chain, signer, replace(account, signature=wrapped))
        assert read_owner(chain, ledger.account("carol").address) == REGISTRAR.address
        assert balance(chain, token, WALLET.address) == 200 + 800
        assert agrees(ledger, chain)


def test_the_ledgers_own_key_is_registrar_unless_another_is(
    sqlite_url: str, any_chain: Chain, signer: Signer
) -> None:
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("SCI", "SCI token")
        ledger.create_account("alice", 7)
        ledger.seal()
        go_live(ledger, any_chain, signer)
        claim = claim_of(ledger, any_chain, "alice", WALLET.address)
        made = signed(claim, own_registrar(ledger, claim))
        assert send_claim(ledger, any_chain, signer, made).amount == 7
        assert Account.from_key(_own_key(ledger)).address == str(claim.registrar)
        assert signer.address == TEST_ADDRESS


def _own_key(ledger: Ledger) -> bytes:
    pepper = ledger.identity.pepper
    assert pepper is not None
    return registrar_key(pepper)
