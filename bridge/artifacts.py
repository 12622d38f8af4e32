"""The compiled contracts that travel in the package, and the addresses that follow from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bridge.codec import encode_arguments
from bridge.errors import NoContractError
from ledger.addresses import DEPLOYMENT_PROXY, create2_address
from ledger.errors import FieldError
from ledger.hashing import keccak
from ledger.model import ZERO_HASH, Address, Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledger.results import Asset

_Places: TypeAlias = tuple[tuple[int, ...], ...]

FACTORY_SALT: Final = ZERO_HASH
"""CREATE2 salt of the AccountFactory, which is one for all ledgers."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A contract as the compiler made it."""

    name: str
    version: str
    compiler: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    """The creation code, without constructor arguments."""
    deployed: bytes
    """The code that it deploys, with zeros where immutables go."""
    immutables: _Places
    """Where each immutable goes in `deployed`, a word each time; in the order of the source."""

    @property
    def label(self) -> str:
        """Name and version, as an asset's `token_version` has it: "LedgerToken/1"."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Creation:
    """What is sent to the deployment proxy, and where the contract then lies."""

    code: bytes
    """Creation code and constructor arguments."""
    salt: Hash32
    address: Address


@lru_cache
def artifact(name: str) -> Artifact:
    """Return the contract of that name.

    Raises:
        FieldError: this version of the package has none of that name.
    """
    source = resources.files("bridge") / "artifacts" / f"{name}.json"
    if not source.is_file():
        raise FieldError("artifact", f"this version of evm-ledger has no contract {name!r}")
    parsed = json.loads(source.read_text(encoding="utf-8"))
    return Artifact(
        name=parsed["name"],
        version=parsed["version"],
        compiler=parsed["compiler"],
        abi=tuple(parsed["abi"]),
        bytecode=bytes.fromhex(parsed["bytecode"][2:]),
        deployed=bytes.fromhex(parsed["deployedBytecode"][2:]),
        immutables=_immutables(parsed["immutableReferences"]),
    )


def _immutables(references: Mapping[str, Sequence[Mapping[str, int]]]) -> _Places:
    """Return the compiler's places of each immutable: it numbers them as the source has them."""
    return tuple(
        tuple(place["start"] for place in references[number])
        for number in sorted(references, key=int)
    )


def token_artifact(token_version: str) -> Artifact:
    """Return the contract that an asset's `token_version` ("LedgerToken/1") names.

    Raises:
        FieldError: this version of the package has none of that name and version.
    """
    found = artifact(token_version.partition("/")[0])
    if found.label != token_version:
        raise FieldError("token_version", f"{token_version!r} is not {found.label!r}; upgrade?")
    return found


def factory_creation() -> Creation:
    """Return how the AccountFactory is deployed, at the same address on every chain."""
    return _creation(artifact("AccountFactory").bytecode, FACTORY_SALT)


def token_creation(ledger_id: Hash32, asset: Asset) -> Creation:
    """Return how the token of `asset` is deployed: salt is the asset's id.

    Constructor: (ledgerId, symbol, name, decimals, operator).

    Raises:
        NoContractError: the asset has no operator yet, so the token has no address.
    """
    if asset.operator is None:
        raise NoContractError(
            f"asset {asset.symbol} has no operator, so its token has no address yet: "
            "run `evm-ledger chain deploy`"
        )
    arguments = encode_arguments(
        ["bytes32", "string", "string", "uint8", "address"],
        [ledger_id, asset.symbol, asset.name, asset.decimals, asset.operator],
    )
    return _creation(token_artifact(asset.token_version).bytecode + arguments, asset.id)


def token_address(ledger_id: Hash32, asset: Asset) -> Address | None:
    """Return where the token of `asset` lies on every chain; None until it has an operator."""
    return None if asset.operator is None else token_creation(ledger_id, asset).address


def _creation(code: bytes, salt: Hash32) -> Creation:
    """Return the creation of `code` through the deployment proxy (EIP-1014)."""
    return Creation(code, salt, create2_address(DEPLOYMENT_PROXY, salt, keccak(code)))
