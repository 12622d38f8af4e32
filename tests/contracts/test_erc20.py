"""A live token beside what OpenZeppelin's tests ask of an ERC-20 and of EIP-2612, on both nodes.

Their behaviour, in our words; where ours differs, a test says so, and `docs/contracts.md` too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.contracts.chain import MAX_GAS, ZERO, from_hex, refused, transact
from tests.contracts.people import ALICE, BOB, REGISTRAR, STRANGER, malleable, sign
from tests.contracts.token import MAX, NAME, NEVER, Token, mint, new_token
from tests.support.nodes import RpcError

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from tests.support.nodes import Node

HOLDER, OTHER, SPENDER = (person.address.lower() for person in (ALICE, BOB, STRANGER))
SUPPLY: Final = 100
PERMIT: Final = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"


@pytest.fixture
def live(node_token: Token) -> Token:
    """Return a live token whose whole supply HOLDER has."""
    node_token.replay(mint(from_hex(HOLDER), SUPPLY))
    node_token.finalize()
    return node_token


def transfer_event(from_: str, to: str, amount: int) -> tuple[str, dict[str, Any]]:
    return "Transfer", {"from": from_, "to": to, "amount": amount}


def approval_event(owner: str, spender: str, amount: int) -> tuple[str, dict[str, Any]]:
    return "Approval", {"owner": owner, "spender": spender, "amount": amount}


def balances(token: Token) -> tuple[int, int, int]:
    return token.balance(HOLDER), token.balance(OTHER), token.balance(SPENDER)


# --- what there is ---


def test_metadata_and_supply(live: Token) -> None:
    assert (live.call("name"), live.call("symbol"), live.call("decimals")) == (NAME, "SCI", 18)
    assert live.call("totalSupply") == SUPPLY
    assert balances(live) == (SUPPLY, 0, 0)
    assert live.balance(ZERO) == 0


# --- transfer ---


@pytest.mark.parametrize("amount", [0, 1, SUPPLY])
def test_transfer(live: Token, amount: int) -> None:
    assert live.call("transfer", OTHER, amount, sender=HOLDER) is True
    receipt = live.send("transfer", OTHER, amount, sender=HOLDER)
    assert live.events(receipt) == [transfer_event(HOLDER, OTHER, amount)]
    assert balances(live) == (SUPPLY - amount, amount, 0)
    assert live.call("totalSupply") == SUPPLY


@pytest.mark.parametrize("amount", [0, 1, SUPPLY])
def test_transfer_to_oneself(live: Token, amount: int) -> None:
    receipt = live.send("transfer", HOLDER, amount, sender=HOLDER)
    assert live.events(receipt) == [transfer_event(HOLDER, HOLDER, amount)]
    assert balances(live) == (SUPPLY, 0, 0)


@pytest.mark.parametrize("amount", [SUPPLY + 1, MAX])
def test_transfer_of_more_than_there_is(live: Token, amount: int) -> None:
    for to in (OTHER, HOLDER):
        with refused("InsufficientBalance"):
            live.send("transfer", to, amount, sender=HOLDER)
    with refused("InsufficientBalance"):
        live.send("transfer", HOLDER, 1, sender=OTHER)


def test_transfer_of_nothing_by_who_has_nothing(live: Token) -> None:
    receipt = live.send("transfer", HOLDER, 0, sender=OTHER)
    assert live.events(receipt) == [transfer_event(OTHER, HOLDER, 0)]


@pytest.mark.parametrize("amount", [0, 1, SUPPLY + 1])
def test_transfer_to_zero(live: Token, amount: int) -> None:
    with refused("ERC20InvalidReceiver", ZERO):
        live.send("transfer", ZERO, amount, sender=HOLDER)


def test_transfer_to_the_token_itself(live: Token) -> None:
    # As with OpenZeppelin's: allowed, and lost.
    live.send("transfer", live.address, 1, sender=HOLDER)
    assert live.balance(live.address) == 1


# --- approve ---


@pytest.mark.parametrize("amount", [0, 1, SUPPLY, SUPPLY + 1, MAX])
def test_approve(live: Token, amount: int) -> None:
    assert live.call("allowance", HOLDER, SPENDER) == 0
    for before in (None, 1):
        if before is not None:
            live.send("approve", SPENDER, before, sender=HOLDER)
        assert live.call("approve", SPENDER, amount, sender=HOLDER) is True
        receipt = live.send("approve", SPENDER, amount, sender=HOLDER)
        assert live.events(receipt) == [approval_event(HOLDER, SPENDER, amount)]
        assert live.call("allowance", HOLDER, SPENDER) == amount
    assert live.call("allowance", SPENDER, HOLDER) == 0


def test_approve_of_zero_differs(live: Token) -> None:
    # OpenZeppelin's refuses (ERC20InvalidSpender); nobody can call as zero, so nothing is lost.
    receipt = live.send("approve", ZERO, 5, sender=HOLDER)
    assert live.events(receipt) == [approval_event(HOLDER, ZERO, 5)]


# --- transferFrom ---


@pytest.mark.parametrize("amount", [0, 1, SUPPLY])
def test_transfer_from(live: Token, amount: int) -> None:
    live.send("approve", SPENDER, SUPPLY, sender=HOLDER)
    assert live.call("transferFrom", HOLDER, OTHER, amount, sender=SPENDER) is True
    receipt = live.send("transferFrom", HOLDER, OTHER, amount, sender=SPENDER)
    # No Approval: the allowance that is left is to be asked for, as with OpenZeppelin's.
    assert live.events(receipt) == [transfer_event(HOLDER, OTHER, amount)]
    assert balances(live) == (SUPPLY - amount, amount, 0)
    assert live.call("allowance", HOLDER, SPENDER) == SUPPLY - amount


def test_transfer_from_with_an_unlimited_allowance(live: Token) -> None:
    live.send("approve", SPENDER, MAX, sender=HOLDER)
    receipt = live.send("transferFrom", HOLDER, OTHER, 1, sender=SPENDER)
    assert live.events(receipt) == [transfer_event(HOLDER, OTHER, 1)]
    assert live.call("allowance", HOLDER, SPENDER) == MAX
    live.send("approve", SPENDER, MAX - 1, sender=HOLDER)
    live.send("transferFrom", HOLDER, OTHER, 1, sender=SPENDER)
    assert live.call("allowance", HOLDER, SPENDER) == MAX - 2


def test_transfer_from_without_enough_allowance(live: Token) -> None:
    live.send("approve", SPENDER, SUPPLY - 1, sender=HOLDER)
    with refused("InsufficientAllowance"):
        live.send("transferFrom", HOLDER, OTHER, SUPPLY, sender=SPENDER)
    with refused("InsufficientAllowance"):
        live.send("transferFrom", HOLDER, OTHER, 1, sender=OTHER)
    # Not even the holder's own, without an allowance to themselves.
    with refused("InsufficientAllowance"):
        live.send("transferFrom", HOLDER, OTHER, 1, sender=HOLDER)


def test_transfer_from_without_enough_balance(live: Token) -> None:
    live.send("approve", SPENDER, SUPPLY, sender=HOLDER)
    live.send("transfer", OTHER, 1, sender=HOLDER)
    with refused("InsufficientBalance"):
        live.send("transferFrom", HOLDER, OTHER, SUPPLY, sender=SPENDER)
    # With neither, it is the allowance that is named.
    with refused("InsufficientAllowance"):
        live.send("transferFrom", HOLDER, OTHER, SUPPLY + 1, sender=SPENDER)


def test_a_refused_transfer_from_takes_no_allowance(live: Token) -> None:
    live.send("approve", SPENDER, MAX - 1, sender=HOLDER)
    call = live.data("transferFrom", HOLDER, OTHER, SUPPLY + 1)
    request = {"from": SPENDER, "to": live.address, "data": call, "gas": hex(MAX_GAS)}
    with pytest.raises((AssertionError, RpcError)):  # a receipt of a failure, or an answer
        transact(live.node, request)
    assert live.call("allowance", HOLDER, SPENDER) == MAX - 1


def test_transfer_from_to_zero(live: Token) -> None:
    live.send("approve", SPENDER, SUPPLY, sender=HOLDER)
    with refused("ERC20InvalidReceiver", ZERO):
        live.send("transferFrom", HOLDER, ZERO, SUPPLY, sender=SPENDER)


def test_transfer_from_zero_differs_in_the_error(live: Token) -> None:
    # OpenZeppelin's says ERC20InvalidApprover.
    with refused("ERC20InvalidSender", ZERO):
        live.send("transferFrom", ZERO, OTHER, 0, sender=SPENDER)


def test_transfer_from_to_the_holder(live: Token) -> None:
    live.send("approve", SPENDER, SUPPLY, sender=HOLDER)
    live.send("transferFrom", HOLDER, HOLDER, SUPPLY, sender=SPENDER)
    assert balances(live) == (SUPPLY, 0, 0)
    assert live.call("allowance", HOLDER, SPENDER) == 0


# --- EIP-2612 ---


def permit(
    token: Token,
    signer: LocalAccount = ALICE,
    *,
    deadline: int = NEVER,
    nonce: int = 0,
    domain: dict[str, object] | None = None,
) -> tuple[str, str, int, int, int, bytes, bytes]:
    """Return the arguments of HOLDER's permit of 42 for SPENDER, as `signer` signed it."""
    message = {"owner": HOLDER, "spender": SPENDER, "value": 42}
    message |= {"nonce": nonce, "deadline": deadline}
    signature = sign(signer, token.domain() | (domain or {}), "Permit", PERMIT, message)
    return HOLDER, SPENDER, 42, deadline, *parts(signature)


def parts(signature: bytes) -> tuple[int, bytes, bytes]:
    return signature[64], signature[:32], signature[32:64]


def test_permit(live: Token) -> None:
    assert live.call("nonces", HOLDER) == 0
    receipt = live.send("permit", *permit(live), sender=OTHER)
    assert live.events(receipt) == [approval_event(HOLDER, SPENDER, 42)]
    assert live.call("nonces", HOLDER) == 1
    live.send("transferFrom", HOLDER, OTHER, 42, sender=SPENDER)
    assert balances(live) == (SUPPLY - 42, 42, 0)


def test_permit_serves_once(live: Token) -> None:
    used = permit(live)
    live.send("permit", *used, sender=OTHER)
    with refused("InvalidPermit"):
        live.send("permit", *used, sender=OTHER)
    live.send("permit", *permit(live, nonce=1), sender=OTHER)


@pytest.mark.parametrize("signer", [BOB, STRANGER, REGISTRAR])
def test_permit_of_another_signer(live: Token, signer: LocalAccount) -> None:
    with refused("InvalidPermit"):
        live.send("permit", *permit(live, signer), sender=OTHER)


@pytest.mark.parametrize(
    "change", [{"chainId": 1}, {"verifyingContract": SPENDER}, {"name": "SCI"}, {"version": "2"}],
    ids=str,
)  # fmt: skip
def test_permit_is_for_one_token_on_one_chain(live: Token, change: dict[str, object]) -> None:
    with refused("InvalidPermit"):
        live.send("permit", *permit(live, domain=change), sender=OTHER)


def test_permit_for_another_token_of_the_ledger(live: Token) -> None:
    other = new_token(live.node, symbol="GOLD")
    other.finalize()
    with refused("InvalidPermit"):
        other.send("permit", *permit(live), sender=OTHER)


def test_permit_holds_until_its_deadline(live: Token) -> None:
    node: Node = live.node
    now = int(node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)  # noqa: FBT003 (JSON-RPC)
    with refused("PermitExpired"):
        live.send("permit", *permit(live, deadline=now - 1), sender=OTHER)
    in_time = permit(live, deadline=now + 100)
    node.rpc("evm_setNextBlockTimestamp", now + 100)
    live.send("permit", *in_time, sender=OTHER)


@pytest.mark.parametrize(
    "change", [{0: OTHER}, {1: OTHER}, {2: 43}, {3: NEVER - 1}, {4: 29}, {5: bytes(32)}],
    ids=str,
)  # fmt: skip
def test_permit_that_was_not_signed(live: Token, change: dict[int, object]) -> None:
    arguments: list[object] = list(permit(live))
    for place, value in change.items():
        arguments[place] = value
    with refused("InvalidPermit"):
        live.send("permit", *arguments, sender=OTHER)


def test_permit_with_the_other_form_of_a_signature_differs(live: Token) -> None:
    # OpenZeppelin's refuses a high s. Solady's takes it; the nonce lets only one of the two serve.
    given = permit(live)
    v, r, s = given[-3:]
    other = (*given[:4], *parts(malleable(r + s + bytes([v]))))
    live.send("permit", *other, sender=OTHER)
    assert live.call("allowance", HOLDER, SPENDER) == 42
    with refused("InvalidPermit"):
        live.send("permit", *given, sender=OTHER)
