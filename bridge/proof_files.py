"""Proofs as files: one canonical JSON document each, read back strictly.

Every byte of a file counts: what is written in another way than this module writes it is refused,
and each value is in a hash that the file states too.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.files import read_account_id, words
from bridge.proofs import (
    BalanceLeaf,
    BalanceProof,
    ConsistencyProof,
    EntryProof,
    Evidence,
    Opening,
    SealSignature,
    StatedSeal,
)
from bridge.strict import (
    Place,
    load_json,
    optional,
    read_address,
    read_amount,
    read_fields,
    read_hash,
    read_hex,
    read_int,
    read_kind,
    read_list,
    read_object,
    read_text,
)
from bridge.words import BATCH, LEAF
from ledger.amounts import MAX_DECIMALS
from ledger.ids import asset_id
from ledger.model import AssetTerms, Batch, EntryWords, Hash32, Metadata, Seal
from ledger.texts import check_memo, check_symbol, check_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bridge.proofs import Proof
    from bridge.strict import Reader, Row

ENTRY: Final = "evm-ledger/entry-proof/1"
BALANCE: Final = "evm-ledger/balance-proof/1"
CONSISTENCY: Final = "evm-ledger/consistency-proof/1"

MAX_BYTES: Final = 2**24
"""No proof is larger: the longest path has 64 hashes, and seals are few."""
MAX_PATH: Final = 256
_MAX_READ: Final = 2**31
MAX_SEALS: Final = 10_000

_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""A larger s is the other form of a signature that also exists (EIP-2)."""


# --- fields ---


def _read_decimals(found: object) -> int:
    """Return a uint8."""
    if (decimals := read_int(found)) > MAX_DECIMALS:
        raise ValueError(f"must be at most {MAX_DECIMALS}")
    return decimals


def _read_path(found: object) -> tuple[Hash32, ...]:
    """Return the hashes of a path."""
    path = read_list(found)
    if len(path) > MAX_PATH:
        raise ValueError(f"must have at most {MAX_PATH} hashes")
    return tuple(map(read_hash, path))


def _read_batch_ids(found: object) -> tuple[Hash32, ...]:
    """Return the ids of a seal's batches, of which it has at least one."""
    ids = tuple(map(read_hash, read_list(found)))
    if len(set(ids)) != len(ids) or not ids:
        raise ValueError("must be one batch id or more, each once")
    return ids


def _read_signature(found: object) -> bytes:
    """Return a signature in its one canonical form."""
    signature = read_hex(found, 65)
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER or signature[64] not in {27, 28}:
        raise ValueError("must be r, s and v, with s in the lower half and v of 1b or 1c")
    return signature


_TERMS: Final[Mapping[str, Reader]] = {
    "symbol": words(check_symbol),
    "name": words(check_text),
    "decimals": _read_decimals,
}
_WORDS: Final[Mapping[str, Reader]] = {
    "seq": read_int,
    "from": read_address,
    "to": read_address,
    "amount": read_amount,
    "timestamp": read_int,
    "ref": read_hash,
    "id": read_hash,
}
_METADATA: Final[Mapping[str, Reader]] = {
    "reason": words(check_text),
    "reference_type": words(check_text),
    "reference_id": words(check_text),
    "memo": words(check_memo),
    "idempotency_key": words(check_text),
    "group": read_hash,
    "kind": read_kind,
    "cause": read_hash,
    "blind": read_hash,
}
_OPENING: Final[Mapping[str, Reader]] = {
    "account_id": read_account_id,
    "blind": read_hash,
    "registrar": read_address,
}
_BATCH: Final[Mapping[str, Reader]] = {
    **BATCH,
    "id": read_hash,
}
_SEAL: Final[Mapping[str, Reader]] = {
    "number": read_int,
    "prev_seal": read_hash,
    "timestamp": read_int,
    "batches": _read_batch_ids,
    "id": read_hash,
}
_SIGNED: Final[Mapping[str, Reader]] = {"signer": read_address, "signature": _read_signature}
_EVIDENCE: Final[Mapping[str, Reader]] = {
    "batch": read_object,
    "seals": read_list,
    "signature": partial(optional, read_object),
}
_HEADER: Final[Mapping[str, Reader]] = {
    "format": read_text,
    "ledger_id": read_hash,
    "asset": read_object,
}
_OPENED: Final = partial(optional, read_object)


# --- rows ---


def _row(fields: Mapping[str, Reader], *values: object) -> Row:
    """Return an object with `fields`, whose bytes are text and whose ints are as they are."""
    return {name: _plain(value) for name, value in zip(fields, values, strict=True)}


def _plain(value: object) -> object:
    """Return a value as JSON has it."""
    if type(value) is bytes:
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value if isinstance(value, int) else str(value)


def _opening_row(opening: Opening | None) -> Row | None:
    """Return the object of an opening."""
    if opening is None:
        return None
    return _row(_OPENING, opening.account_id, opening.blind, opening.registrar)


def _evidence_row(evidence: Evidence) -> Row:
    """Return the object of a batch and its seals."""
    batch, signed = evidence.batch, evidence.signature
    stated = [getattr(batch, name) for name in _BATCH if name != "id"]
    return {
        "batch": _row(_BATCH, *stated, evidence.batch_id),
        "seals": [
            _row(
                _SEAL, it.seal.number, it.seal.prev_seal, it.seal.timestamp, it.seal.batches, it.id
            )
            for it in evidence.seals
        ],
        "signature": signed and _row(_SIGNED, signed.signer, signed.signature),
    }


def _own_rows(proof: Proof) -> tuple[str, Row]:
    """Return the format of a proof and what only its kind has."""
    path = [str(node) for node in proof.path]
    if isinstance(proof, EntryProof):
        entry = proof.entry
        amount = (entry.from_, entry.to, str(entry.amount))
        return ENTRY, {
            "entry": _row(
                _WORDS, entry.seq, *amount, entry.timestamp, Hash32(entry.ref), proof.entry_id
            ),
            "metadata": proof.metadata and _metadata_row(proof.metadata),
            "from_account": _opening_row(proof.from_),
            "to_account": _opening_row(proof.to),
            "path": path,
            **_evidence_row(proof.evidence),
        }
    if isinstance(proof, BalanceProof):
        return BALANCE, {
            "leaf": _row(LEAF, *proof.leaf.texts()),
            "account": _opening_row(proof.account),
            "path": path,
            "root": str(proof.root),
            **_evidence_row(proof.evidence),
        }
    return CONSISTENCY, {
        "old": _evidence_row(proof.old),
        "new": _evidence_row(proof.new),
        "path": path,
    }


def _metadata_row(metadata: Metadata) -> Row:
    """Return the object of what a ref commits to."""
    return _row(_METADATA, *(it if isinstance(it, str) else Hash32(it) for it in metadata))


def dump_proof(proof: Proof) -> bytes:
    """Return the file of a proof."""
    kind, rows = _own_rows(proof)
    asset = proof.asset
    header = {
        "format": kind,
        "ledger_id": str(proof.ledger_id),
        "asset": {"symbol": asset.symbol, "name": asset.name, "decimals": asset.decimals},
    }
    return _dump({**header, **rows})


def _dump(document: Mapping[str, object]) -> bytes:
    """Return a document in the one form that is read: indented, so that people can read it."""
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    return text.encode() + b"\n"


# --- reading ---


def read_proof(path: Path) -> Proof:
    """Return the proof in the file at `path`, as it states itself: `check_proof` tells if it holds.

    Raises:
        ExportFileError: there is no file, or it is no proof as this program writes it.
    """
    return parse_proof(read_file(path), Place(path.name))


def read_file(path: Path) -> bytes:
    """Return what is in a file. Raises ExportFileError."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_READ)
    except OSError as error:
        raise Place(path.name).error(f"cannot be read ({error.strerror})") from None


def parse_proof(text: bytes, place: Place | None = None) -> Proof:
    """Return the proof that `text` is; see `read_proof`. `place` names it in errors."""
    place = place or Place("proof")
    if len(text) > MAX_BYTES:
        raise place.error(f"has more than {MAX_BYTES} bytes: no proof is as large")
    document = load_json(place, text)
    kind = document.get("format") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise place.error("is no proof that this version of evm-ledger knows")
    try:
        canonical = _dump(document)
    except ValueError:
        raise place.error("holds a lone surrogate, which UTF-8 cannot encode") from None
    if canonical != text:
        raise place.error("is not written as this program writes it (spaces, escapes, line end)")
    fields, build = _KINDS[kind]
    found = read_fields(place, document, {**_HEADER, **fields})
    terms = AssetTerms(**read_fields(place.inside("asset"), found["asset"], _TERMS))
    return build(place, terms, found)


def _entry_proof(place: Place, asset: AssetTerms, found: Row) -> EntryProof:
    """Return the proof of an entry."""
    row = read_fields(place.inside("entry"), found["entry"], _WORDS)
    id_ = row.pop("id")
    metadata = found["metadata"]
    if metadata is not None:
        metadata = Metadata(**read_fields(place.inside("metadata"), metadata, _METADATA))
    return EntryProof(
        ledger_id=found["ledger_id"],
        asset=asset,
        entry=EntryWords(asset_id(asset), row["seq"], row["from"], *list(row.values())[2:]),
        entry_id=id_,
        metadata=metadata,
        from_=_opening(place.inside("from_account"), found["from_account"]),
        to=_opening(place.inside("to_account"), found["to_account"]),
        path=found["path"],
        evidence=_evidence(place, asset, found),
    )


def _balance_proof(place: Place, asset: AssetTerms, found: Row) -> BalanceProof:
    """Return the proof of a balance."""
    return BalanceProof(
        ledger_id=found["ledger_id"],
        asset=asset,
        leaf=BalanceLeaf(**read_fields(place.inside("leaf"), found["leaf"], LEAF)),
        account=_opening(place.inside("account"), found["account"]),
        path=found["path"],
        root=found["root"],
        evidence=_evidence(place, asset, found),
    )


def _consistency_proof(place: Place, asset: AssetTerms, found: Row) -> ConsistencyProof:
    """Return the proof that a journal only grew."""
    old, new = (
        _evidence(
            place.inside(name), asset, read_fields(place.inside(name), found[name], _EVIDENCE)
        )
        for name in ("old", "new")
    )
    return ConsistencyProof(found["ledger_id"], asset, old, new, found["path"])


def _opening(place: Place, row: object) -> Opening | None:
    """Return the opening in `row`, if there is one."""
    return None if row is None else Opening(**read_fields(place, row, _OPENING))


def _evidence(place: Place, asset: AssetTerms, found: Row) -> Evidence:
    """Return the batch and the seals among the fields `found`."""
    row = read_fields(place.inside("batch"), found["batch"], _BATCH)
    id_ = row.pop("id")
    if not 0 < len(found["seals"]) <= MAX_SEALS:
        raise place.error(f"must have 1 .. {MAX_SEALS} seals", "seals")
    seals = []
    for position, stated in enumerate(found["seals"]):
        seal = read_fields(place.inside(f"seals[{position}]"), stated, _SEAL)
        seal_id = seal.pop("id")
        seals.append(StatedSeal(Seal(**seal), seal_id))
    signed = found["signature"]
    if signed is not None:
        signed = SealSignature(**read_fields(place.inside("signature"), signed, _SIGNED))
    return Evidence(Batch(asset=asset_id(asset), **row), id_, tuple(seals), signed)


_KINDS: Final[
    Mapping[str, tuple[Mapping[str, Reader], Callable[[Place, AssetTerms, Row], Proof]]]
] = {
    ENTRY: (
        {
            "entry": read_object,
            "metadata": _OPENED,
            "from_account": _OPENED,
            "to_account": _OPENED,
            "path": _read_path,
            **_EVIDENCE,
        },
        _entry_proof,
    ),
    BALANCE: (
        {
            "leaf": read_object,
            "account": _OPENED,
            "path": _read_path,
            "root": read_hash,
            **_EVIDENCE,
        },
        _balance_proof,
    ),
    CONSISTENCY: (
        {"old": read_object, "new": read_object, "path": _read_path},
        _consistency_proof,
    ),
}
