"""What registrars sign, and the files in which it travels: claims, and deployments of accounts.

A file holds everything that somebody who was told nothing needs to check it and to send it. Every
field is in the digest that the registrar signs, or makes an address or an id that is; who sends it
compares the rest with the chain.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bridge.errors import AuthorisationError, BridgeError, TargetExistsError
from bridge.files import words
from bridge.strict import (
    Place,
    load_json,
    optional,
    read_address,
    read_fields,
    read_hash,
    read_int,
    read_object,
    read_text,
)
from ledger.account_rules import derived_address
from ledger.amounts import MAX_DECIMALS
from ledger.encoding import TYPES, address_word, digest, uint_word
from ledger.formats import FACTORY
from ledger.hashing import keccak, keccak_text
from ledger.ids import claim_digest, claim_domain
from ledger.keys import canonical_signature, signer_of
from ledger.links import MAX_SIGNATURE
from ledger.model import ZERO_ADDRESS, Address, AssetTerms, Hash32
from ledger.texts import check_symbol, check_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.strict import Reader, Row

CLAIM: Final = "evm-ledger/claim/1"
DEPLOY: Final = "evm-ledger/account-deployment/1"

MAX_BYTES: Final = 2**16
"""No file is larger: a signature has at most 8,192 bytes."""

_DEPLOY_TYPE: Final = (
    "Deploy(bytes32 ledger,bytes32 key,address registrar,address owner,uint256 deadline)"
)
_DOMAIN_TYPE: Final = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_FACTORY_NAME: Final = "AccountFactory"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Authorisation:
    """What both kinds say."""

    chain_id: int
    ledger_id: Hash32
    key: Hash32
    """keccak(blind || account_id): it stands for the account and does not tell its name."""
    registrar: Address
    deadline: int
    """The last second, since 1970, at which it holds."""
    signature: bytes = b""
    """The registrar's: 65 bytes r, s, v of a key, or what a contract wants; empty until signed."""

    @property
    def account(self) -> Address:
        """The derived address that it is about."""
        return derived_address(self.ledger_id, self.key, self.registrar)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAuthorisation(_Authorisation):
    """Lets `wallet` have all that lies at a derived address of one token, on one chain."""

    token: Address
    token_version: str
    """Which contract it is, such as "LedgerToken/1"."""
    asset: AssetTerms
    wallet: Address
    nonce: int
    """How often the account was claimed from on that token before."""

    @property
    def digest(self) -> Hash32:
        """What the registrar signs (EIP-712)."""
        domain = claim_domain(self.asset.name, self.chain_id, self.token)
        return claim_digest(domain, self.key, self.wallet, self.nonce, self.deadline)

    def typed_data(self) -> dict[str, Any]:
        """Return the same as JSON for `eth_signTypedData_v4`, which wallets show."""
        message = {
            "key": str(self.key),
            "wallet": str(self.wallet),
            "nonce": self.nonce,
            "deadline": self.deadline,
        }
        return _typed_data(TYPES["Claim"], self.asset.name, self.chain_id, self.token, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployAuthorisation(_Authorisation):
    """Lets the account's own contract be put at its derived address, for `owner`."""

    owner: Address

    @property
    def digest(self) -> Hash32:
        """What the registrar signs (EIP-712)."""
        struct = keccak(
            keccak_text(_DEPLOY_TYPE)
            + self.ledger_id
            + self.key
            + address_word(self.registrar)
            + address_word(self.owner)
            + uint_word(self.deadline)
        )
        return Hash32(digest(claim_domain(_FACTORY_NAME, self.chain_id, FACTORY), struct))

    def typed_data(self) -> dict[str, Any]:
        """Return the same as JSON for `eth_signTypedData_v4`, which wallets show."""
        message = {
            "ledger": str(self.ledger_id),
            "key": str(self.key),
            "registrar": str(self.registrar),
            "owner": str(self.owner),
            "deadline": self.deadline,
        }
        return _typed_data(_DEPLOY_TYPE, _FACTORY_NAME, self.chain_id, FACTORY, message)


Authorisation: TypeAlias = ClaimAuthorisation | DeployAuthorisation


def _typed_data(
    type_: str, name: str, chain_id: int, contract: Address, message: dict[str, object]
) -> dict[str, Any]:
    """Return the JSON form of an EIP-712 message in a contract's domain."""
    primary = type_.partition("(")[0]
    return {
        "types": {"EIP712Domain": _members(_DOMAIN_TYPE), primary: _members(type_)},
        "primaryType": primary,
        "domain": {
            "name": name,
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": str(contract),
        },
        "message": message,
    }


def _members(type_: str) -> list[dict[str, str]]:
    """Return the members of a struct as JSON has them."""
    inside = type_.partition("(")[2].removesuffix(")")
    return [{"name": name, "type": kind} for kind, name in map(str.split, inside.split(","))]


# --- signatures ---


def is_signed_by_key(authorisation: Authorisation) -> bool:
    """Tell whether the key of the registrar's address made the signature.

    If not, the registrar may be a contract, which its chain can ask (ERC-1271).
    """
    made_by = signer_of(authorisation.digest, authorisation.signature)
    return made_by == authorisation.registrar


def with_signature(authorisation: Authorisation, signature: bytes) -> Authorisation:
    """Return `authorisation` with a signature; of the registrar's key v 0 and 1 become 27 and 28.

    One that is not the key's is kept as it is: if the registrar is a contract, its chain can say.

    Raises:
        AuthorisationError: it is empty, or too long.
    """
    if not 0 < len(signature) <= MAX_SIGNATURE:
        raise AuthorisationError("signature", f"must have 1 .. {MAX_SIGNATURE} bytes")
    by_key = replace(authorisation, signature=canonical_signature(signature) or signature)
    return by_key if is_signed_by_key(by_key) else replace(authorisation, signature=signature)


# --- files ---


def _read_decimals(found: object) -> int:
    """Return a uint8."""
    if (decimals := read_int(found)) > MAX_DECIMALS:
        raise ValueError(f"must be at most {MAX_DECIMALS}")
    return decimals


def _read_somebody(found: object) -> Address:
    """Return an address that is not zero."""
    if (address := read_address(found)) == ZERO_ADDRESS:
        raise ValueError("must not be address zero")
    return address


def _read_signature(found: object) -> bytes:
    """Return a signature's bytes: a key's, or what a contract wants."""
    text = read_text(found)
    try:
        signature = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        signature = b""
    if not signature or len(signature) > MAX_SIGNATURE or text != "0x" + signature.hex():
        raise ValueError(f"must be null, or 0x and lower-case hex of 1 .. {MAX_SIGNATURE} bytes")
    return signature


_ASSET: Final[Mapping[str, Reader]] = {
    "symbol": words(check_symbol),
    "name": words(check_text),
    "decimals": _read_decimals,
}
_ACCOUNT: Final[Mapping[str, Reader]] = {
    "address": read_address,
    "key": read_hash,
    "registrar": _read_somebody,
}
_BEGIN: Final[Mapping[str, Reader]] = {
    "kind": read_text,
    "chain_id": read_int,
    "ledger_id": read_hash,
    "account": read_object,
}
_END: Final[Mapping[str, Reader]] = {
    "deadline": read_int,
    "digest": read_hash,
    "signature": partial(optional, _read_signature),
}
_FIELDS: Final[Mapping[str, Mapping[str, Reader]]] = {
    CLAIM: {
        **_BEGIN,
        "token": read_address,
        "token_version": read_text,
        "asset": read_object,
        "wallet": _read_somebody,
        "nonce": read_int,
        **_END,
    },
    DEPLOY: {**_BEGIN, "owner": _read_somebody, **_END},
}


def dump_authorisation(authorisation: Authorisation) -> str:
    """Return the file of an authorisation, signed or not."""
    row: Row = {
        "kind": CLAIM if isinstance(authorisation, ClaimAuthorisation) else DEPLOY,
        "chain_id": authorisation.chain_id,
        "ledger_id": str(authorisation.ledger_id),
        "account": {
            "address": str(authorisation.account),
            "key": str(authorisation.key),
            "registrar": str(authorisation.registrar),
        },
    }
    if isinstance(authorisation, ClaimAuthorisation):
        asset = authorisation.asset
        row |= {
            "token": str(authorisation.token),
            "token_version": authorisation.token_version,
            "asset": {"symbol": asset.symbol, "name": asset.name, "decimals": asset.decimals},
            "wallet": str(authorisation.wallet),
            "nonce": authorisation.nonce,
        }
    else:
        row["owner"] = str(authorisation.owner)
    signature = authorisation.signature
    row |= {
        "deadline": authorisation.deadline,
        "digest": str(authorisation.digest),
        "signature": "0x" + signature.hex() if signature else None,
    }
    return json.dumps(row, ensure_ascii=False, indent=1) + "\n"


def parse_authorisation(file: str, text: bytes) -> Authorisation:
    """Return the authorisation in `text`; `file` names it in errors.

    That its account and digest follow from its fields is checked, and that a signature is there
    is not: who signed it is for `is_signed_by_key`, or for the registrar's contract, to say.

    Raises:
        ExportFileError: naming the field that is missing, unknown, malformed or altered.
    """
    place = Place(file)
    if len(text) > MAX_BYTES:
        raise place.error(f"is larger than {MAX_BYTES} bytes, so no authorisation")
    row = load_json(place, text)
    if not isinstance(row, dict):
        raise place.error("is not an object")
    kind = row.get("kind")
    if kind not in (CLAIM, DEPLOY):
        raise place.error(f"must be {CLAIM} or {DEPLOY}", "kind")
    found = read_fields(place, row, _FIELDS[kind])
    account = read_fields(place.inside("account"), found.pop("account"), _ACCOUNT)
    stated, address = found.pop("digest"), account.pop("address")
    found["signature"] = found["signature"] or b""
    authorisation: Authorisation
    if found.pop("kind") == CLAIM:
        terms = read_fields(place.inside("asset"), found.pop("asset"), _ASSET)
        authorisation = ClaimAuthorisation(**found, **account, asset=AssetTerms(**terms))
    else:
        authorisation = DeployAuthorisation(**found, **account)
    if address != authorisation.account:
        why = f"must be {authorisation.account}, which ledger_id, key and registrar make"
        raise place.error(why, "account.address")
    if stated != authorisation.digest:
        why = "is not what the fields make: one of them, or it, was altered"
        raise place.error(why, "digest")
    return authorisation


def read_authorisation(path: Path) -> Authorisation:
    """Return the authorisation in the file at `path`.

    Raises:
        ExportFileError: the file cannot be read, or as `parse_authorisation`.
    """
    try:
        with path.open("rb") as file:
            return parse_authorisation(path.name, file.read(MAX_BYTES + 1))
    except OSError as error:
        raise Place(path.name).error(f"cannot be read ({error.strerror})") from None


def write_authorisation(authorisation: Authorisation, path: Path) -> None:
    """Write an authorisation to the new file `path`.

    Raises:
        TargetExistsError: `path` is there already.
        BridgeError: it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(dump_authorisation(authorisation))
    except FileExistsError:
        raise TargetExistsError(f"{path} exists; name another file") from None
    except OSError as error:
        raise BridgeError(f"{path} cannot be written: {error.strerror}") from None
