"""What a token of each version consists of: its code to the byte, and which slot holds what.

Both follow from the ledger alone, so that a node is asked for neither: it is asked to prove them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.artifacts import token_artifact
from ledger.encoding import ledger_domain, uint_word
from ledger.errors import FieldError
from ledger.hashing import keccak, keccak_text
from ledger.model import Address, Hash32

if TYPE_CHECKING:
    from ledger.results import Asset

_BALANCE_SEED: Final = bytes(8) + bytes.fromhex("87a211a2")
"""Solady's: the balance of an account lies at keccak(address || this)."""

_TOTAL_SUPPLY: Final = Hash32(uint_word(0x05345CDF77EB68F44C))
"""Solady's."""


@dataclass(frozen=True, slots=True)
class StateSlots:
    """The slots of what a token says of itself."""

    history: Hash32
    head: Hash32
    counts: Hash32
    """From its lowest bit: batchCount (64 bits), lastSeq (64), live (8)."""
    operator: Hash32
    total_supply: Hash32 = _TOTAL_SUPPLY
    final_seq: Hash32 | None = None
    """Its lowest 64 bits: where a deferral ends, 0 if there is none; None in tokens without any."""


_FIRST: Final = StateSlots(*(Hash32(uint_word(number)) for number in (2, 3, 4, 5)))

_STATE: Final = {
    "LedgerToken/1": _FIRST,
    "LedgerTokenDeferred/1": replace(_FIRST, final_seq=Hash32(uint_word(14))),
}
"""By version, as the compiler lays the variables out (a test asks it)."""


def state_slots(token_version: str) -> StateSlots:
    """Return where a token of that version keeps its state.

    Raises:
        FieldError: this version of the package does not know.
    """
    if (found := _STATE.get(token_version)) is None:
        raise FieldError("token_version", f"nothing is known of {token_version!r}; upgrade?")
    return found


def balance_slot(address: Address) -> Hash32:
    """Return where every version keeps the balance of `address`."""
    return Hash32(keccak(address + _BALANCE_SEED))


def token_code(ledger_id: Hash32, asset: Asset) -> bytes:
    """Return the code of the asset's token: what was compiled, with its immutables in place.

    The operator is no part of it.

    Raises:
        FieldError: this version of the package has no such token.
    """
    artifact = token_artifact(asset.token_version)
    words = (
        ledger_id,
        asset.id,
        ledger_domain(ledger_id),
        keccak_text(asset.name),
        uint_word(asset.decimals),
    )
    code = bytearray(artifact.deployed)
    for word, places in zip(words, artifact.immutables, strict=True):
        for start in places:
            code[start : start + Hash32.size] = word
    return bytes(code)
