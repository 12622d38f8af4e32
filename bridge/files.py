"""The files of an export: their names, and the rows in them, written and read back strictly.

A row is one line of JSON in one canonical form, so that the same ledger gives the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.strict import (
    Place,
    Reader,
    Row,
    optional,
    read_address,
    read_amount,
    read_bool,
    read_fields,
    read_hash,
    read_hex,
    read_int,
    read_kind,
    read_list,
    read_object,
    read_text,
)
from bridge.words import BATCH
from ledger.addresses import normalize_account_id
from ledger.links import Link, LinkScheme
from ledger.merkle import Frontier
from ledger.model import Address, Batch, Hash32, Seal, Status
from ledger.results import Account, Asset, Entry, SealedBatch
from ledger.texts import check_memo, check_symbol, check_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
ACCOUNTS: Final = "accounts.jsonl"
ENTRIES: Final = "entries.jsonl"
LOGS: Final = "logs.jsonl"
BATCHES: Final = "batches"


def read_frontier(found: object) -> bytes:
    """Return the peaks of a tree, as they are stored."""
    return Frontier.from_bytes(_read_bytes(found)).to_bytes()


def words(check: Callable[..., str]) -> Reader:
    """Return the reader of text that the ledger's own `check` accepts."""
    return lambda found: check(read_text(found), "")


def read_account_id(found: object) -> str:
    """Return an account id as the ledger stores it."""
    text = read_text(found)
    if normalize_account_id(text, "") != text:
        raise ValueError("must be in NFC")
    return text


def read_link(found: object) -> Link:
    """Return the proof of an address, as an account keeps it."""
    row = read_object(found)
    if list(row) != ["scheme", "chain_id", "signature"]:
        raise ValueError("must have scheme, chain_id and signature, in this order")
    signature = optional(_read_bytes, row["signature"])
    link = Link(LinkScheme(read_text(row["scheme"])), read_amount(row["chain_id"]), signature)
    if link.signature != signature:
        raise ValueError("has a signature whose last byte must be 1b or 1c")
    return link


def read_status(found: object) -> Status:
    """Return the status of an account that is not open."""
    status = Status(read_text(found))
    if status == Status.OPEN:
        raise ValueError("must be left out where the account is open")
    return status


def _read_bytes(found: object) -> bytes:
    """Return bytes of any length."""
    text = read_text(found)
    return read_hex(text, max(0, len(text) - 2) // 2)


_ENTRY: Final[Mapping[str, Reader]] = {
    "asset": words(check_symbol),
    "seq": read_int,
    "id": read_hash,
    "head": read_hash,
    "timestamp": read_int,
    "from_account": read_text,
    "to_account": read_text,
    "from_address": read_address,
    "to_address": read_address,
    "amount": read_amount,
    "balance_after_from": read_amount,
    "balance_after_to": read_amount,
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
_ACCOUNT: Final[Mapping[str, Reader]] = {
    "account_id": read_account_id,
    "address": read_address,
    "blind": read_hash,
    "registrar": read_address,
    "derived": read_bool,
    "created_at": read_int,
}
_OF_SOME_ACCOUNTS: Final[Mapping[str, Reader]] = {"status": read_status, "link": read_link}
"""Of one that is not open, and of one whose address was given; no other has such a field."""

_ASSET: Final[Mapping[str, Reader]] = {
    "asset_id": read_hash,
    "symbol": words(check_symbol),
    "name": words(check_text),
    "decimals": read_int,
    "endowment": read_amount,
    "operator": partial(optional, read_address),
    "token_version": read_text,
    "token": partial(optional, read_address),
    "log_address": read_address,
    "entries": read_int,
    "head": read_hash,
}
_BATCH: Final[Mapping[str, Reader]] = {
    "asset_id": read_hash,
    **BATCH,
    "batch_id": read_hash,
    "frontier": read_frontier,
    "file": read_text,
}
_FILE: Final[Mapping[str, Reader]] = {
    "bytes": read_int,
    "rows": read_int,
    "sha256": lambda found: read_hex(f"0x{read_text(found)}", Hash32.size).hex(),
}


def entry_row(entry: Entry) -> Row:
    """Return the row of an entry: every field that its id commits to, and the balances after."""
    return {
        "asset": entry.asset,
        "seq": entry.seq,
        "id": str(entry.id),
        "head": str(entry.head),
        "timestamp": entry.timestamp,
        "from_account": entry.from_account,
        "to_account": entry.to_account,
        "from_address": str(entry.from_address),
        "to_address": str(entry.to_address),
        "amount": str(entry.amount),
        "balance_after_from": str(entry.balance_after_from),
        "balance_after_to": str(entry.balance_after_to),
        "reason": entry.reason,
        "reference_type": entry.reference_type,
        "reference_id": entry.reference_id,
        "memo": entry.memo,
        "idempotency_key": entry.idempotency_key,
        "group": str(entry.group),
        "kind": str(entry.kind),
        "cause": str(entry.cause),
        "blind": str(entry.blind),
    }


def read_entry(place: Place, row: object) -> Entry:
    """Return the entry in `row`; ExportFileError names the field that is wrong."""
    return Entry(**read_fields(place, row, _ENTRY))


def account_row(account: Account) -> Row:
    """Return the row of an account. (id, blind) opens its address; the pepper is not here."""
    row: Row = {
        "account_id": account.account_id,
        "address": str(account.address),
        "blind": str(account.blind),
        "registrar": str(account.registrar),
        "derived": account.derived,
        "created_at": account.created_at,
    }
    if account.status != Status.OPEN:
        row["status"] = str(account.status)
    if account.link is not None:
        row["link"] = _link_row(account.link)
    return row


def _link_row(link: Link) -> Row:
    """Return the object of a proof."""
    signature = None if link.signature is None else f"0x{link.signature.hex()}"
    return {"scheme": str(link.scheme), "chain_id": str(link.chain_id), "signature": signature}


def read_account(place: Place, row: object) -> Account:
    """Return the account in `row`; ExportFileError names the field that is wrong."""
    more = row.keys() if isinstance(row, dict) else ()
    fields = {name: read for name, read in _OF_SOME_ACCOUNTS.items() if name in more}
    return Account(**read_fields(place, row, {**_ACCOUNT, **fields}))


@dataclass(frozen=True, slots=True)
class ExportedAsset:
    """An asset in a manifest, and what the export holds of it."""

    asset: Asset
    token: Address | None
    """Where its token lies; None while it has no operator."""
    log_address: Address
    """The address in `logs.jsonl`: the token, or the placeholder for one."""
    entries: int
    """Entries exported: 1 .. this."""
    head: Hash32
    """The journal's head after them."""
    last_hold: int = 0
    """The greatest number of a hold."""

    def to_row(self) -> Row:
        """Return the asset's object in the manifest."""
        asset = self.asset
        row: Row = {
            "asset_id": str(asset.id),
            "symbol": asset.symbol,
            "name": asset.name,
            "decimals": asset.decimals,
            "endowment": str(asset.endowment),
            "operator": None if asset.operator is None else str(asset.operator),
            "token_version": asset.token_version,
            "token": None if self.token is None else str(self.token),
            "log_address": str(self.log_address),
            "entries": self.entries,
            "head": str(self.head),
        }
        if self.last_hold:
            row["last_hold"] = self.last_hold
        return row


def read_asset(place: Place, row: object, number: int) -> ExportedAsset:
    """Return the asset in `row`, the one created as `number`."""
    has_holds = isinstance(row, dict) and "last_hold" in row
    fields = {**_ASSET, "last_hold": _read_last_hold} if has_holds else _ASSET
    found = read_fields(place, row, fields)
    names = ("token", "log_address", "entries", "head", "last_hold")
    own = {name: found.pop(name) for name in names if name in found}
    asset = Asset(number=number, id=found.pop("asset_id"), **found)
    return ExportedAsset(asset, **own)


def _read_last_hold(found: object) -> int:
    """Return the number of the last hold of an asset that ever had one."""
    number = read_int(found)
    if number == 0:
        raise ValueError("must be left out where there never was a hold")
    return number


def placeholder_address(asset_id: Hash32) -> Address:
    """Return the address that logs carry while a token has none: the last 20 bytes of the id.

    One for each asset, so that a reader who groups logs by address keeps assets apart, and nobody
    has a key or a contract for it.
    """
    return Address(asset_id[12:])


def batch_file(position: int) -> str:
    """Return the file of the payload at `position` (from 1), in order of seal, then asset id."""
    return f"{BATCHES}/{position:06d}.bin"


class BatchFile(NamedTuple):
    """A batch, and the file of its payload."""

    sealed: SealedBatch
    file: str


def batch_row(sealed: SealedBatch, file: str) -> Row:
    """Return a batch's object in the manifest."""
    batch = sealed.batch
    return {
        "asset_id": str(batch.asset),
        "number": batch.number,
        "first_seq": batch.first_seq,
        "last_seq": batch.last_seq,
        "prev_head": str(batch.prev_head),
        "new_head": str(batch.new_head),
        "tree_root": str(batch.tree_root),
        "payload_hash": str(batch.payload_hash),
        "batch_id": str(sealed.id),
        "frontier": "0x" + sealed.frontier.hex(),
        "file": file,
    }


def read_batch(place: Place, row: object, seal: int, symbols: Mapping[Hash32, str]) -> BatchFile:
    """Return the batch in `row`, of a seal; `symbols` names the asset of each id."""
    found = read_fields(place, row, _BATCH)
    id_, file, frontier = (found.pop(name) for name in ("batch_id", "file", "frontier"))
    asset = found.pop("asset_id")
    if asset not in symbols:
        raise place.error("is no asset of this export", "asset_id")
    batch = Batch(asset=asset, **found)
    return BatchFile(SealedBatch(batch, id_, symbols[asset], seal, frontier), file)


_SEAL: Final[Mapping[str, Reader]] = {
    "number": read_int,
    "seal_id": read_hash,
    "prev_seal": read_hash,
    "timestamp": read_int,
    "batches": read_list,
}


def seal_row(seal: Seal, id_: Hash32, batches: list[Row]) -> Row:
    """Return a seal's object in the manifest."""
    return {
        "number": seal.number,
        "seal_id": str(id_),
        "prev_seal": str(seal.prev_seal),
        "timestamp": seal.timestamp,
        "batches": batches,
    }


def read_seal(place: Place, row: object) -> tuple[Seal, Hash32, list[object]]:
    """Return (seal without its batches, its id, the rows of its batches)."""
    found = read_fields(place, row, _SEAL)
    seal = Seal(found["number"], found["prev_seal"], found["timestamp"], ())
    return seal, found["seal_id"], found["batches"]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a manifest says of one file."""

    size: int
    rows: int
    sha256: str

    def to_row(self) -> Row:
        """Return the file's object in the manifest."""
        return {"bytes": self.size, "rows": self.rows, "sha256": self.sha256}


def read_facts(place: Place, row: object) -> FileFacts:
    """Return what a manifest says of a file."""
    found = read_fields(place, row, _FILE)
    return FileFacts(found["bytes"], found["rows"], found["sha256"])


def dump_manifest(manifest: Row) -> bytes:
    """Return a manifest as its file: indented, so that people can read it."""
    return json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"


def with_checksum(manifest: Row) -> Row:
    """Return `manifest` with the sha256 of its own file as it is without this field, put last.

    Against damage, like the other files' sums; what proves an export is that its ids recompute.
    """
    return {**manifest, "sha256": sha256(dump_manifest(manifest)).hexdigest()}
