"""A bad file for each field of each file of an export, made from the tables that read them.

A field that is added to a table is attacked here too; one that is read in a new way fails here
until it is said what is bad for it.
"""

from __future__ import annotations

import io
import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
import pytest

from bridge import (
    cryo,
    etl,
    files,
    log_files,
    manifest,
    standing,
    strict,
)
from bridge.codec import Log
from bridge.codec import Place as LogPlace
from bridge.errors import ExportFileError
from bridge.export import export
from bridge.imports import import_ledger
from bridge.log_checks import ComparedFile
from bridge.parquet import ParquetFile
from bridge.strict import Place
from ledger import Address, Hash32, Link, LinkScheme
from tests.bridge.histories import contents, copied, seal_all, standing_ledger
from tests.bridge.test_imports import _resummed
from tests.bridge.test_interrupted import ROOT
from tests.bridge.test_parquet import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bridge.parquet import Sink
    from bridge.strict import Reader

DOCS = ROOT / "docs"
OPERATED = "operated"
"""An account whose address the operator gave: the only rows with a `link`."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export with every file and every field that there can be."""
    folder = tmp_path_factory.mktemp("full")
    with standing_ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        ledger.create_account(
            OPERATED, 0, asset="GOLD", address=Address(b"\xcd" * 20), link=Link(LinkScheme.OPERATOR)
        )
        ledger.mint(OPERATED, 5, asset="GOLD")
        ledger.set_operator("SCI", ledger.account("alice").address)
        seal_all(ledger)
        return export(ledger, folder / "export").path


# --- what is bad for a field, by how it is read: as text of JSON ---

NEVER = ["true", "[]", "{}", "1.5", "1e3", "NaN"]
"""What no field of another type takes for its own."""

INTEGER = ['"1"', "-1", str(2**63), "null", "1.0", "0x1", "01"]
HEX = ["null", "7", '"0x"', '""']
DIGITS = [
    "5", "null", '""', '"05"', '"+5"', '"-5"', '" 5"', '"5 "', '"5.0"', '"1e3"', '"0x5"', '"5_0"',
    '"\u0665"', '"\uff15"', f'"{2**256}"', f'"{"9" * 200}"',
]  # fmt: skip
WORDS = ["null", "7", '"\\ud800"', '"\\u0000"']
LONG = json.dumps("x" * 300)


def of_hex(size: int) -> list[str]:
    """Return what are not `size` bytes in lower-case hex."""
    digits = ["ab" * (size - 1), "ab" * size + "a", "AB" * size, "ag" * size, "ab" * (size + 1)]
    return [
        *HEX,
        *(f'"0x{each}"' for each in digits),
        f'"{"ab" * size}"',
        f'"0X{"ab" * size}"',
        f'" 0x{"ab" * size}"',
    ]


OPTIONAL = "optional "
BAD: Mapping[str, list[str]] = {
    "read_int": [*INTEGER, *NEVER],
    "read_bool": ["0", "1", "null", '"true"', "[]", "{}", "1.0"],
    "read_hash": [*of_hex(32), *NEVER],
    "read_address": [*of_hex(20), f'"0x{"ab" * 20}"', *NEVER],
    "read_amount": [*DIGITS, *NEVER],
    "read_list": ["{}", "null", '"[]"', "7"],
    "read_object": ["[]", "null", '"{}"', "7"],
    "read_text": ["null", "7", *NEVER],
    "read_account_id": [
        *WORDS, *NEVER, '""', '"e\u0301"', '"tab\\t"', '"\u0378"', f'"0x{"AB" * 20}"', LONG
    ],
    "_read_receiver": [*WORDS, *NEVER, '"e\u0301"', LONG],
    "read_kind": ["null", "7", '"gift"', '"Hold"', *NEVER],
    "read_status": ["null", "7", '"open"', '"lost"', '"Frozen"', *NEVER],
    "read_link": ["null", "7", '""', "[]", "{}", '{"scheme":"operator"}', "true"],
    "read_frontier": ["null", "7", '"0x0"', '"00"', *NEVER],
    "_read_last_hold": ["0", *INTEGER, *NEVER],
    "words(check_text)": [*WORDS, *NEVER, LONG],
    "words(check_memo)": [*WORDS, *NEVER, json.dumps("é" * 2_049, ensure_ascii=False)],
    "words(check_symbol)": [*WORDS, *NEVER, '""', LONG],
    "sha256": [*HEX, f'"{"AB" * 32}"', f'"{"ab" * 31}"', f'"0x{"ab" * 32}"', *NEVER],
    "_read_signature": [*of_hex(65), '" "', '"0x "', *NEVER],
}  # fmt: skip


def kind_of(reader: Reader) -> str:
    """Return how a field is read, as `BAD` calls it."""
    if isinstance(reader, partial):
        assert reader.func is strict.optional
        return OPTIONAL + kind_of(reader.args[0])
    if reader.__qualname__ == "words.<locals>.<lambda>":
        [check] = [cell.cell_contents for cell in reader.__closure__ or ()]
        return f"words({check.__name__})"
    return "sha256" if reader.__name__ == "<lambda>" else reader.__name__


def bad_values(reader: Reader) -> list[str]:
    """Return what a field that is read so must refuse."""
    kind = kind_of(reader)
    bad = BAD[kind.removeprefix(OPTIONAL)]
    return [each for each in bad if each != "null"] if kind.startswith(OPTIONAL) else bad


# --- rows, and how they are made bad ---


class Table(NamedTuple):
    """Rows of one kind: where they are, and what reads them."""

    file: str
    fields: Mapping[str, Reader]
    path: tuple[str | int, ...] = ()
    """Where such a row is inside a document; a line of its own if this is empty."""


TABLES = {
    "entries": Table(files.ENTRIES, files._ENTRY),
    "accounts": Table(files.ACCOUNTS, {**files._ACCOUNT, **files._OF_SOME_ACCOUNTS}),
    "holds": Table(standing.HOLDS, standing._HOLD),
    "limits": Table(standing.LIMITS, standing._LIMITS),
    "keys": Table(standing.KEYS, standing._KEY),
    "manifest": Table(files.MANIFEST, manifest._MANIFEST),
    "assets": Table(
        files.MANIFEST, {**files._ASSET, "last_hold": files._read_last_hold}, ("assets", 0)
    ),
    "seals": Table(files.MANIFEST, files._SEAL, ("seals", 1)),
    "batches": Table(files.MANIFEST, files._BATCH, ("seals", 1, "batches", 0)),
    "files": Table(files.MANIFEST, files._FILE, ("files", files.ACCOUNTS)),
}
FIELDS = [(name, field) for name, table in TABLES.items() for field in table.fields]


class Raw(str):
    """Text of JSON that stands for itself when a row is dumped."""

    __slots__ = ()


def dumped(value: object) -> str:
    """Return `value` as JSON in the canonical form, but for what is raw in it."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(
                f"{json.dumps(name, ensure_ascii=False)}:{dumped(each)}"
                for name, each in value.items()
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(dumped, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


class Change(NamedTuple):
    """A row that was made bad."""

    what: str
    row: dict[str, Any]
    named: str | None
    """The field that the error names; None if it can only say that the line is wrong."""


def row_changes(row: dict[str, Any], field: str, bad: list[str]) -> Iterator[Change]:
    """Yield every bad row that a change of one field makes."""
    others = {name: each for name, each in row.items() if name != field}
    for value in bad:
        yield Change(
            f"is {value[:40]}", row | {field: Raw(value)}, field if is_json(value) else None
        )
    yield Change("is missing", others, field)
    capitals = {(name.upper() if name == field else name): each for name, each in row.items()}
    optional = field in {*files._OF_SOME_ACCOUNTS, "last_hold"}
    yield Change("is in capitals", capitals, field.upper() if optional else field)
    first = {field: row[field], **others}
    moved = first if list(row) != list(first) else {**others, field: row[field]}
    yield Change("is elsewhere", moved, None)
    yield Change("is there twice", {**row, Twice(field): row[field]}, field)
    yield Change("has another beside it", row | {f"{field}_": 1}, f"{field}_")


class Twice(str):
    """The name of a field that is in a row already."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash((str(self), "twice"))

    def __eq__(self, other: object) -> bool:
        return self is other


def is_json(text: str) -> bool:
    """Tell whether `text` can be read at all, if only as a float."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def a_row(folder: Path, table: Table, field: str) -> tuple[int, dict[str, Any]]:
    """Return (line from 1, row) of the first row of a file of lines that has `field`.

    Of accounts one whose address is derived, but for what only others have.
    """
    for number, line in enumerate((folder / table.file).read_bytes().splitlines(), start=1):
        row = json.loads(line)
        if field in row and (field == "link" or row.get("derived", True)):
            return number, row
    raise AssertionError(f"no row has {field}")


def refused(folder: Path, target: Path) -> ExportFileError:
    """Import, which must be refused and leave nothing behind."""
    with pytest.raises(ExportFileError) as refusal:
        import_ledger(folder, f"sqlite:///{target}")
    assert list(target.parent.glob("*.db*")) == []
    return refusal.value


READERS: Mapping[str, Callable[[Place, Any], object]] = {
    "entries": files.read_entry,
    "accounts": files.read_account,
    "holds": standing.read_hold,
    "limits": standing.read_limits,
    "keys": standing.read_key,
}


@pytest.mark.parametrize(("name", "field"), [(n, f) for n, f in FIELDS if n in READERS])
def test_every_bad_value_of_a_line_is_refused_where_it_is_read(
    full: Path, name: str, field: str
) -> None:
    table = TABLES[name]
    number, row = a_row(full, table, field)
    place = Place(table.file, number)
    READERS[name](place, strict.load_line(place, dumped(row).encode() + b"\n"))
    for change in row_changes(row, field, bad_values(table.fields[field])):
        if change.what == "is missing" and field in files._OF_SOME_ACCOUNTS:
            continue  # most accounts have none
        line = dumped(change.row).encode() + b"\n"
        with pytest.raises(ExportFileError) as refusal:
            READERS[name](place, strict.load_line(place, line))
        assert (refusal.value.file, refusal.value.line) == (table.file, number), change.what
        assert refusal.value.field == change.named, change.what


@pytest.mark.parametrize(("name", "field"), [(n, f) for n, f in FIELDS if n in READERS])
def test_an_import_names_file_line_and_field(
    full: Path, tmp_path: Path, name: str, field: str
) -> None:
    table = TABLES[name]
    number, row = a_row(full, table, field)
    folder = copied(full, tmp_path / "x")
    lines = (folder / table.file).read_bytes().splitlines(keepends=True)
    lines[number - 1] = (
        dumped(row | {field: Raw(bad_values(table.fields[field])[0])}).encode() + b"\n"
    )
    (folder / table.file).write_bytes(b"".join(lines))
    _resummed(folder)
    error = refused(folder, tmp_path / "target.db")
    assert (error.file, error.line, error.field) == (table.file, number, field)
    assert str(error).startswith(f"{table.file}, line {number}: {field}: ")


def edited(document: dict[str, Any], path: tuple[str | int, ...], row: dict[str, Any]) -> bytes:
    """Return a manifest in which `row` is at `path`, its checksum right if it can be computed."""
    changed = json.loads(json.dumps(document))
    *above, last = path or ("",)
    inside = changed
    for step in above:
        inside = inside[step]
    if path:
        inside[last] = row
    else:
        changed = row
    text = dumped(changed)
    try:
        plain = json.loads(text, parse_float=float_here, parse_constant=float_here)
    except ValueError:
        return text.encode()
    if any(isinstance(name, Twice) for name in row):
        return text.encode()
    if plain.get("sha256") != document["sha256"] or list(plain)[-1] != "sha256":
        return text.encode()
    del plain["sha256"]
    try:
        return files.dump_manifest(files.with_checksum(plain))
    except ValueError:
        return text.encode()


def float_here(text: str) -> str:
    """Refuse a float, as a reader of exports does."""
    raise ValueError(text)


@pytest.mark.parametrize(("name", "field"), [(n, f) for n, f in FIELDS if n not in READERS])
def test_every_bad_value_of_the_manifest_is_refused(
    full: Path, tmp_path: Path, name: str, field: str
) -> None:
    """The checksum of each is right: it is not what finds it."""
    table = TABLES[name]
    path = copied(full, tmp_path / "x") / files.MANIFEST
    document = json.loads(path.read_bytes())
    row = document
    for step in table.path:
        row = row[step]
    prefix = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in table.path)
    for change in row_changes(row, field, bad_values(table.fields[field])):
        if change.what == "is missing" and field == "last_hold":
            continue  # assets without holds have none; that it must be right is tested below
        path.write_bytes(edited(document, table.path, change.row))
        error = refused(path.parent, tmp_path / "target.db")
        assert error.file == files.MANIFEST, change.what
        if change.named is not None:
            assert error.field in {change.named, f"{prefix}.{change.named}".lstrip(".")}, (
                change.what
            )


# --- what is well written, and not true ---

FREE = {
    ("accounts", "created_at"): "times of creation",
    ("accounts", "status"): "limits and statuses",
    ("holds", "after_seq"): "`after_seq` of holds",
    ("limits", "max_debit"): "limits and statuses",
    ("limits", "max_balance"): "limits and statuses",
    ("keys", "idempotency_key"): "keys of holds",
    ("manifest", "tool"): "`tool`",
    ("manifest", "registrar"): "the registrar of *new* accounts",
    ("manifest", "created_at"): "times of creation",
    ("assets", "endowment"): "endowment",
    ("assets", "last_hold"): "`last_hold`",
}
"""What no id, head, balance or root covers, in the words of docs/bridge.md."""


def another(value: object, reader: Reader) -> object:
    """Return another value of the same form."""
    kind = kind_of(reader)
    if value is None:
        return 1_795_000_000_000_000 if kind.endswith("int") else "7"
    if isinstance(value, int):
        return not value if isinstance(value, bool) else value + 1
    if isinstance(value, dict):
        return {"scheme": "eip712", "chain_id": "0", "signature": "0x" + "11" * 64 + "1b"}
    return another_text(str(value), kind)


def another_text(value: str, kind: str) -> str:
    """Return another text of the same form."""
    if kind.endswith("address"):
        return str(Address(bytes([*bytes.fromhex(value[2:])[:-1], 0x77])))
    if value.isdigit():
        return str(int(value) + 1)
    if kind in {"read_hash", "sha256", "read_frontier"}:
        return value[:-1] + ("1" if value.endswith("0") else "0")
    return OTHERS.get((kind, value), value + "x")


OTHERS = {
    ("read_status", "frozen"): "closed",
    ("read_status", "closed"): "frozen",
    ("read_kind", ""): "reversal",
    ("words(check_symbol)", "SCI"): "GOLD",
    ("words(check_symbol)", "GOLD"): "SCI",
}


def test_what_nothing_covers_is_what_the_page_says() -> None:
    page = " ".join((DOCS / "bridge.md").read_text(encoding="utf-8").split())
    said = page[page.index("Some values are in no id") : page.index("`import` prints registrar")]
    assert [words for words in FREE.values() if words not in said] == []


CONTAINERS = (strict.read_list, strict.read_object)
ELSEWHERE = {("entries", "to_account"): 5, ("limits", "asset"): 2}
"""Where it shows that a row is not true: who was paid has nothing, or the next is misplaced."""


@pytest.mark.parametrize(("name", "field"), [(n, f) for n, f in FIELDS if n in READERS])
def test_what_is_not_true_is_refused_with_its_file_and_line(
    full: Path, tmp_path: Path, name: str, field: str
) -> None:
    table = TABLES[name]
    number, row = a_row(full, table, field)
    folder = copied(full, tmp_path / "x")
    lines = (folder / table.file).read_bytes().splitlines(keepends=True)
    lines[number - 1] = (
        dumped(row | {field: another(row[field], table.fields[field])}).encode() + b"\n"
    )
    (folder / table.file).write_bytes(b"".join(lines))
    _resummed(folder)
    if (name, field) in FREE:
        import_ledger(folder, f"sqlite:///{tmp_path / 'target.db'}").close()
        return
    error = refused(folder, tmp_path / "target.db")
    assert error.file == table.file
    assert error.line == ELSEWHERE.get((name, field), number)
    assert error.field is not None


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (n, f)
        for n, f in FIELDS
        if n not in READERS and n != "files" and TABLES[n].fields[f] not in CONTAINERS
    ],
)
def test_what_is_not_true_in_the_manifest_is_refused(
    full: Path, tmp_path: Path, name: str, field: str
) -> None:
    table = TABLES[name]
    path = copied(full, tmp_path / "x") / files.MANIFEST
    document = json.loads(path.read_bytes())
    row = document
    for step in table.path:
        row = row[step]
    path.write_bytes(
        edited(document, table.path, row | {field: another(row[field], table.fields[field])})
    )
    if (name, field) in FREE:
        import_ledger(path.parent, f"sqlite:///{tmp_path / 'target.db'}").close()
        return
    error = refused(path.parent, tmp_path / "target.db")
    assert error.field is not None


# --- files that follow: every field of every one ---


def compared(name: str, lines: list[bytes], found: bytes) -> ExportFileError:
    """Compare what should be written with what is found, which must be refused."""

    def compare() -> None:
        file = ComparedFile(name, io.BytesIO(found))
        for line in lines:
            file.write(line)
        file.end()

    with pytest.raises(ExportFileError) as refusal:
        compare()
    return refusal.value


SOME = Hash32(bytes(32))
LOG_FIELDS = list(Log(Address(bytes(20)), (), b"", LogPlace(0, SOME, 0, SOME, 0)).to_rpc())
BAD_LOGS = {
    "topics": ["null", "7", "[]", '"x"', f'["0x{"00" * 32}"]', "[1.5]", "{}"],
    "removed": ["true", "null", "0", '""', "0.0"],
}
OF_LOGS = [
    "null",
    "7",
    '""',
    '"0x"',
    '"0X1"',
    '"0x00"',
    f'"0x{"AB" * 32}"',
    '"\\ud800"',
    "1.5",
    "[]",
    "{}",
]


@pytest.mark.parametrize("name", [files.LOGS, log_files.ARRAY])
@pytest.mark.parametrize("field", LOG_FIELDS)
def test_every_field_of_a_log_is_compared(full: Path, name: str, field: str) -> None:
    lines = (full / name).read_bytes().splitlines(keepends=True)
    for number in (2, len(lines) - 1):
        line = lines[number - 1]
        end = b",\n" if line.endswith(b",\n") else b"\n"
        row = json.loads(line.removesuffix(end))
        for change in row_changes(row, field, BAD_LOGS.get(field, OF_LOGS)):
            bad = dumped(change.row).encode() + end
            found = b"".join([*lines[: number - 1], bad, *lines[number:]])
            error = compared(name, lines, found)
            assert (error.file, error.line, error.field) == (name, number, change.named), (
                change.what
            )


@pytest.mark.parametrize("field", etl.COLUMNS)
def test_every_column_of_the_csv_is_compared(full: Path, field: str) -> None:
    lines = (full / etl.FILE).read_bytes().splitlines(keepends=True)
    for number in (1, 2, len(lines)):
        cells = lines[number - 1].removesuffix(b"\r\n").split(b",")
        column = etl.COLUMNS.index(field)
        was = cells[column]
        for bad in (
            b"",
            b"x",
            was + b"0",
            was[:-1],
            b"0" + was,
            b"1e3",
            b"1.0",
            b'"' + was + b'"',
            b"\xff",
        ):
            cells[column] = bad
            found = b"".join([*lines[: number - 1], b",".join(cells) + b"\r\n", *lines[number:]])
            error = compared(etl.FILE, lines, found)
            assert (error.file, error.line, error.field) == (etl.FILE, number, field), bad
        del cells[column]
        found = b"".join([*lines[: number - 1], b",".join(cells) + b"\r\n", *lines[number:]])
        assert "must have 7 columns" in str(compared(etl.FILE, lines, found))


def rewritten(table: pl.DataFrame, out: Sink) -> None:
    """Write rows of transfers as an export does."""
    file = ParquetFile(cryo.COLUMNS, out)
    for row in table.iter_rows():
        values = (value.encode() if isinstance(value, str) else value for value in row)
        file.add(
            [kind.pack(value) for kind, value in zip(cryo.COLUMNS.values(), values, strict=True)]
        )
    file.end()


@pytest.mark.parametrize("field", cryo.COLUMNS)
def test_every_column_of_the_parquet_file_is_compared(full: Path, field: str) -> None:
    [path] = (full / cryo.FOLDER).iterdir()
    name, table = f"{cryo.FOLDER}/{path.name}", pl.read_parquet(path)
    content = path.read_bytes()
    rewritten(table, ComparedFile(name, io.BytesIO(content)))
    for number in (1, 7, len(table)):
        rows = list(table.iter_rows())
        row = dict(zip(table.columns, rows[number - 1], strict=True))
        was = row[field]
        worse = [was[:-1], was + was[-1:]] if type(was) in {str, bytes} else [2 * was + 1, was / 2]
        worse = [type(was)(each) for each in worse if type(was)(each) != was]
        for bad in worse:
            row[field] = bad
            rows[number - 1] = tuple(row.values())
            out = Memory()
            rewritten(pl.DataFrame(rows, schema=table.schema, orient="row"), out)
            with pytest.raises(ExportFileError) as refusal:
                rewritten(table, ComparedFile(name, io.BytesIO(out.content)))
            error = refusal.value
            shifts = isinstance(was, str | bytes)  # what is after it is elsewhere, the header too
            assert error.file == name
            assert (error.line, error.field) == (number, field) or shifts, bad


@pytest.mark.parametrize("name", [files.ENTRIES, standing.HOLDS, etl.FILE, "parquet"])
def test_a_refused_import_leaves_either_database_as_it_was(
    full: Path, database_url: str, tmp_path: Path, name: str
) -> None:
    """So that the right export goes into it afterwards, with nothing left of the wrong one."""
    folder = copied(full, tmp_path / "x")
    [path] = folder.glob(f"{cryo.FOLDER}/*") if name == "parquet" else [folder / name]
    content = bytearray(path.read_bytes())
    at = content.rindex(b"\n" if name == files.ENTRIES else b"0")
    content[at - 1 : at + 1] = {b"}\n": b"\n}"}.get(bytes(content[at - 1 : at + 1]), b"77")
    path.write_bytes(content)
    _resummed(folder)
    with pytest.raises(ExportFileError) as refusal:
        import_ledger(folder, database_url)
    assert refusal.value.file == path.relative_to(folder).as_posix()
    with import_ledger(full, database_url) as ledger:
        assert ledger.audit().ok
        export(ledger, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(full)
