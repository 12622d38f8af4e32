"""Every custom error of every contract, provoked once: one that is new needs a case here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from ledger.model import Record
from tests.contracts.chain import (
    ZERO,
    Contract,
    artifact,
    constructor_arguments,
    from_hex,
    refused,
    signature_hash,
    to_hex,
)
from tests.contracts.people import ALICE, BOB, OPERATOR, REGISTRAR, STRANGER
from tests.contracts.test_accounts import Accounts, factory_on
from tests.contracts.test_payload import REFUSED
from tests.contracts.token import (
    HEAD,
    KEY,
    LEDGER_ID,
    NAME,
    NEVER,
    ROOT,
    Token,
    address,
    derived,
    mint,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.nodes import Node

DERIVED: Final = to_hex(derived())
REGISTRAR_, ALICE_, BOB_, STRANGER_ = (
    person.address.lower() for person in (REGISTRAR, ALICE, BOB, STRANGER)
)


class Case(NamedTuple):
    """A call that fails, and the arguments of its error."""

    call: Callable[[Any], object]
    arguments: tuple[object, ...] = ()


def names(contract: str) -> set[str]:
    """Return the errors of a contract's ABI."""
    return {it["name"] for it in artifact(contract)["abi"] if it["type"] == "error"}


def claim(token: Token, **changes: Any) -> object:  # noqa: ANN401 (of any argument)
    """Call a claim of KEY that nothing is wrong with but `changes`."""
    given = {"registrar": REGISTRAR.address, "wallet": BOB.address, "deadline": NEVER, **changes}
    signature = token.sign_claim(REGISTRAR, BOB.address)
    words = (given["registrar"], given["wallet"], given["deadline"])
    return token.call("claim", KEY, *words, given.get("signature", signature))


def permit(token: Token, deadline: int) -> object:
    return token.call("permit", ALICE_, BOB_, 1, deadline, 27, HEAD, ROOT)


def create(token: Token, operator: str) -> object:
    """Call the constructor alone: the proxy would keep its reason."""
    document = artifact("LedgerToken")
    arguments = constructor_arguments(document["abi"], LEDGER_ID, "SCI", NAME, 18, operator)
    code = from_hex(document["bytecode"]) + arguments
    return token.request("eth_call", {"data": to_hex(code)}, "latest")


def deployed(token: Token) -> object:
    factory_on(token.node).account()
    return claim(token)


def replaying(payload: bytes) -> Callable[[Token], object]:
    """Return the call that replays `payload`."""
    return lambda token: token.try_replay(payload=payload)


MIRROR: Final[dict[str, Case]] = {
    "NotOperator": Case(
        lambda token: token.call("transferOperator", BOB_, sender=STRANGER_), (STRANGER_,)
    ),
    "NotPendingOperator": Case(
        lambda token: token.call("acceptOperator", sender=STRANGER_), (STRANGER_,)
    ),
    "InvalidOperator": Case(lambda token: create(token, ZERO), (ZERO,)),
    "OnlyLive": Case(lambda token: token.call("transfer", BOB_, 1, sender=ALICE_)),
    "Overdraft": Case(
        lambda token: token.try_replay(Record(address(1), address(2), 1)),
        (0, to_hex(address(1)), 0, 1),
    ),
    **{
        name: Case(replaying(payload), tuple(words))
        for payload, name, *words in reversed(REFUSED.values())
    },
}
LIVE: Final[dict[str, Case]] = {
    "OnlyMirror": Case(lambda token: token.call("acceptOperator", sender=BOB_)),
    "InvalidRegistrar": Case(lambda token: claim(token, registrar=ZERO), (ZERO,)),
    "InvalidWallet": Case(lambda token: claim(token, wallet=ZERO), (ZERO,)),
    "ClaimExpired": Case(lambda token: claim(token, deadline=1), (1,)),
    "AccountDeployed": Case(deployed, (DERIVED,)),
    "NothingToClaim": Case(
        lambda token: claim(token, registrar=STRANGER_),
        (to_hex(derived(registrar=STRANGER.address)),),
    ),
    "InvalidSignature": Case(lambda token: claim(token, signature=b""), (REGISTRAR_,)),
    "ERC20InvalidSender": Case(
        lambda token: token.call("transferFrom", ZERO, BOB_, 0, sender=ALICE_), (ZERO,)
    ),
    "ERC20InvalidReceiver": Case(
        lambda token: token.call("transfer", ZERO, 0, sender=ALICE_), (ZERO,)
    ),
    "InsufficientBalance": Case(lambda token: token.call("transfer", BOB_, 501, sender=ALICE_)),
    "InsufficientAllowance": Case(
        lambda token: token.call("transferFrom", ALICE_, BOB_, 1, sender=BOB_)
    ),
    "PermitExpired": Case(lambda token: permit(token, 1)),
    "InvalidPermit": Case(lambda token: permit(token, NEVER)),
}
FACTORY: Final[dict[str, Case]] = {
    "InvalidRegistrar": Case(lambda it: it.deploy(b"", registrar=ZERO), (ZERO,)),
    "InvalidOwner": Case(lambda it: it.deploy(b"", owner=ZERO), (ZERO,)),
    "DeploymentExpired": Case(lambda it: it.deploy(b"", deadline=1), (1,)),
    "AccountExists": Case(lambda it: (it.account(), it.deploy(b"")), (DERIVED,)),
    "InvalidSignature": Case(lambda it: it.deploy(b""), (REGISTRAR_,)),
}
ACCOUNT: Final[dict[str, Case]] = {
    "NotOwner": Case(
        lambda it: it.call("transferOwnership", BOB_, sender=STRANGER_), (STRANGER_,)
    ),
    "NotPendingOwner": Case(
        lambda it: it.call("acceptOwnership", sender=STRANGER_), (STRANGER_,)
    ),
    "NotFactory": Case(lambda it: it.call("initialize", BOB_, sender=STRANGER_), (STRANGER_,)),
    "AlreadyInitialized": Case(
        lambda it: it.call("initialize", BOB_, sender=it.call("factory")), (ALICE_,)
    ),
    "InvalidOwner": Case(
        lambda it: it.call("transferOwnership", it.address, sender=ALICE_), (DERIVED,)
    ),
}  # fmt: skip
# Solady's, which nothing can reach: it mints nothing here and gives Permit2 no allowance.
UNREACHABLE: Final = {
    "TotalSupplyOverflow",
    "AllowanceOverflow",
    "AllowanceUnderflow",
    "Permit2AllowanceIsFixedAtInfinity",
}
# Of calls that need the contract's own values: below.
STALE: Final = {"StaleHistory", "WrongLastSeq"}


@pytest.mark.parametrize("name", MIRROR)
def test_error_of_a_token_that_mirrors(token: Token, name: str) -> None:
    with refused(name, *MIRROR[name].arguments):
        MIRROR[name].call(token)


@pytest.mark.parametrize("name", LIVE)
def test_error_of_a_live_token(live_token: Token, name: str) -> None:
    with refused(name, *LIVE[name].arguments):
        LIVE[name].call(live_token)


def test_stale_history(token: Token) -> None:
    with refused("StaleHistory", token.call("history"), HEAD):
        token.call("finalize", HEAD, 0, sender=OPERATOR.address)


def test_wrong_last_seq(token: Token) -> None:
    token.replay(mint(address(1), 1))
    with refused("WrongLastSeq", 1, 2):
        token.call("finalize", token.call("history"), 2, sender=OPERATOR.address)


@pytest.mark.parametrize("name", FACTORY)
def test_error_of_the_factory(anvil: Node, name: str) -> None:
    accounts: Accounts = factory_on(anvil)
    with refused(name, *FACTORY[name].arguments):
        FACTORY[name].call(accounts)


@pytest.mark.parametrize("name", ACCOUNT)
def test_error_of_an_account(anvil: Node, name: str) -> None:
    account: Contract = factory_on(anvil).account()
    with refused(name, *ACCOUNT[name].arguments):
        ACCOUNT[name].call(account)


def test_every_error_has_a_case() -> None:
    assert not MIRROR.keys() & LIVE.keys()
    assert names("LedgerToken") == MIRROR.keys() | LIVE.keys() | STALE | UNREACHABLE
    assert names("AccountFactory") == FACTORY.keys()
    assert names("LedgerAccount") == ACCOUNT.keys()
    assert names("EntryProof") == set()
    # What the deferred token adds has its tests beside those of its steps.
    steps = Path(__file__).with_name("test_deferred.py").read_text(encoding="utf-8")
    added = names("LedgerTokenDeferred") - names("LedgerToken")
    assert {name for name in added if f'"{name}"' not in steps} == set()


@pytest.mark.parametrize("contract", ["LedgerToken", "LedgerTokenDeferred"])
def test_what_is_unreachable_is_not_in_the_code(contract: str) -> None:
    document = artifact(contract)
    selectors = {
        it["name"]: signature_hash(it)[:4].hex() for it in document["abi"] if it["type"] == "error"
    }
    # A selector with zeros at its end may be pushed without them; none of these has any.
    present = {name for name in selectors if selectors[name] in document["deployedBytecode"]}
    assert selectors.keys() - present - {"InvalidOperator"} == UNREACHABLE
