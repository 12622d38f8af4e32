"""A LedgerToken under test: what the operator does with it, from Python values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ledger.addresses import account_salt, create2_address
from ledger.hashing import keccak
from ledger.model import ZERO_ADDRESS, Address, Record
from ledger.payload import encode_payload
from tests.contracts.chain import Contract, artifact, deploy, from_hex
from tests.contracts.people import ALICE, OPERATOR, REGISTRAR, sign
from tests.core.golden import vectors

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from tests.support.nodes import Node

LEDGER_ID: Final = from_hex(vectors()["ledgerId"])
NAME: Final = "SCI token"
MAX: Final = 2**256 - 1
HEAD: Final = bytes([0x11]) * 32
ROOT: Final = bytes([0x22]) * 32
KEY: Final = keccak(b"the key of an account")
CLAIM: Final = "bytes32 key,address wallet,uint256 nonce,uint256 deadline"
NEVER: Final = 2**256 - 1
"""A deadline that never comes."""


def address(number: int) -> Address:
    """Return the address 0x00..number."""
    return Address(number.to_bytes(20, "big"))


def derived(key: bytes = KEY, registrar: str = REGISTRAR.address) -> Address:
    """Return the address of an account of the ledger under test."""
    salt = account_salt(LEDGER_ID, key, from_hex(registrar))
    formats = artifact("formats")
    return create2_address(from_hex(formats["factory"]), salt, from_hex(formats["initCodeHash"]))


def mint(to: bytes, amount: int) -> Record:
    """Return the record of a mint."""
    return Record(ZERO_ADDRESS, Address(to), amount)


class Token(Contract):
    """The token with the operator's calls; a test that wants another sender names it."""

    def replay(
        self, *records: Record, payload: bytes | None = None, sender: str = OPERATOR.address
    ) -> dict[str, Any]:
        """Replay records, or the bytes of any payload, after the contract's history."""
        data = encode_payload(records) if payload is None else payload
        return self.send("replay", self.call("history"), HEAD, ROOT, data, sender=sender)

    def try_replay(self, *records: Record, payload: bytes | None = None) -> None:
        """Ask whether the contract would replay; nothing is sent."""
        data = encode_payload(records) if payload is None else payload
        history = self.call("history")
        self.call("replay", history, HEAD, ROOT, data, sender=OPERATOR.address)

    def endow(self) -> None:
        """Mint 1,000 to the derived address and 500 to ALICE's own."""
        self.replay(mint(derived(), 1000), mint(from_hex(ALICE.address), 500))

    def finalize(self, *, sender: str = OPERATOR.address) -> dict[str, Any]:
        """Make the token live."""
        return self.send("finalize", self.call("history"), self.call("lastSeq"), sender=sender)

    def balance(self, holder: bytes | str) -> int:
        """Return a balance."""
        held: int = self.call("balanceOf", holder)
        return held

    def domain(self) -> dict[str, Any]:
        """Return the token's own EIP-712 domain."""
        return {
            "name": NAME,
            "version": "1",
            "chainId": int(self.node.rpc("eth_chainId"), 16),
            "verifyingContract": self.address,
        }

    def sign_claim(
        self, signer: LocalAccount, wallet: str, *, nonce: int = 0, deadline: int = NEVER
    ) -> bytes:
        """Return a registrar's signature of a claim of KEY."""
        message = {"key": KEY, "wallet": wallet, "nonce": nonce, "deadline": deadline}
        return sign(signer, self.domain(), "Claim", CLAIM, message)


def new_token(
    node: Node,
    *,
    symbol: str = "SCI",
    name: str = NAME,
    decimals: int = 18,
    operator: str = OPERATOR.address,
) -> Token:
    """Deploy a token of the ledger of the vectors."""
    made = deploy(node, "LedgerToken", LEDGER_ID, symbol, name, decimals, operator)
    return Token(node, made.address, made.abi)
