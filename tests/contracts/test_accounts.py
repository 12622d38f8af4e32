"""AccountFactory and LedgerAccount: who may deploy what, and what an owner can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from ledger.addresses import account_salt, create2_address
from ledger.hashing import keccak
from ledger.model import Address
from tests.contracts.chain import ZERO, Contract, artifact, deploy, from_hex, refused, to_hex
from tests.contracts.people import ALICE, BOB, OPERATOR, REGISTRAR, STRANGER, malleable, sign
from tests.contracts.token import KEY, LEDGER_ID, NEVER, Token, derived
from tests.core.golden import vectors

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from tests.conftest import StartNode
    from tests.support.nodes import Node

DEPLOY: Final = "bytes32 ledger,bytes32 key,address registrar,address owner,uint256 deadline"
MAGIC: Final = from_hex("0x1626ba7e")
NO_MAGIC: Final = b"\xff" * 4
MESSAGE: Final = keccak(b"a message")
WALLET: Final = "0x" + "77" * 20
"""Where tests put contract code of their own."""

# PUSH32 the answer PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN
SAYS_YES: Final = "0x7f" + "1626ba7e".ljust(64, "0") + "60005260206000f3"
SAYS_NO: Final = "0x7f" + "ffffffff".ljust(64, "0") + "60005260206000f3"
# The magic, but then bytes that an ERC-1271 answer does not have; the magic, but 4 bytes only.
SAYS_YES_AND_MORE: Final = "0x7f" + "1626ba7e".ljust(64, "1") + "60005260206000f3"
SAYS_YES_SHORTLY: Final = "0x7f" + "1626ba7e".ljust(64, "0") + "60005260046000f3"
REVERTS: Final = "0x60006000fd"
# Reverts with 4 bytes of its own; answers with what it was called with.
REVERTS_WITH_DEADBEEF: Final = "0x63deadbeef6000526004601cfd"
ECHOES: Final = "0x366000600037366000f3"


class Accounts(Contract):
    """The factory, with what a registrar signs."""

    def domain(self, **changes: object) -> dict[str, Any]:
        chain_id = int(self.node.rpc("eth_chainId"), 16)
        own = {"name": "AccountFactory", "version": "1", "chainId": chain_id}
        return {**own, "verifyingContract": self.address, **changes}

    def sign(
        self,
        signer: LocalAccount = REGISTRAR,
        *,
        domain: dict[str, Any] | None = None,
        **changes: object,
    ) -> bytes:
        """Sign the deployment that `deploy` sends, or one that differs in `changes`."""
        message = {"ledger": LEDGER_ID, "key": KEY, "registrar": REGISTRAR.address}
        message |= {"owner": ALICE.address, "deadline": NEVER, **changes}
        return sign(signer, domain or self.domain(), "Deploy", DEPLOY, message)

    def deploy(
        self,
        signature: bytes,
        *,
        registrar: str = REGISTRAR.address,
        owner: str = ALICE.address,
        deadline: int = NEVER,
        sender: str = STRANGER.address,
    ) -> dict[str, Any]:
        """Send a deployment of KEY's account."""
        arguments = (LEDGER_ID, KEY, registrar, owner, deadline, signature)
        return self.send("deploy", *arguments, sender=sender)

    def account(self, *, owner: LocalAccount = ALICE) -> Contract:
        """Deploy KEY's account for `owner`."""
        self.deploy(self.sign(owner=owner.address), owner=owner.address)
        return Contract(self.node, "0x" + derived().hex(), artifact("LedgerAccount")["abi"])


@pytest.fixture
def accounts(anvil: Node) -> Accounts:
    return factory_on(anvil)


@pytest.fixture
def account(accounts: Accounts) -> Contract:
    return accounts.account()


def factory_on(node: Node) -> Accounts:
    made = deploy(node, "AccountFactory")
    return Accounts(node, made.address, made.abi)


def put_code(node: Node, code: str, *, address: str = WALLET) -> str:
    """Put contract code at an address and return it."""
    node.rpc("hardhat_setCode", address, code)
    return address


# --- the constants of the formats ---


def test_factory_is_where_the_formats_say(node: Node) -> None:
    made = factory_on(node)
    assert made.address == artifact("formats")["factory"].lower()
    assert to_hex(made.call("initCodeHash")) == artifact("formats")["initCodeHash"]
    assert artifact("formats")["initCodeHash"] == artifact("LedgerAccount")["initCodeHash"]
    assert to_hex(keccak(from_hex(artifact("LedgerAccount")["bytecode"]))) == to_hex(
        made.call("initCodeHash")
    )


def test_token_knows_the_constants(token: Token) -> None:
    assert token.call("factory") == artifact("formats")["factory"].lower()
    assert to_hex(token.call("initCodeHash")) == artifact("formats")["initCodeHash"]


@pytest.mark.parametrize("vector", vectors()["accounts"], ids=lambda it: it["account_id"][:20])
def test_addresses_agree(accounts: Accounts, token: Token, vector: dict[str, str]) -> None:
    key, registrar = from_hex(vector["key"]), vectors()["registrar"]
    salt = account_salt(LEDGER_ID, key, Address.parse(registrar))
    assert to_hex(salt) == vector["salt"]
    expected = create2_address(
        from_hex(accounts.address), salt, from_hex(artifact("formats")["initCodeHash"])
    )
    assert accounts.call("addressOf", LEDGER_ID, key, registrar) == to_hex(expected)
    assert token.call("accountOf", key, registrar) == to_hex(expected)


# --- deployment ---


def test_deploy(node: Node) -> None:
    accounts = factory_on(node)
    receipt = accounts.deploy(accounts.sign())
    account = accounts.call("addressOf", LEDGER_ID, KEY, REGISTRAR.address)
    assert accounts.events(receipt) == [
        (
            "AccountDeployed",
            {
                "account": account,
                "ledger": LEDGER_ID,
                "key": KEY,
                "registrar": REGISTRAR.address.lower(),
                "owner": ALICE.address.lower(),
            },
        )
    ]
    made = Contract(node, account, artifact("LedgerAccount")["abi"])
    assert made.call("owner") == ALICE.address.lower()
    assert made.call("factory") == accounts.address
    assert made.events(receipt) == [
        ("OwnershipTransferred", {"previousOwner": ZERO, "newOwner": ALICE.address.lower()})
    ]


def test_deploy_digest_is_eip_712(accounts: Accounts) -> None:
    arguments = (LEDGER_ID, KEY, REGISTRAR.address, ALICE.address, 5)
    digest = accounts.call("deployDigest", *arguments)
    signed = REGISTRAR.unsafe_sign_hash(digest)
    assert bytes(signed.signature) == accounts.sign(deadline=5)


def test_deploy_twice(accounts: Accounts) -> None:
    accounts.deploy(accounts.sign())
    with refused("AccountExists", to_hex(derived())):
        accounts.deploy(accounts.sign())
    with refused("AccountExists", to_hex(derived())):
        accounts.deploy(accounts.sign(owner=BOB.address), owner=BOB.address)


def test_deploy_refuses_registrar_zero_before_any_signature(accounts: Accounts) -> None:
    for signature in (b"", bytes(65), bytes(64) + b"\x1b"):
        with refused("InvalidRegistrar", ZERO):
            accounts.deploy(signature, registrar=ZERO)


def test_deploy_refuses_owner_zero(accounts: Accounts) -> None:
    with refused("InvalidOwner", ZERO):
        accounts.deploy(accounts.sign(owner=ZERO), owner=ZERO)


def test_deploy_refuses_the_account_as_its_owner(accounts: Accounts) -> None:
    own = "0x" + derived().hex()
    with refused("InvalidOwner", own):
        accounts.deploy(accounts.sign(owner=own), owner=own)


def test_deploy_holds_until_its_deadline(accounts: Accounts) -> None:
    now = int(accounts.node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)  # noqa: FBT003 (JSON-RPC)
    with refused("DeploymentExpired", now - 1):
        accounts.deploy(accounts.sign(deadline=now - 1), deadline=now - 1)
    accounts.node.rpc("evm_setNextBlockTimestamp", now + 100)
    accounts.deploy(accounts.sign(deadline=now + 100), deadline=now + 100)


UNAUTHORISED: dict[str, dict[str, Any]] = {
    "by another key": {"signer": STRANGER},
    "by the owner": {"signer": ALICE},
    "for another owner": {"owner": BOB.address},
    "for another ledger": {"ledger": bytes(32)},
    "for another key": {"key": bytes(32)},
    "for another registrar": {"registrar": STRANGER.address},
    "with another deadline": {"deadline": NEVER - 1},
}
OTHER_DOMAINS: dict[str, dict[str, object]] = {
    "of another chain": {"chainId": 1},
    "of another factory": {"verifyingContract": WALLET},
    "of another version": {"version": "2"},
    "of another name": {"name": "evm-ledger"},
}


@pytest.mark.parametrize("case", UNAUTHORISED)
def test_deploy_refuses_a_signature(accounts: Accounts, case: str) -> None:
    with refused("InvalidSignature", REGISTRAR.address.lower()):
        accounts.deploy(accounts.sign(**UNAUTHORISED[case]))


@pytest.mark.parametrize("case", OTHER_DOMAINS)
def test_deploy_refuses_a_signature_in_the_domain(accounts: Accounts, case: str) -> None:
    signature = accounts.sign(domain=accounts.domain(**OTHER_DOMAINS[case]))
    with refused("InvalidSignature", REGISTRAR.address.lower()):
        accounts.deploy(signature)


def test_an_account_has_one_address_and_each_chain_its_own_authorisation(
    accounts: Accounts, start_anvil: StartNode
) -> None:
    there = factory_on(start_anvil("--chain-id", "10"))
    assert there.address == accounts.address
    here = accounts.sign()
    accounts.deploy(here)
    with refused("InvalidSignature", REGISTRAR.address.lower()):
        there.deploy(here)
    assert there.account(owner=BOB).address == to_hex(derived())


def bent(signature: bytes) -> dict[str, bytes]:
    """Return what is nearly `signature`."""
    return {
        "empty": b"",
        "64 bytes": signature[:64],
        "compact (EIP-2098)": signature[:32]
        + bytes([signature[32] | (signature[64] - 27) << 7])
        + signature[33:64],
        "66 bytes": signature + b"\0",
        "high s": malleable(signature),
        "v 0 or 1": signature[:64] + bytes([signature[64] - 27]),
        "the other v": signature[:64] + bytes([55 - signature[64]]),
        "v 29": signature[:64] + bytes([signature[64] + 2]),
        "zeros": bytes(65),
        "r zero": bytes(32) + signature[32:],
        "s zero": signature[:32] + bytes(32) + signature[64:],
    }


BENT: Final = tuple(bent(bytes([1]) * 64 + b"\x1b"))


@pytest.mark.parametrize("case", BENT)
def test_deploy_refuses_a_bent_signature(accounts: Accounts, case: str) -> None:
    with refused("InvalidSignature", REGISTRAR.address.lower()):
        accounts.deploy(bent(accounts.sign())[case])


ANSWERS: Final = {
    "yes": (SAYS_YES, True),
    "no": (SAYS_NO, False),
    "yes and more": (SAYS_YES_AND_MORE, False),
    "yes, shortly": (SAYS_YES_SHORTLY, False),
    "reverts": (REVERTS, False),
    "stops": ("0x00", False),
    "echoes": (ECHOES, False),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_deploy_asks_a_registrar_that_is_a_contract(accounts: Accounts, case: str) -> None:
    code, answer = ANSWERS[case]
    wallet = put_code(accounts.node, code)
    if answer:
        accounts.deploy(b"anything", registrar=wallet)
    else:
        with refused("InvalidSignature", wallet):
            accounts.deploy(b"anything", registrar=wallet)


def test_a_registrar_without_code_is_not_asked(accounts: Accounts) -> None:
    with refused("InvalidSignature", WALLET):
        accounts.deploy(b"", registrar=WALLET)


def test_a_key_with_code_still_signs(accounts: Accounts) -> None:
    # EIP-7702: the address of a key delegates to code; here that code knows no ERC-1271.
    put_code(accounts.node, REVERTS, address=REGISTRAR.address)
    accounts.deploy(accounts.sign())


def test_an_account_can_be_a_registrar(accounts: Accounts) -> None:
    registrar = accounts.account(owner=BOB)
    digest = accounts.call("deployDigest", LEDGER_ID, KEY, registrar.address, ALICE.address, NEVER)
    accounts.deploy(sign_message(registrar, BOB, digest), registrar=registrar.address)
    with refused("InvalidOwner", ZERO):
        accounts.deploy(b"", registrar=registrar.address, owner=ZERO)


# --- initialisation ---


@pytest.mark.parametrize("sender", [ALICE, STRANGER, REGISTRAR])
def test_only_the_factory_initialises(account: Contract, sender: LocalAccount) -> None:
    with refused("NotFactory", sender.address.lower()):
        account.send("initialize", sender.address, sender=sender.address)


def test_initialise_once(account: Contract) -> None:
    with refused("AlreadyInitialized", ALICE.address.lower()):
        account.call("initialize", BOB.address, sender=account.call("factory"))


# --- execute ---


def test_execute(node: Node) -> None:
    account = factory_on(node).account()
    put_code(node, ECHOES)
    assert account.call("execute", WALLET, 0, b"hello", sender=ALICE.address) == b"hello"
    receipt = account.send("execute", WALLET, 7, b"", sender=ALICE.address, value=10)
    assert account.events(receipt) == [("Executed", {"target": WALLET, "value": 7})]
    assert int(node.rpc("eth_getBalance", WALLET, "latest"), 16) == 7
    assert int(node.rpc("eth_getBalance", account.address, "latest"), 16) == 3


@pytest.mark.parametrize("sender", [STRANGER, REGISTRAR])
def test_execute_is_the_owners(account: Contract, sender: LocalAccount) -> None:
    with refused("NotOwner", sender.address.lower()):
        account.send("execute", WALLET, 0, b"", sender=sender.address)


def test_execute_reverts_as_its_target(account: Contract) -> None:
    put_code(account.node, REVERTS_WITH_DEADBEEF)
    with refused("unknown", from_hex("0xdeadbeef")):
        account.call("execute", WALLET, 0, b"", sender=ALICE.address)


def test_execute_of_more_than_there_is(account: Contract) -> None:
    with refused("unknown", b""):
        account.call("execute", WALLET, 1, b"", sender=ALICE.address)


def test_the_account_is_not_its_own_owner(account: Contract) -> None:
    call = from_hex(account.data("transferOwnership", BOB.address))
    with refused("NotOwner", account.address):
        account.send("execute", account.address, 0, call, sender=ALICE.address)


def test_execute_moves_tokens(live_token: Token) -> None:
    account = factory_on(live_token.node).account()
    call = from_hex(live_token.data("transfer", BOB.address, 400))
    account.send("execute", live_token.address, 0, call, sender=ALICE.address)
    assert (live_token.balance(derived()), live_token.balance(BOB.address)) == (600, 400)


# --- owners ---


def test_ownership_in_two_steps(account: Contract) -> None:
    started = account.send("transferOwnership", BOB.address, sender=ALICE.address)
    alice, bob = ALICE.address.lower(), BOB.address.lower()
    assert account.events(started) == [
        ("OwnershipTransferStarted", {"owner": alice, "pendingOwner": bob})
    ]
    assert (account.call("owner"), account.call("pendingOwner")) == (alice, bob)
    accepted = account.send("acceptOwnership", sender=BOB.address)
    assert account.events(accepted) == [
        ("OwnershipTransferred", {"previousOwner": alice, "newOwner": bob})
    ]
    assert (account.call("owner"), account.call("pendingOwner")) == (bob, ZERO)
    with refused("NotOwner", alice):
        account.send("execute", WALLET, 0, b"", sender=ALICE.address)
    with refused("NotPendingOwner", bob):
        account.send("acceptOwnership", sender=BOB.address)


def test_ownership_offer_is_withdrawn(account: Contract) -> None:
    account.send("transferOwnership", BOB.address, sender=ALICE.address)
    account.send("transferOwnership", ZERO, sender=ALICE.address)
    with refused("NotPendingOwner", BOB.address.lower()):
        account.send("acceptOwnership", sender=BOB.address)


def test_only_the_owner_offers(account: Contract) -> None:
    with refused("NotOwner", STRANGER.address.lower()):
        account.send("transferOwnership", STRANGER.address, sender=STRANGER.address)


def test_only_the_pending_owner_accepts(account: Contract) -> None:
    account.send("transferOwnership", BOB.address, sender=ALICE.address)
    with refused("NotPendingOwner", STRANGER.address.lower()):
        account.send("acceptOwnership", sender=STRANGER.address)


def test_the_account_cannot_be_offered_to_itself(account: Contract) -> None:
    with refused("InvalidOwner", account.address):
        account.send("transferOwnership", account.address, sender=ALICE.address)


# --- ERC-1271 ---


def sign_message(
    account: Contract, signer: LocalAccount, message: bytes, **changes: object
) -> bytes:
    """Sign `message` for `account` as its owner does."""
    domain: dict[str, object] = {
        "name": "LedgerAccount",
        "version": "1",
        "chainId": int(account.node.rpc("eth_chainId"), 16),
        "verifyingContract": account.address,
    }
    fields = {"hash": message}
    return sign(signer, domain | changes, "LedgerAccountMessage", "bytes32 hash", fields)


def is_valid(account: Contract, signature: bytes) -> bool:
    answer = account.call("isValidSignature", MESSAGE, signature)
    assert answer in {MAGIC, NO_MAGIC}
    return bool(answer == MAGIC)


def test_signature_of_the_owner(account: Contract) -> None:
    signature = sign_message(account, ALICE, MESSAGE)
    assert is_valid(account, signature)
    digest = account.call("messageDigest", MESSAGE)
    assert bytes(ALICE.unsafe_sign_hash(digest).signature) == signature


def test_signature_of_another(account: Contract) -> None:
    assert not is_valid(account, sign_message(account, STRANGER, MESSAGE))
    assert not is_valid(account, sign_message(account, REGISTRAR, MESSAGE))


def test_signature_of_another_message(account: Contract) -> None:
    assert not is_valid(account, sign_message(account, ALICE, bytes(32)))


def test_plain_signature_of_the_owner_is_not_the_accounts(account: Contract) -> None:
    assert not is_valid(account, bytes(ALICE.unsafe_sign_hash(MESSAGE).signature))


@pytest.mark.parametrize(
    "change",
    [{"chainId": 1}, {"verifyingContract": WALLET}, {"name": "A"}, {"version": "2"}],
    ids=str,
)  # fmt: skip
def test_signature_serves_one_account_on_one_chain(
    account: Contract, change: dict[str, object]
) -> None:
    assert not is_valid(account, sign_message(account, ALICE, MESSAGE, **change))


@pytest.mark.parametrize("case", BENT)
def test_bent_signature_of_the_owner(account: Contract, case: str) -> None:
    assert not is_valid(account, bent(sign_message(account, ALICE, MESSAGE))[case])


@pytest.mark.parametrize("case", ANSWERS)
def test_signature_of_an_owner_that_is_a_contract(accounts: Accounts, case: str) -> None:
    code, answer = ANSWERS[case]
    wallet = put_code(accounts.node, code)
    accounts.deploy(accounts.sign(owner=wallet), owner=wallet)
    account = Contract(accounts.node, "0x" + derived().hex(), artifact("LedgerAccount")["abi"])
    assert is_valid(account, b"anything") == answer


# --- receiving ---


def test_receives_ether(account: Contract) -> None:
    request = {"from": STRANGER.address, "to": account.address, "value": "0x5"}
    account.node.rpc("eth_call", request, "latest")
    with refused("unknown", b""):
        account.request("eth_call", {**request, "data": "0x12345678"}, "latest")


RECEIVERS: dict[str, tuple[tuple[object, ...], str]] = {
    "onERC721Received": ((ZERO, ZERO, 1, b"x"), "0x150b7a02"),
    "onERC1155Received": ((ZERO, ZERO, 1, 1, b"x"), "0xf23a6e61"),
    "onERC1155BatchReceived": ((ZERO, ZERO, [1], [1], b"x"), "0xbc197c81"),
}


@pytest.mark.parametrize("name", RECEIVERS)
def test_receives_tokens(account: Contract, name: str) -> None:
    arguments, selector = RECEIVERS[name]
    assert to_hex(account.call(name, *arguments)) == selector


@pytest.mark.parametrize(
    ("interface", "supported"),
    [
        ("0x01ffc9a7", True),  # ERC-165
        ("0x1626ba7e", True),  # ERC-1271
        ("0x150b7a02", True),  # ERC-721 receiver
        ("0x4e2312e0", True),  # ERC-1155 receiver
        ("0xffffffff", False),  # ERC-165: never
        ("0x36372b07", False),  # ERC-20
    ],
)
def test_supports_interface(account: Contract, interface: str, supported: bool) -> None:  # noqa: FBT001 (a row's fact)
    assert account.call("supportsInterface", from_hex(interface)) is supported


def test_the_operator_of_a_token_has_no_part_in_accounts(account: Contract) -> None:
    with refused("NotOwner", OPERATOR.address.lower()):
        account.send("execute", WALLET, 0, b"", sender=OPERATOR.address)
