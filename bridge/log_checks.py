"""Files of an export that follow from its logs: compared with what must be in them."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge import etl, log_files
from bridge.strict import Place, load_line, read_fields

if TYPE_CHECKING:
    from typing import BinaryIO

    from bridge.errors import ExportFileError
    from bridge.parquet import Values

_LONGEST_LINE: Final = 1 << 16
"""What is read of a line that differs, to say how; those that do not are a few hundred bytes."""


class ComparedFile:
    """A file to write to, of which every byte must be there already.

    Writing raises ExportFileError, naming line and field, where the file has something else.
    """

    def __init__(self, name: str, opened: BinaryIO) -> None:
        self._name = name
        self._opened = opened
        self._lines = 0

    def write(self, data: bytes, rows: int = 1, values: Values | None = None) -> None:
        """Compare the next bytes with `data`: in a file of text, one whole line."""
        del rows
        found = self._opened.read(len(data))
        if found != data:
            raise self._difference(data, found, values)
        if values is None:
            self._lines += data.count(b"\n")

    def end(self) -> None:
        """Refuse a file that goes on."""
        if self._opened.read(1):
            raise Place(self._name).error("goes on after its end")

    def _difference(self, data: bytes, found: bytes, values: Values | None) -> ExportFileError:
        """Return the error that says where `found` is not `data`."""
        if values is not None:
            pairs = zip(data, found, strict=False)
            at = next((i for i, (one, other) in enumerate(pairs) if one != other), len(found))
            row = values.first_row + values.kind.row_at(data, at)
            return Place(self._name, row).error("is not what the entries make", values.column)
        if self._name.endswith(".parquet"):
            return Place(self._name).error("is not laid out as this program does")
        place = Place(self._name, self._lines + 1)
        line = (found + self._opened.readline(_LONGEST_LINE)).splitlines(keepends=True)[:1]
        _explain(place, data, b"".join(line))
        return place.error("is not the line that the entries make")


def _explain(place: Place, data: bytes, line: bytes) -> None:
    """Raise the error that names the first field in which `line` is not `data`, if one does."""
    if place.file == etl.FILE:
        cells, found = data.split(b","), line.split(b",")
        if len(found) != len(cells):
            raise place.error(f"must have {len(cells)} columns")
        for name, cell, other in zip(etl.COLUMNS, cells, found, strict=True):
            if cell != other and cell.strip() != other.strip():
                raise place.error(f"must be {cell.decode().strip()}", name)
    elif data.startswith(b"{"):
        expected = json.loads(data.rstrip(b",\n"))
        end = b",\n" if place.file == log_files.ARRAY and line.endswith(b",\n") else b"\n"
        row = load_line(place, line.removesuffix(end) + b"\n")
        read_fields(place, row, {name: partial(_same, value) for name, value in expected.items()})


def _same(expected: object, found: object) -> object:
    """Return `found`, which must be `expected`."""
    if type(found) is not type(expected) or found != expected:
        raise ValueError(f"must be {json.dumps(expected)}, as the entries make it")
    return found
