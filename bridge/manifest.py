"""The manifest of an export, read strictly: what must be in the folder, and what it must say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge import files, log_files, standing
from bridge.artifacts import token_address, token_artifact
from bridge.strict import (
    Place,
    Reader,
    Row,
    load_json,
    lone_surrogate,
    read_address,
    read_bool,
    read_fields,
    read_hash,
    read_hex,
    read_int,
    read_list,
    read_object,
    read_text,
)
from ledger.encoding import ledger_domain
from ledger.errors import FieldError
from ledger.ids import first_head, ledger_chain_id
from ledger.results import Sealed, SealedBatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.files import ExportedAsset, FileFacts
    from ledger.model import Address, Hash32

_MANIFEST: Final[Mapping[str, Reader]] = {
    "schema_version": read_int,
    "tool": read_text,
    "ledger_id": read_hash,
    "domain_separator": read_hash,
    "chain_id": read_int,
    "chain_is_virtual": read_bool,
    "registrar": read_address,
    "created_at": read_int,
    "assets": read_list,
    "seals": read_list,
    "files": read_object,
    "sha256": lambda found: read_hex(f"0x{read_text(found)}", 32).hex(),
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export says of itself."""

    ledger_id: Hash32
    registrar: Address
    created_at: int
    assets: tuple[ExportedAsset, ...]
    """In order of creation, which is also their order in `entries.jsonl`."""
    seals: tuple[Sealed, ...]
    files: Mapping[str, FileFacts]
    """Every file but the manifest."""

    @property
    def entries(self) -> int:
        """Entries in the export."""
        return sum(asset.entries for asset in self.assets)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the export in `folder`.

    Raises:
        ExportFileError: it is missing, altered, of another version, or contradicts itself.
    """
    place = Place(files.MANIFEST)
    try:
        text = (folder / files.MANIFEST).read_bytes()
    except OSError as error:
        raise place.error(f"cannot be read ({error.strerror}): is that an export?") from None
    row = load_json(place, text)
    _check_version(place, row)
    found = read_fields(place, row, _MANIFEST)
    _check_checksum(place, row, text)
    assets = _assets(place, found)
    seals = _seals(place, found, {asset.asset.id: asset.asset.symbol for asset in assets})
    _check_assets(place, found["domain_separator"], assets, seals)
    return Manifest(
        ledger_id=found["ledger_id"],
        registrar=found["registrar"],
        created_at=found["created_at"],
        assets=assets,
        seals=seals,
        files=_files(place, found, seals, sum(asset.entries for asset in assets)),
    )


def _check_version(place: Place, row: object) -> None:
    """Refuse other versions before anything else, so that the error says what to do."""
    version = row.get("schema_version") if isinstance(row, dict) else None
    if version != files.SCHEMA_VERSION:
        raise place.error(
            f"must be {files.SCHEMA_VERSION}, not {version!r}: use the evm-ledger that wrote it",
            "schema_version",
        )


def _check_checksum(place: Place, row: Row, text: bytes) -> None:
    """Refuse a manifest that is not as it was written."""
    content = {name: value for name, value in row.items() if name != "sha256"}
    try:
        whole = files.dump_manifest(files.with_checksum(content))
    except ValueError:
        raise lone_surrogate(place, row) from None
    if whole != text:
        raise place.error("the file was altered after it was written", "sha256")


def _assets(place: Place, found: Row) -> tuple[ExportedAsset, ...]:
    """Return the assets, whose addresses and the ledger's own constants must follow."""
    ledger_id = found["ledger_id"]
    _must_be(place, "domain_separator", ledger_domain(ledger_id), found["domain_separator"])
    _must_be(place, "chain_id", ledger_chain_id(ledger_id), found["chain_id"])
    _must_be(place, "chain_is_virtual", expected=True, found=found["chain_is_virtual"])
    assets: list[ExportedAsset] = []
    for position, row in enumerate(found["assets"]):
        at = place.inside(f"assets[{position}]")
        exported = files.read_asset(at, row, position + 1)
        try:
            token_artifact(exported.asset.token_version)
        except FieldError as error:
            raise at.error(error.message, "token_version") from None
        token = token_address(ledger_id, exported.asset)
        _must_be(at, "token", token, exported.token)
        expected = token or files.placeholder_address(exported.asset.id)
        _must_be(at, "log_address", expected, exported.log_address)
        assets.append(exported)
    return tuple(assets)


def _seals(place: Place, found: Row, symbols: Mapping[Hash32, str]) -> tuple[Sealed, ...]:
    """Return the seals; the files of their payloads must be numbered in their order."""
    seals: list[Sealed] = []
    position = 0
    for index, row in enumerate(found["seals"]):
        at = place.inside(f"seals[{index}]")
        seal, seal_id, rows = files.read_seal(at, row)
        batches: list[SealedBatch] = []
        for number, batch_row in enumerate(rows):
            inside = at.inside(f"batches[{number}]")
            found_batch = files.read_batch(inside, batch_row, seal.number, symbols)
            position += 1
            _must_be(inside, "file", files.batch_file(position), found_batch.file)
            batches.append(found_batch.sealed)
        ids = tuple(batch.id for batch in batches)
        seals.append(Sealed(replace(seal, batches=ids), seal_id, tuple(batches)))
    return tuple(seals)


def _check_assets(
    place: Place, domain: Hash32, assets: tuple[ExportedAsset, ...], seals: tuple[Sealed, ...]
) -> None:
    """Refuse an asset whose last batch does not end where the asset says it does."""
    ends = {batch.symbol: batch.batch for sealed in seals for batch in sealed.batches}
    for position, exported in enumerate(assets):
        at = place.inside(f"assets[{position}]")
        end = ends.get(exported.asset.symbol)
        _must_be(at, "entries", end.last_seq if end else 0, exported.entries)
        head = end.new_head if end else first_head(domain, exported.asset.id)
        _must_be(at, "head", head, exported.head)


def _files(
    place: Place, found: Row, seals: tuple[Sealed, ...], entries: int
) -> dict[str, FileFacts]:
    """Return what is said of each file; they must be exactly those that an export has."""
    rows: dict[str, int | None] = {files.ACCOUNTS: None, files.ENTRIES: entries}
    rows |= {name: None for name in standing.FILES if name in found["files"]}
    batches = (batch.batch for sealed in seals for batch in sealed.batches)
    for position, batch in enumerate(batches, start=1):
        rows[files.batch_file(position)] = batch.size
    blocks = [sum(batch.batch.size for batch in sealed.batches) for sealed in seals]
    rows |= log_files.rows_of_files(found["chain_id"], blocks)
    at = place.inside("files")
    for name in found["files"]:
        if name not in rows:
            raise at.error("is no file of this export", name[:80])
    facts: dict[str, FileFacts] = {}
    for name, count in rows.items():
        if name not in found["files"]:
            raise at.error("is missing", name)
        facts[name] = files.read_facts(at.inside(name), found["files"][name])
        if count is not None:
            _must_be(at.inside(name), "rows", count, facts[name].rows)
    return facts


def _must_be(place: Place, field: str, expected: object, found: object) -> None:
    """Refuse a value that does not follow from the others."""
    if expected != found:
        shown = "0x" + expected.hex() if type(expected) is bytes else expected
        raise place.error(f"is {found}, must be {shown}", field)
