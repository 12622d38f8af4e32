"""People with keys, whose transactions every test node signs itself (they are its own accounts)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from eth_account import Account
from eth_account.messages import encode_typed_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eth_account.signers.local import LocalAccount

# The development mnemonic of Anvil and Hardhat; its keys guard nothing.
_KEYS: Final = (
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
)
OPERATOR, REGISTRAR, ALICE, BOB, STRANGER = (Account.from_key(key) for key in _KEYS)

CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def sign(
    person: LocalAccount, domain: Mapping[str, Any], name: str, fields: str, message: dict[str, Any]
) -> bytes:
    """Return 65 bytes r, s, v of a struct `name` with `fields` ("bytes32 key,address wallet")."""
    typed = encode_typed_data(dict(domain), {name: members(fields)}, message)
    return bytes(person.sign_message(typed).signature)


def members(fields: str) -> list[dict[str, str]]:
    """Return EIP-712 members from their Solidity spelling."""
    pairs = (field.split() for field in fields.split(","))
    return [{"type": kind, "name": name} for kind, name in pairs]


def malleable(signature: bytes) -> bytes:
    """Return the other signature of the same message by the same key: high s, the other v."""
    s = CURVE_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
