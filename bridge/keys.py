"""Keys that sign transactions: from a keystore file, or the public one of local test chains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from eth_typing import Hash32 as Digest

from bridge.errors import KeyFileError
from ledger.addresses import registrar_key
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eth_account import Account
    from eth_account.signers.local import LocalAccount

_TEST_KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

PUBLIC_ADDRESSES: Final = tuple(
    map(
        Address.parse,
        (
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
            "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
            "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
            "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
            "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
            "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
            "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f",
            "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
            "0xBcd4042DE499D14e55001CcbB24a551F3b954096",
            "0x71bE63f3384f5fb98995898A86B02Fb2426c5788",
            "0xFABB0ac9d68B0B445fB7357272Ff202C5651694a",
            "0x1CBd3b2770909D4e10f157cABC84C7264073C9Ec",
            "0xdF3e18d64BC6A983f673Ab319CCaE4f1a57C7097",
            "0xcd3B766CCDd6AE721141F452C550Ca635964ce71",
            "0x2546BcD3c84621e976D8185a91A922aE77ECEc30",
            "0xbDA5747bFD65F08deb54cb465eB87D40e51B197E",
            "0xdD2FD4581271e230360230F9337D5c0430Bf44C0",
            "0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199",
        ),
    )
)
"""The accounts that Anvil (ten of them) and Hardhat (all twenty) fund: everybody has their keys."""

_VERSION: Final = 3
"""Of Web3 Secret Storage."""

TEST_ADDRESS: Final = PUBLIC_ADDRESSES[0]
"""Who signs on a local test chain if nobody else does."""


def _read_keystore(path: Path) -> dict[str, Any]:
    """Return what is in a keystore file; some programs write its names in capitals."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        found = None
    names = {str(name).lower(): name for name in found} if isinstance(found, dict) else {}
    if not {"version", "crypto"} <= names.keys():
        raise KeyFileError(f"{path}: no keystore file (Web3 Secret Storage)")
    if found[names["version"]] != _VERSION:
        raise KeyFileError(
            f"{path}: a keystore file of another version than {_VERSION}, the only one read here: "
            "write it anew with the wallet that made it"
        )
    return dict(found)


def _accounts() -> type[Account]:
    """Return eth-account, a fifth of a second to import: whoever signs nothing does not wait."""
    from eth_account import Account  # noqa: PLC0415 (see above)

    return Account


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction as it is broadcast; whoever has `raw` can broadcast it again."""

    raw: bytes
    hash: Hash32
    nonce: int

    @property
    def sender(self) -> Address:
        """Who signed it, recovered from the signature."""
        return Address.parse(_accounts().recover_transaction(self.raw))


class TransactionSigner(Protocol):
    """Who signs transactions: a key in this process, or another program that has it."""

    @property
    def address(self) -> Address:
        """Whose transactions they are."""

    @property
    def is_public(self) -> bool:
        """Whether everybody has this key."""

    def sign(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Return `transaction` (the fields that eth-account wants), signed, and nothing else."""


class Signer:
    """A key that signs transactions. It never shows itself: not in `repr`, not in an error."""

    def __init__(self, account: LocalAccount) -> None:
        """Sign with `account`."""
        self._account = account
        self.address = Address.parse(account.address)

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    @classmethod
    def from_keystore(cls, path: Path, password: str) -> Self:
        """Return the key in the keystore file (Web3 Secret Storage, version 3) at `path`.

        Raises:
            KeyFileError: the file cannot be read, is no keystore, or the password is wrong.
        """
        keystore, accounts = _read_keystore(path), _accounts()
        try:
            return cls(accounts.from_key(accounts.decrypt(keystore, password)))
        except (ValueError, TypeError, KeyError, NotImplementedError):
            # The reason is not repeated: a parser's message may quote what is in the file.
            raise KeyFileError(
                f"{path}: the password is wrong, or the keystore file is damaged"
            ) from None

    @classmethod
    def for_test_chain(cls) -> Self:
        """Return `TEST_ADDRESS`, the first account that Anvil and Hardhat fund."""
        return cls(_accounts().from_key(_TEST_KEY))

    @classmethod
    def of_pepper(cls, pepper: Hash32) -> Self:
        """Return the key that a ledger makes from its pepper, its registrar unless it has another.

        Whoever can read the database has it.
        """
        return cls(_accounts().from_key(registrar_key(pepper)))

    @property
    def is_public(self) -> bool:
        """Whether everybody has this key."""
        return self.address in PUBLIC_ADDRESSES

    def sign(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Return `transaction` (the fields that eth-account wants), signed."""
        signed = self._account.sign_transaction(dict(transaction))
        nonce: int = transaction["nonce"]
        return SignedTransaction(bytes(signed.raw_transaction), Hash32(bytes(signed.hash)), nonce)

    def sign_digest(self, digest: Hash32) -> bytes:
        """Return the signature (r, s, v: 65 bytes) over an EIP-712 digest, such as a seal's id."""
        return bytes(self._account.unsafe_sign_hash(Digest(digest)).signature)
