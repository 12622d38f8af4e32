"""Links: what proves that an account may have a real address, which somebody holds already.

A key proves it by a signature, which is checked here; a contract wallet by its answer on its own
chain, which the bridge asks for; and an operator may do without proof, which is then recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from ledger.addresses import normalize_account_id
from ledger.encoding import TYPES, ledger_domain
from ledger.errors import FieldError, RefusedError, Rule
from ledger.hashing import keccak
from ledger.ids import link_digest
from ledger.keys import canonical_signature, signer_of
from ledger.model import Hash32

if TYPE_CHECKING:
    from ledger.model import Address

MAX_SIGNATURE: Final = 8_192
"""Bytes in a contract wallet's signature: a hundred owners' of a multisig."""

MAX_CHAIN_ID: Final = 2**256 - 1
"""The largest chain id: one word of the struct that a wallet signs."""

_MISLEADING: Final = frozenset(
    "\\\u061c\u200e\u200f\u2028\u2029"
    + "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
)
"""What could make a line look like two, or run backwards; and what writes them instead."""


class LinkScheme(StrEnum):
    """How it was proved that an account's owner holds its address."""

    EIP712 = "eip712"
    """A key signed the struct `Link`, which wallets show field by field (`link_typed_data`)."""
    EIP191 = "eip191"
    """A key signed the text `link_message` (`personal_sign`; EIP-191, version 0x45)."""
    ERC1271 = "erc1271"
    """A contract wallet answered for a signature (ERC-1271), when the bridge asked it."""
    OPERATOR = "operator"
    """Not at all: the operator answers for it."""


@dataclass(frozen=True, slots=True)
class Link:
    """The proof by which an account has its address; none other than these shapes can exist.

    Raises:
        FieldError: naming `link`, for an unknown scheme, a chain id that is not its scheme's, or a
            signature that is missing, too many, too long, or not bytes.
    """

    scheme: LinkScheme
    chain_id: int = 0
    """Where the contract wallet answered; 0 for every other scheme."""
    signature: bytes | None = None
    """A key's is r, s, v; given v 0 or 1 are kept as 27 or 28. None if the scheme is `operator`."""

    def __post_init__(self) -> None:
        """Refuse wrong shapes, and keep plain values: a scheme may come as text, v as 0 or 1."""
        try:
            scheme = LinkScheme(self.scheme)
        except ValueError:
            known = ", ".join(LinkScheme)
            raise FieldError(
                "link", f"scheme must be one of {known}, not {self.scheme!r}"
            ) from None
        object.__setattr__(self, "scheme", scheme)
        _check_chain_id(scheme, self.chain_id)
        if scheme is LinkScheme.OPERATOR:
            if self.signature is not None:
                raise FieldError("link", "scheme operator has no signature; name the one it is of")
            return
        if not isinstance(self.signature, bytes):
            raise FieldError("link", f"scheme {scheme} needs a signature, as bytes")
        if len(self.signature) > MAX_SIGNATURE:
            raise FieldError("link", f"a signature has at most {MAX_SIGNATURE} bytes")
        kept = self.signature
        if scheme is not LinkScheme.ERC1271:
            kept = canonical_signature(kept) or kept
        object.__setattr__(self, "signature", bytes(kept))


def _check_chain_id(scheme: LinkScheme, chain_id: int) -> None:
    """Refuse a chain id that is not `scheme`'s."""
    if type(chain_id) is not int:
        raise FieldError("link", f"chain id must be an int, not {type(chain_id).__name__}")
    if scheme is LinkScheme.ERC1271:
        if not 0 < chain_id <= MAX_CHAIN_ID:
            raise FieldError("link", "scheme erc1271 needs the id of the chain that it is from")
    elif chain_id != 0:
        raise FieldError("link", f"scheme {scheme} is of no chain: its chain id is 0")


def check_link(ledger_id: Hash32, account_id: str, address: Address, link: Link) -> Link:
    """Return `link`, if it proves that `address` may be `account_id`'s.

    What a contract wallet answered cannot be known here: who gives a link of scheme `erc1271`
    vouches for having asked (`bridge.check_contract_link` does).

    Raises:
        FieldError: `account_id` cannot be one.
        RefusedError: LINK_INVALID; the signature is not canonical, or not by the key of `address`
            over this ledger, account and address.
    """
    account_id = normalize_account_id(account_id)
    if link.signature is None or link.scheme is LinkScheme.ERC1271:
        return link
    if canonical_signature(link.signature) is None:
        raise RefusedError(
            Rule.LINK_INVALID,
            "a key's signature is 65 bytes r, s, v, with s in its lower half and v 27 or 28",
        )
    if link.scheme is LinkScheme.EIP712:
        digest = link_digest(ledger_domain(ledger_id), account_id, address, 0)
    else:
        digest = message_digest(link_message(ledger_id, account_id, address))
    if signer_of(digest, link.signature) != address:
        raise RefusedError(
            Rule.LINK_INVALID,
            f"{address} has not signed ({link.scheme}) that it is account {account_id!r} of ledger "
            f"{ledger_id}: sign with its key what this ledger asks for",
        )
    return link


def link_message(ledger_id: Hash32, account_id: str, address: Address) -> str:
    r"""Return the text that the owner of `address` signs with `personal_sign` (EIP-191).

    The account id comes last and has no line end (control characters are forbidden in it), so that
    no id can add a line or stand for another. A backslash, U+2028, U+2029 and the code points
    that turn the direction of writing are written as \uXXXX, so that it cannot look like that.

    Raises:
        FieldError: `account_id` cannot be one.
    """
    shown = "".join(
        f"\\u{ord(one):04x}" if one in _MISLEADING else one
        for one in normalize_account_id(account_id)
    )
    return (
        "evm-ledger link, version 1\n"
        "\n"
        "I hold this address. The tokens of this account shall be mine, at this address.\n"
        "\n"
        f"Ledger: {ledger_id}\n"
        f"Address: {address}\n"
        f"Account: {shown}"
    )


def message_digest(message: str) -> Hash32:
    """Return what a key signs of a text: EIP-191, version 0x45, the length in UTF-8 bytes."""
    text = message.encode()
    return Hash32(keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text))


def link_typed_data(
    ledger_id: Hash32, account_id: str, address: Address, chain_id: int = 0
) -> dict[str, Any]:
    """Return what a wallet signs by EIP-712, as JSON for `eth_signTypedData_v4`.

    `chain_id` is 0 for a key; for a contract wallet the chain on which it is to answer.

    Raises:
        FieldError: `account_id` cannot be one.
    """
    return {
        "types": {
            "EIP712Domain": _members("string name,string version,bytes32 salt"),
            "Link": _members(TYPES["Link"].removeprefix("Link(").removesuffix(")")),
        },
        "primaryType": "Link",
        "domain": {"name": "evm-ledger", "version": "1", "salt": str(ledger_id)},
        "message": {
            "accountId": normalize_account_id(account_id),
            "wallet": str(address),
            "chainId": chain_id,
        },
    }


def _members(fields: str) -> list[dict[str, str]]:
    """Return EIP-712 members as JSON has them, from their Solidity spelling."""
    pairs = (field.split() for field in fields.split(","))
    return [{"name": name, "type": kind} for kind, name in pairs]
