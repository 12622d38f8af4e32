"""The whole life of a token and of the accounts on it, in one go, on Anvil and on Hardhat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.model import ZERO_ADDRESS, Address, Record
from tests.contracts.chain import ZERO, Contract, artifact, from_hex, refused, to_hex
from tests.contracts.people import ALICE, BOB, OPERATOR, REGISTRAR, STRANGER
from tests.contracts.test_accounts import factory_on, sign_message
from tests.contracts.test_erc20 import permit
from tests.contracts.token import KEY, NEVER, Token, derived, mint

if TYPE_CHECKING:
    from tests.support.nodes import Node

HOLDER = Address(from_hex(ALICE.address))


def names(token: Token, receipt: dict[str, object]) -> list[str]:
    return [name for name, _ in token.events(receipt)]


def account_of(node: Node, key: bytes = KEY, registrar: str = REGISTRAR.address) -> Contract:
    return Contract(node, to_hex(derived(key, registrar)), artifact("LedgerAccount")["abi"])


def test_the_whole_life(node_token: Token) -> None:
    token, node = node_token, node_token.node
    accounts, club = factory_on(node), account_of(node)
    # The club is an account of the ledger, and the registrar of a member: a contract wallet.
    member = derived(registrar=club.address)

    # Mirror: two batches by one operator, one by the next.
    token.replay(mint(HOLDER, 500), mint(derived(), 70), mint(member, 9))
    token.replay(Record(HOLDER, derived(), 30), Record(HOLDER, ZERO_ADDRESS, 100))
    token.send("transferOperator", BOB.address, sender=OPERATOR.address)
    token.send("acceptOperator", sender=BOB.address)
    with refused("NotOperator", OPERATOR.address.lower()):
        token.replay(mint(HOLDER, 1))
    token.replay(Record(HOLDER, derived(), 1), sender=BOB.address)
    with refused("OnlyLive"):
        token.send("transfer", BOB.address, 1, sender=ALICE.address)

    # Live: nobody is operator, and the supply stays.
    assert names(token, token.finalize(sender=BOB.address)) == ["OperatorTransferred", "Finalized"]
    assert (token.call("operator"), token.call("live")) == (ZERO, True)
    with refused("OnlyMirror"):
        token.replay(mint(HOLDER, 1), sender=BOB.address)
    assert token.call("totalSupply") == 479

    # A permit, and what it allows.
    token.send("permit", *permit(token), sender=BOB.address)
    token.send("transferFrom", ALICE.address, BOB.address, 42, sender=STRANGER.address)

    # A claim by a key: the whole balance of the derived address, once.
    signed = token.sign_claim(REGISTRAR, BOB.address)
    claimed = (KEY, REGISTRAR.address, BOB.address, NEVER, signed)
    receipt = token.send("claim", *claimed, sender=STRANGER.address)
    assert names(token, receipt) == ["Transfer", "Claimed"]
    with refused("NothingToClaim", club.address):
        token.send("claim", *claimed, sender=STRANGER.address)
    assert (token.balance(club.address), token.balance(BOB.address)) == (0, 143)

    # The club's account is deployed, and executes for its owner, nobody else.
    accounts.deploy(accounts.sign())
    token.send("transfer", club.address, 20, sender=ALICE.address)
    call = from_hex(token.data("transfer", STRANGER.address, 5))
    with refused("NotOwner", BOB.address.lower()):
        club.send("execute", token.address, 0, call, sender=BOB.address)
    club.send("execute", token.address, 0, call, sender=ALICE.address)
    assert token.balance(club.address) == 15

    # A claim by a contract wallet: the club answers for its owner (ERC-1271).
    digest = token.call("claimDigest", KEY, club.address, STRANGER.address, NEVER)
    by_club = (KEY, club.address, STRANGER.address, NEVER)
    with refused("InvalidSignature", club.address):
        plain = bytes(ALICE.unsafe_sign_hash(digest).signature)
        token.send("claim", *by_club, plain, sender=BOB.address)
    token.send("claim", *by_club, sign_message(club, ALICE, digest), sender=BOB.address)
    assert (token.balance(member), token.balance(STRANGER.address)) == (0, 14)

    # The account goes to another owner in two steps, and still says no to the registrar.
    club.send("transferOwnership", BOB.address, sender=ALICE.address)
    club.send("acceptOwnership", sender=BOB.address)
    club.send("execute", token.address, 0, call, sender=BOB.address)
    with refused("AccountDeployed", club.address):
        token.send("claim", *claimed, sender=REGISTRAR.address)
    holders = (ALICE.address, BOB.address, STRANGER.address, club.address, member)
    assert sum(token.balance(holder) for holder in holders) == token.call("totalSupply") == 479
