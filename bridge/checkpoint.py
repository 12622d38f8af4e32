"""Signed checkpoints: a seal that a wallet signed, kept where the operator cannot change it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from bridge.errors import BridgeError
from bridge.new_files import write_new_file
from bridge.strict import (
    Place,
    load_json,
    read_fields,
    read_hash,
    read_int,
    read_list,
    read_text,
)
from bridge.words import BATCH
from ledger.encoding import ledger_domain
from ledger.ids import batch_id, seal_id
from ledger.model import Address, Batch, Hash32, Seal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.keys import Signer
    from bridge.strict import Reader
    from ledger import Ledger
    from ledger.results import Sealed, SealedBatch


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a wallet signed."""

    number: int
    seal_id: Hash32
    """It commits to every seal before it, and so to every entry sealed until then."""
    heads: dict[Hash32, tuple[str, int, bytes]]
    """(symbol, seq, head) by asset id, of the assets that have a batch in this seal. The symbol is
    for people: the signature does not cover it."""
    signature: bytes
    """65 bytes: r, s in the lower half, v of 27 or 28."""


def _read_signature(found: object) -> bytes:
    """Return the 65 bytes of a signature in 0x and hex digits."""
    text = read_text(found)
    try:
        # The library takes b"" for "not given", and raises TypeError: so never b"".
        signature = bytes.fromhex(text.removeprefix("0x")) or bytes(1)
        return Signature(_canonical(signature)).to_bytes()
    except (ValueError, ValidationError, BadSignature) as error:
        raise ValueError("must be a signature of 65 bytes in hex") from error


def _lower(signature: bytes) -> bytes:
    """Return the form of a signature, r || s || v with v as 0 or 1, that contracts accept too."""
    s, v = int.from_bytes(signature[32:64], "big"), signature[64]
    if 2 * s > _ORDER:
        s, v = _ORDER - s, 1 - v
    return signature[:32] + s.to_bytes(32, "big") + bytes([27 + v])


def _canonical(signature: bytes) -> bytes:
    """Return r || s || v with v as 0 or 1, however the wallet wrote it."""
    return signature[:-1] + bytes([signature[-1] % 27]) if signature else signature


_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1: (r, order - s) with the other v is the other form of a signature (EIP-2)."""

_CHECKPOINT: Final[Mapping[str, Reader]] = {
    "ledger_id": read_hash,
    "number": read_int,
    "prev_seal": read_hash,
    "timestamp": read_int,
    "batches": read_list,
    "signature": _read_signature,
}
_BATCH: Final[Mapping[str, Reader]] = {
    "symbol": read_text,
    "asset": read_hash,
    **BATCH,
}


def write_checkpoint(ledger: Ledger, path: Path, signer: Signer) -> Sealed:
    """Write the last seal, signed by `signer`, to the new file `path`; return the seal.

    The signature is over the seal's id, its EIP-712 digest: wallets can make it too.

    Raises:
        BridgeError: nothing is sealed, or the file cannot be written.
        TargetExistsError: `path` is there already.
    """
    sealed = None
    for sealed in ledger.seals():  # noqa: B007 (the last one)
        pass
    if sealed is None:
        raise BridgeError("nothing is sealed yet; run `evm-ledger seal` first")
    seal = sealed.seal
    document = {
        "ledger_id": str(ledger.identity.ledger_id),
        "number": seal.number,
        "prev_seal": str(seal.prev_seal),
        "timestamp": seal.timestamp,
        "batches": [_batch_row(batch) for batch in sealed.batches],
        "signature": "0x" + signer.sign_digest(sealed.id).hex(),
    }
    write_new_file(path, json.dumps(document, indent=1).encode() + b"\n")
    return sealed


def _batch_row(sealed: SealedBatch) -> dict[str, object]:
    """Return what a batch's id commits to, as JSON has it."""
    row: dict[str, object] = {"symbol": sealed.symbol}
    for name in _BATCH:
        if name != "symbol":
            value = getattr(sealed.batch, name)
            row[name] = value if type(value) is int else str(value)
    return row


def read_checkpoint(path: Path, ledger_id: Hash32, signer: Address) -> Checkpoint:
    """Return the checkpoint at `path`, if `signer` signed it for this ledger.

    Raises:
        ExportFileError: the file is malformed, of another ledger, or signed by somebody else.
    """
    place = Place(path.name)
    try:
        row = load_json(place, path.read_bytes())
    except OSError as error:
        raise place.error(f"cannot be read ({error.strerror})") from None
    found = read_fields(place, row, _CHECKPOINT)
    if found["ledger_id"] != ledger_id:
        raise place.error(f"is of another ledger, {found['ledger_id']}", "ledger_id")
    batches = [
        read_fields(place.inside(f"batches[{position}]"), batch, _BATCH)
        for position, batch in enumerate(found["batches"])
    ]
    signed = _seal_id(ledger_domain(ledger_id), found, batches)
    by = _recovered(signed, found["signature"])
    if by != signer:
        raise place.error(f"is signed by {by}, not by {signer}, or was altered", "signature")
    heads = {
        batch["asset"]: (batch["symbol"], batch["last_seq"], batch["new_head"]) for batch in batches
    }
    return Checkpoint(found["number"], signed, heads, _lower(found["signature"]))


def _seal_id(domain: bytes, found: Mapping[str, Any], batches: list[dict[str, Any]]) -> Hash32:
    """Return the id of the seal that the fields make."""
    ids = tuple(
        batch_id(domain, Batch(**{name: batch[name] for name in _BATCH if name != "symbol"}))
        for batch in batches
    )
    return seal_id(domain, Seal(found["number"], found["prev_seal"], found["timestamp"], ids))


def _recovered(digest: Hash32, signature: bytes) -> Address | None:
    """Return whose key made `signature` over `digest`, or None."""
    try:
        public = Signature(signature).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError):
        return None
    return Address(public.to_canonical_address())
