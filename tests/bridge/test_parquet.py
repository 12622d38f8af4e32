"""Our Parquet files: read by Polars and DuckDB as they were meant, and always the same bytes."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.parquet import GROUP_ROWS, Kind, ParquetFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bridge.parquet import Values

COLUMNS = {"a": Kind.UINT32, "b": Kind.UINT64, "c": Kind.DOUBLE, "d": Kind.BINARY, "e": Kind.STRING}
TYPES = {"a": pl.UInt32, "b": pl.UInt64, "c": pl.Float64, "d": pl.Binary, "e": pl.String}
ROWS = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=40),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
FROZEN = "d1226efd1d2342452cb8f501b215bebd67afa67a295d19e89155664b2b4359cd"
FROZEN_EMPTY = "4a824dae2984d30fc4e0de3b1cbc2075868c18537f90061307c3f588e1cd4510"


class Memory:
    """A sink that keeps what is written."""

    def __init__(self) -> None:
        self.content = b""
        self.rows = 0
        self.values: list[tuple[bytes, Values]] = []

    def write(self, data: bytes, rows: int = 1, values: Values | None = None) -> None:
        self.content += data
        self.rows += rows
        if values is not None:
            self.values.append((data, values))


def write(columns: Mapping[str, Kind], rows: Sequence[tuple[object, ...]]) -> Memory:
    """Write `rows` to memory."""
    out = Memory()
    file = ParquetFile(columns, out)
    kinds = list(columns.values())
    for row in rows:
        values = (value.encode() if isinstance(value, str) else value for value in row)
        file.add([kind.pack(value) for kind, value in zip(kinds, values, strict=True)])
    file.end()
    return out


def read(content: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(content))


@given(st.lists(ROWS, max_size=20))
def test_polars_reads_back_what_was_written(rows: list[tuple[object, ...]]) -> None:
    out = write(COLUMNS, rows)
    found = read(out.content)
    assert dict(found.schema) == TYPES
    assert found.rows() == rows
    assert out.rows == len(rows)


def test_both_read_groups_of_rows(tmp_path: Path) -> None:
    numbers = range(2 * GROUP_ROWS + 5)
    out = write({"n": Kind.UINT32, "t": Kind.STRING}, [(n, f"{n:x}") for n in numbers])
    path = tmp_path / "x.parquet"
    path.write_bytes(out.content)
    assert read(out.content).rows() == [(n, f"{n:x}") for n in numbers]
    sums = "count(*), count(distinct t), sum(n), max(t)"
    with duckdb.connect() as connection:
        assert connection.sql(f"SELECT {sums} FROM '{path}'").fetchall() == [  # noqa: S608 (our own path)
            (len(numbers), len(numbers), sum(numbers), max(f"{n:x}" for n in numbers))
        ]
        groups = f"SELECT DISTINCT row_group_num_rows FROM parquet_metadata('{path}') ORDER BY 1"  # noqa: S608 (same)
        assert connection.sql(groups).fetchall() == [(5,), (GROUP_ROWS,)]


def test_a_column_is_described_as_polars_describes_it(tmp_path: Path) -> None:
    """Polars is what cryo writes with: same physical and logical types, null as possible."""
    row = (1, 2, 3.5, b"four", "five")
    (tmp_path / "ours.parquet").write_bytes(write(COLUMNS, [row]).content)
    theirs = pl.DataFrame([row], schema=TYPES, orient="row")
    theirs.write_parquet(tmp_path / "theirs.parquet", compression="lz4")
    words = "name, type, repetition_type, converted_type, logical_type, num_children"
    found = {}
    with duckdb.connect() as connection:
        for name in ("ours", "theirs"):
            query = f"SELECT {words} FROM parquet_schema('{tmp_path / name}.parquet')"  # noqa: S608 (our own path)
            found[name] = connection.sql(query).fetchall()
    assert found["ours"] == found["theirs"]
    assert len(found["ours"]) == 1 + len(COLUMNS)


def test_the_bytes_are_frozen() -> None:
    """Exports that were made stay good: what is written now is what will be written."""
    rows = [(n, n << 33, n / 8, b"\0" * n, "é" * n) for n in range(100)]
    assert sha256(write(COLUMNS, rows).content).hexdigest() == FROZEN
    assert sha256(write(COLUMNS, []).content).hexdigest() == FROZEN_EMPTY


@pytest.mark.parametrize("kind", Kind)
def test_a_byte_leads_to_its_row(kind: Kind) -> None:
    rows = [{"uint32": n, "uint64": n, "double": n / 3}.get(kind.value, b"x" * n) for n in range(9)]
    [(packed, values)] = write({"column": kind}, [(row,) for row in rows]).values
    assert (values.column, values.kind, values.first_row) == ("column", kind, 1)
    begins = [len(b"".join(map(kind.pack, rows[:n]))) for n in range(10)]
    assert begins[-1] == len(packed)
    for at in range(len(packed)):
        row = kind.row_at(packed, at)
        assert begins[row] <= at < begins[row + 1]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Kind.UINT32, -1), (Kind.UINT32, 2**32), (Kind.UINT64, 2**64), (Kind.DOUBLE, "x")],
)
def test_what_does_not_fit_is_not_written(kind: Kind, value: object) -> None:
    with pytest.raises(Exception, match=r"format|required|argument"):
        kind.pack(value)
