"""Where in an export the value lies that a finding names: its file, its line, its field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from bridge import files, standing
from bridge.strict import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bridge.errors import ExportFileError
    from bridge.manifest import Manifest
    from bridge.strict import Row
    from ledger.checks import Finding


def _numbered(row: Row) -> str:
    """Return how findings name the row of a hold or of its key."""
    return f"{row['asset']}/{row['number']}"


_ROWS: Final[Mapping[str, tuple[str, Callable[[Row], str]]]] = {
    "token_ledger": (files.ENTRIES, lambda row: f"{row['asset']}/{row['seq']}"),
    "token_accounts": (files.ACCOUNTS, lambda row: str(row["account_id"])),
    "token_holds": (standing.HOLDS, _numbered),
    "token_balances": (standing.LIMITS, lambda row: f"{row['asset']}/{row['account_id']}"),
    "token_keys": (standing.KEYS, _numbered),
}
"""Which file holds the rows of a table, and how findings name one; the manifest holds the rest."""

_FIELDS: Final = {
    ("token_ledger", "group_id"): "group",
    ("token_assets", "id"): "asset_id",
    ("token_batches", "id"): "batch_id",
    ("token_seals", "id"): "seal_id",
}
"""Where a file's field has another name than the column."""


def export_error(folder: Path, manifest: Manifest, finding: Finding) -> ExportFileError:
    """Return the error for a row of the export in `folder` that does not recompute."""
    field = _FIELDS.get((finding.table, finding.what), finding.what)
    message = f"of {finding.row} is {finding.found}, must be {finding.expected}"
    if finding.table not in _ROWS:
        return _place(manifest, finding).error(message, field)
    name, row_of = _ROWS[finding.table]
    if not (folder / name).exists():
        return Place(files.MANIFEST).error(f"{field} {message}")
    line = _line(folder / name, row_of, finding.row)
    if line is None and name == files.ENTRIES:
        line = _counted(manifest, finding.row)
    return Place(name, line).error(message, field)


def _line(path: Path, row_of: Callable[[Row], str], wanted: str) -> int | None:
    """Return the line of the row that is called `wanted`."""
    with path.open("rb") as opened:
        for number, line in enumerate(opened, start=1):
            row: Any = json.loads(line)
            if row_of(row) == wanted:
                return number
    return None


def _counted(manifest: Manifest, wanted: str) -> int | None:
    """Return the line on which the entry `wanted` must be, if it says that it is another."""
    symbol, _, seq = wanted.rpartition("/")
    before = 0
    for exported in manifest.assets:
        if exported.asset.symbol == symbol and seq.isdecimal():
            return before + int(seq)
        before += exported.entries
    return None


def _place(manifest: Manifest, finding: Finding) -> Place:
    """Return the place of an asset, a seal or a batch in the lists of the manifest."""
    place = Place(files.MANIFEST)
    batches: dict[str, int] = {}
    for number, sealed in enumerate(manifest.seals):
        if (finding.table, finding.row) == ("token_seals", str(number + 1)):
            return place.inside(f"seals[{number}]")
        for position, batch in enumerate(sealed.batches):
            batches[batch.symbol] = batches.get(batch.symbol, 0) + 1
            row = f"{batch.symbol}/{batches[batch.symbol]}"
            if (finding.table, finding.row) == ("token_batches", row):
                return place.inside(f"seals[{number}]").inside(f"batches[{position}]")
    for number, exported in enumerate(manifest.assets):
        if (finding.table, finding.row) == ("token_assets", exported.asset.symbol):
            return place.inside(f"assets[{number}]")
    return place
