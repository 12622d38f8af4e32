"""Claims: a registrar moves the balance of its derived address to one wallet, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ledger.ids import claim_digest, claim_domain
from tests.contracts.chain import ZERO, Contract, from_hex, refused, to_hex
from tests.contracts.people import ALICE, BOB, REGISTRAR, STRANGER, sign
from tests.contracts.test_accounts import (
    ANSWERS,
    BENT,
    REVERTS,
    WALLET,
    bent,
    factory_on,
    put_code,
    sign_message,
)
from tests.contracts.token import CLAIM, KEY, NEVER, Token, derived, mint
from tests.core.golden import vectors

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

REGISTRAR_ = REGISTRAR.address.lower()


def claim(
    token: Token,
    signature: bytes,
    *,
    key: bytes = KEY,
    registrar: str = REGISTRAR.address,
    wallet: str = BOB.address,
    deadline: int = NEVER,
) -> dict[str, Any]:
    """Send a claim of KEY's account, which anybody may."""
    arguments = (key, registrar, wallet, deadline, signature)
    return token.send("claim", *arguments, sender=STRANGER.address)


def test_claim(live_token: Token) -> None:
    receipt = claim(live_token, live_token.sign_claim(REGISTRAR, BOB.address))
    account, wallet = to_hex(derived()), BOB.address.lower()
    assert live_token.events(receipt) == [
        ("Transfer", {"from": account, "to": wallet, "amount": 1000}),
        (
            "Claimed",
            {
                "account": account,
                "registrar": REGISTRAR_,
                "wallet": wallet,
                "key": KEY,
                "amount": 1000,
            },
        ),
    ]
    assert (live_token.balance(account), live_token.balance(wallet)) == (0, 1000)
    assert live_token.call("claimNonces", account) == 1


def test_claim_returns_the_amount(live_token: Token) -> None:
    signature = live_token.sign_claim(REGISTRAR, BOB.address)
    assert live_token.call("claim", KEY, REGISTRAR.address, BOB.address, NEVER, signature) == 1000


def test_claim_digest_is_that_of_the_ledger(live_token: Token) -> None:
    chain_id = live_token.domain()["chainId"]
    domain = claim_domain(live_token.call("name"), chain_id, from_hex(live_token.address))
    wallet = from_hex(BOB.address)
    for nonce in (0, 1):
        digest = live_token.call("claimDigest", KEY, REGISTRAR.address, BOB.address, 99)
        assert digest == claim_digest(domain, KEY, wallet, nonce, 99)
        signed = bytes(REGISTRAR.unsafe_sign_hash(digest).signature)
        assert signed == live_token.sign_claim(REGISTRAR, BOB.address, nonce=nonce, deadline=99)
        if nonce == 0:
            claim(live_token, live_token.sign_claim(REGISTRAR, BOB.address))


def test_claim_digest_of_the_vectors(token: Token) -> None:
    # The vectors name a contract that is not there: the token's code is put at its address.
    vector = vectors()["claim"]
    there = vector["domain"]["verifyingContract"]
    code = token.node.rpc("eth_getCode", token.address, "latest")
    token.node.rpc("hardhat_setCode", there, code)
    copy = Contract(token.node, there, token.abi)
    arguments = (from_hex(vector["key"]), REGISTRAR.address, vector["wallet"], vector["deadline"])
    assert to_hex(copy.call("claimDigest", *arguments)) == vector["digest"]


def test_claim_is_for_one_nonce(live_token: Token) -> None:
    first = live_token.sign_claim(REGISTRAR, BOB.address)
    claim(live_token, first)
    live_token.send("transfer", to_hex(derived()), 5, sender=ALICE.address)
    with refused("InvalidSignature", REGISTRAR_):
        claim(live_token, first)
    claim(live_token, live_token.sign_claim(REGISTRAR, BOB.address, nonce=1))
    assert live_token.balance(BOB.address) == 1005


def test_claim_of_a_later_nonce(live_token: Token) -> None:
    with refused("InvalidSignature", REGISTRAR_):
        claim(live_token, live_token.sign_claim(REGISTRAR, BOB.address, nonce=1))


def test_claim_holds_until_its_deadline(live_token: Token) -> None:
    node = live_token.node
    now = int(node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)  # noqa: FBT003 (JSON-RPC)
    late = live_token.sign_claim(REGISTRAR, BOB.address, deadline=now - 1)
    with refused("ClaimExpired", now - 1):
        claim(live_token, late, deadline=now - 1)
    in_time = live_token.sign_claim(REGISTRAR, BOB.address, deadline=now + 100)
    node.rpc("evm_setNextBlockTimestamp", now + 100)
    claim(live_token, in_time, deadline=now + 100)


@pytest.mark.parametrize("signer", [ALICE, BOB, STRANGER])
def test_claim_by_another_key(live_token: Token, signer: LocalAccount) -> None:
    with refused("InvalidSignature", REGISTRAR_):
        claim(live_token, live_token.sign_claim(signer, BOB.address))


def test_claim_by_another_registrar_is_of_another_address(live_token: Token) -> None:
    signature = live_token.sign_claim(STRANGER, BOB.address)
    with refused("NothingToClaim", to_hex(derived(registrar=STRANGER.address))):
        claim(live_token, signature, registrar=STRANGER.address)


CHANGED: dict[str, dict[str, Any]] = {
    "to another wallet": {"wallet": STRANGER.address},
    "of another deadline": {"deadline": NEVER - 1},
}


@pytest.mark.parametrize("case", CHANGED)
def test_claim_that_was_not_signed(live_token: Token, case: str) -> None:
    signature = live_token.sign_claim(REGISTRAR, BOB.address)
    with refused("InvalidSignature", REGISTRAR_):
        claim(live_token, signature, **CHANGED[case])


def test_claim_of_another_key(token: Token) -> None:
    other = bytes(32)
    token.replay(mint(derived(), 1), mint(derived(other), 1))
    token.finalize()
    with refused("InvalidSignature", REGISTRAR_):
        claim(token, token.sign_claim(REGISTRAR, BOB.address), key=other)


@pytest.mark.parametrize(
    "change",
    [{"chainId": 1}, {"verifyingContract": WALLET}, {"name": "SCI"}, {"version": "2"}],
    ids=str,
)  # fmt: skip
def test_claim_is_for_one_token_on_one_chain(live_token: Token, change: dict[str, object]) -> None:
    message = {"key": KEY, "wallet": BOB.address, "nonce": 0, "deadline": NEVER}
    signature = sign(REGISTRAR, live_token.domain() | change, "Claim", CLAIM, message)
    with refused("InvalidSignature", REGISTRAR_):
        claim(live_token, signature)


@pytest.mark.parametrize("case", BENT)
def test_claim_with_a_bent_signature(live_token: Token, case: str) -> None:
    signature = bent(live_token.sign_claim(REGISTRAR, BOB.address))[case]
    with refused("InvalidSignature", REGISTRAR_):
        claim(live_token, signature)


def test_claim_refuses_registrar_zero_before_any_signature(token: Token) -> None:
    # What ecrecover answers for nonsense is zero; the account of (KEY, zero) holds tokens here.
    token.replay(mint(derived(registrar=ZERO), 1))
    token.finalize()
    for signature in (b"", bytes(65), bytes(64) + b"\x1b"):
        with refused("InvalidRegistrar", ZERO):
            claim(token, signature, registrar=ZERO)


def test_claim_refuses_wallet_zero(live_token: Token) -> None:
    with refused("InvalidWallet", ZERO):
        claim(live_token, live_token.sign_claim(REGISTRAR, ZERO), wallet=ZERO)


def test_claim_of_nothing(live_token: Token) -> None:
    claim(live_token, live_token.sign_claim(REGISTRAR, BOB.address))
    with refused("NothingToClaim", to_hex(derived())):
        claim(live_token, live_token.sign_claim(REGISTRAR, BOB.address, nonce=1))


def test_claim_of_a_deployed_account(live_token: Token) -> None:
    factory_on(live_token.node).account()
    with refused("AccountDeployed", to_hex(derived())):
        claim(live_token, live_token.sign_claim(REGISTRAR, BOB.address))


@pytest.mark.parametrize("case", ANSWERS)
def test_claim_by_a_registrar_that_is_a_contract(token: Token, case: str) -> None:
    code, answer = ANSWERS[case]
    wallet = put_code(token.node, code)
    token.replay(mint(derived(registrar=wallet), 9))
    token.finalize()
    if answer:
        claim(token, b"anything", registrar=wallet)
        assert token.balance(BOB.address) == 9
    else:
        with refused("InvalidSignature", wallet):
            claim(token, b"anything", registrar=wallet)


def test_claim_by_a_key_with_code(live_token: Token) -> None:
    # EIP-7702: the address of a key delegates to code; here that code knows no ERC-1271.
    put_code(live_token.node, REVERTS, address=REGISTRAR.address)
    claim(live_token, live_token.sign_claim(REGISTRAR, BOB.address))
    assert live_token.balance(BOB.address) == 1000


def test_claim_by_a_registrar_that_is_an_account(token: Token) -> None:
    registrar = factory_on(token.node).account(owner=ALICE)
    token.replay(mint(derived(registrar=registrar.address), 9))
    token.finalize()
    digest = token.call("claimDigest", KEY, registrar.address, BOB.address, NEVER)
    with refused("InvalidSignature", registrar.address):
        plain = bytes(ALICE.unsafe_sign_hash(digest).signature)
        claim(token, plain, registrar=registrar.address)
    claim(token, sign_message(registrar, ALICE, digest), registrar=registrar.address)
    assert token.balance(BOB.address) == 9
