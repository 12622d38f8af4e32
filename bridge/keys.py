"""Keys that sign transactions: from a keystore file, or the public one of local test chains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from eth_typing import Hash32 as Digest

from bridge.errors import KeyFileError
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eth_account import Account
    from eth_account.signers.local import LocalAccount

_TEST_KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"


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
        try:
            keystore = json.loads(path.read_text(encoding="utf-8"))
            accounts = _accounts()
            return cls(accounts.from_key(accounts.decrypt(keystore, password)))
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, TypeError, KeyError, NotImplementedError):
            # The reason is not repeated: a parser's message may quote what is in the file.
            raise KeyFileError(f"{path}: no keystore file, or the password is wrong") from None

    @classmethod
    def for_test_chain(cls) -> Self:
        """Return the first account that Anvil and Hardhat fund; everybody knows its key."""
        return cls(_accounts().from_key(_TEST_KEY))

    def sign(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Return `transaction` (the fields that eth-account wants), signed."""
        signed = self._account.sign_transaction(dict(transaction))
        nonce: int = transaction["nonce"]
        return SignedTransaction(bytes(signed.raw_transaction), Hash32(bytes(signed.hash)), nonce)

    def sign_digest(self, digest: Hash32) -> bytes:
        """Return the signature (r, s, v: 65 bytes) over an EIP-712 digest, such as a seal's id."""
        return bytes(self._account.unsafe_sign_hash(Digest(digest)).signature)
