"""Bad exports: each is refused with the file, line and field, and leaves the database as it was."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import cryo, files
from bridge.errors import ExportFileError
from bridge.imports import import_ledger
from ledger import Ledger
from ledger.ids import ledger_chain_id
from tests.bridge.histories import LEDGER_ID, contents, copied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = [
    "manifest.json",
    "accounts.jsonl",
    "entries.jsonl",
    "logs.jsonl",
    "logs.json",
    "token_transfers.csv",
    next(cryo.files(ledger_chain_id(LEDGER_ID), 2)).name,
    "batches/000002.bin",
]


def _refused(folder: Path, url: str) -> ExportFileError:
    """Import, which must be refused; return the error."""
    with pytest.raises(ExportFileError) as refusal:
        import_ledger(folder, url)
    return refusal.value


def _is_untouched(folder: Path) -> bool:
    """Tell whether no database file was left behind."""
    return not list(folder.glob("*.db*"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "damage",
    [
        lambda _: None,
        lambda content: content + b"\n",
        lambda content: content + content,
        lambda content: content[:-1],
        lambda _: b"",
        lambda content: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:],
    ],
    ids=["missing", "one byte longer", "twice", "one byte shorter", "empty", "altered"],
)
def test_a_damaged_file_is_named_and_nothing_is_imported(
    exported: Path, tmp_path: Path, name: str, damage: Callable[[bytes], bytes | None]
) -> None:
    folder = copied(exported, tmp_path / "x")
    content = damage((folder / name).read_bytes())
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    assert _refused(folder, f"sqlite:///{tmp_path / 'target.db'}").file == name
    assert _is_untouched(tmp_path)


def test_a_file_too_many_is_named(exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path / "x")
    (folder / "batches" / "notes.txt").write_text("hello")
    assert _refused(folder, f"sqlite:///{tmp_path / 'target.db'}").file == "batches/notes.txt"


def test_a_folder_that_is_no_export_says_so(tmp_path: Path) -> None:
    error = _refused(tmp_path, f"sqlite:///{tmp_path / 'target.db'}")
    assert "is that an export?" in str(error)


@pytest.mark.parametrize("name", NAMES[1:])
def test_what_follows_is_compared_even_if_its_sum_is_right(
    exported: Path, tmp_path: Path, name: str
) -> None:
    """Rows twice, the last one left out, two of them swapped, and one byte more."""
    content = (exported / name).read_bytes()
    lines = content.splitlines(keepends=True)
    size = len(lines) // 3
    changed = [
        content + content,
        b"".join(lines[:-1]) or content[:-1],
        b"".join([*lines[:size], *lines[size : size + 2][::-1], *lines[size + 2 :]]),
        content + b" ",
    ]
    folder = copied(exported, tmp_path / "x")
    for each in changed:
        if each == content:
            continue
        (folder / name).write_bytes(each)
        _resummed(folder)
        error = _refused(folder, f"sqlite:///{tmp_path / 'target.db'}")
        said = (error.file, (error.field or "").removeprefix(f"files.{name}."))
        assert said[0] == name or said == (files.MANIFEST, "rows")
        assert _is_untouched(tmp_path)


@given(data=st.data())
def test_any_flipped_byte_is_refused(
    data: st.DataObject, exported: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("flip")
    folder = copied(exported, place / "x")
    name = data.draw(st.sampled_from(sorted(contents(folder))))
    content = bytearray((folder / name).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / name).write_bytes(content)
    assert _refused(folder, f"sqlite:///{place / 'target.db'}").file == name
    assert _is_untouched(place)


# --- whoever writes the sums anew is caught by what must follow ---


def _resummed(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """Change the manifest, and make every sum in it right again."""
    path = folder / files.MANIFEST
    manifest = json.loads(path.read_text())
    for name, facts in manifest["files"].items():
        content = (folder / name).read_bytes()
        facts["bytes"], facts["sha256"] = len(content), sha256(content).hexdigest()
        if name.endswith(".jsonl"):
            facts["rows"] = content.count(b"\n")
    change(manifest)
    del manifest["sha256"]
    path.write_bytes(files.dump_manifest(files.with_checksum(manifest)))


def _edited_line(
    folder: Path, name: str, line: int, edit: Callable[[dict[str, Any]], None]
) -> None:
    """Edit one row (counted from 1) of a file of rows."""
    lines = (folder / name).read_bytes().splitlines(keepends=True)
    row = json.loads(lines[line - 1])
    edit(row)
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    lines[line - 1] = text.encode() + b"\n"
    (folder / name).write_bytes(b"".join(lines))


WRONG_FIELDS: list[tuple[str, str, object]] = [
    ("entries.jsonl", "seq", "3"),
    ("entries.jsonl", "seq", 3.0),
    ("entries.jsonl", "seq", True),
    ("entries.jsonl", "seq", -1),
    ("entries.jsonl", "seq", 2**63),
    ("entries.jsonl", "amount", 5),
    ("entries.jsonl", "amount", "05"),
    ("entries.jsonl", "amount", "-5"),
    ("entries.jsonl", "amount", "1e3"),
    ("entries.jsonl", "amount", "٣"),
    ("entries.jsonl", "amount", str(2**256)),
    ("entries.jsonl", "id", "0x12"),
    ("entries.jsonl", "id", "0x" + "AB" * 32),
    ("entries.jsonl", "from_address", "0x" + "ab" * 20),
    ("entries.jsonl", "kind", "gift"),
    ("entries.jsonl", "reason", None),
    ("entries.jsonl", "reason", "x" * 256),
    ("entries.jsonl", "reason", "\x00"),
    ("entries.jsonl", "memo", "é" * 2_049),
    ("entries.jsonl", "asset", ""),
    ("accounts.jsonl", "account_id", ""),
    ("accounts.jsonl", "account_id", "e\u0301"),
    ("accounts.jsonl", "account_id", "tab\t"),
    ("accounts.jsonl", "derived", 1),
]


@pytest.mark.parametrize(("name", "field", "value"), WRONG_FIELDS)
def test_a_wrong_field_is_named_with_its_line(
    exported: Path, tmp_path: Path, name: str, field: str, value: object
) -> None:
    folder = copied(exported, tmp_path / "x")
    _edited_line(folder, name, 3, lambda row: row.update({field: value}))
    _resummed(folder)
    error = _refused(folder, f"sqlite:///{tmp_path / 'target.db'}")
    assert (error.file, error.line) == (name, 3)
    assert error.field == field
    assert _is_untouched(tmp_path)


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (lambda row: row.pop("memo"), "memo"),
        (lambda row: row.update({"colour": "red"}), "colour"),
        (lambda row: row.update({"seq": row.pop("seq")}), None),
    ],
    ids=["missing", "unknown", "moved"],
)
def test_fields_must_be_exactly_the_fields(
    exported: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], None], field: str | None
) -> None:
    folder = copied(exported, tmp_path / "x")
    _edited_line(folder, "entries.jsonl", 2, edit)
    _resummed(folder)
    error = _refused(folder, f"sqlite:///{tmp_path / 'target.db'}")
    assert (error.file, error.line, error.field) == ("entries.jsonl", 2, field)


@pytest.mark.parametrize(
    "line",
    [b"[]\n", b"{}\n", b"{\n", b"\xff\n", b"NaN\n", b'{"a":1,"a":1}\n', b'{"seq": 1}\n', b"\n"],
)
def test_a_line_that_is_no_row_is_named(exported: Path, tmp_path: Path, line: bytes) -> None:
    folder = copied(exported, tmp_path / "x")
    lines = (folder / "entries.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "entries.jsonl").write_bytes(b"".join([lines[0], line, *lines[2:]]))
    _resummed(folder)
    error = _refused(folder, f"sqlite:///{tmp_path / 'target.db'}")
    assert (error.file, error.line) == ("entries.jsonl", 2)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("entries.jsonl", "amount", "4242"),
        ("entries.jsonl", "reason", "bribe"),
        ("entries.jsonl", "memo", "psst"),
        ("entries.jsonl", "timestamp", 1_790_000_000_000_001),
        ("entries.jsonl", "from_account", "alice"),
        ("entries.jsonl", "balance_after_to", "7"),
        ("entries.jsonl", "blind", "0x" + "11" * 32),
        ("accounts.jsonl", "blind", "0x" + "11" * 32),
        ("accounts.jsonl", "registrar", "0x" + "11" * 20),
        ("accounts.jsonl", "derived", False),
    ],
)
def test_what_does_not_recompute_is_refused(
    exported: Path, tmp_path: Path, name: str, field: str, value: object
) -> None:
    folder = copied(exported, tmp_path / "x")
    _edited_line(folder, name, 3, lambda row: row.update({field: value}))
    _resummed(folder)
    error = _refused(folder, f"sqlite:///{tmp_path / 'target.db'}")
    assert error.file == name
    assert "must be" in str(error)
    assert _is_untouched(tmp_path)


def test_a_log_or_payload_that_no_entry_makes_is_refused_and_leaves_no_trace(
    exported: Path, tmp_path: Path
) -> None:
    folder = copied(exported, tmp_path / "log")
    _edited_line(folder, "logs.jsonl", 5, lambda row: row.update({"logIndex": "0x63"}))
    _resummed(folder)
    error = _refused(folder, f"sqlite:///{tmp_path / 'target.db'}")
    assert (error.file, error.line) == ("logs.jsonl", 5)
    folder = copied(exported, tmp_path / "payload")
    path = folder / "batches" / "000001.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\x09")
    _resummed(folder)
    assert _refused(folder, f"sqlite:///{tmp_path / 'target.db'}").file == "batches/000001.bin"
    assert _is_untouched(tmp_path)


def test_a_bad_log_leaves_a_postgresql_database_empty(
    exported: Path, tmp_path: Path, postgres_url: str
) -> None:
    folder = copied(exported, tmp_path / "log")
    _edited_line(folder, "logs.jsonl", 5, lambda row: row.update({"logIndex": "0x63"}))
    _resummed(folder)
    _refused(folder, postgres_url)
    import_ledger(exported, postgres_url).close()
    with Ledger.open(postgres_url) as restored:
        assert restored.audit().ok


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (lambda m: m.update(schema_version=2), "schema_version"),
        (lambda m: m.update(schema_version=True), "schema_version"),
        (lambda m: m.update(chain_id=1), "chain_id"),
        (lambda m: m.update(chain_is_virtual=False), "chain_is_virtual"),
        (lambda m: m.update(domain_separator="0x" + "11" * 32), "domain_separator"),
        (lambda m: m.update(extra=1), "extra"),
        (lambda m: m.pop("tool"), "tool"),
        (lambda m: m.update(assets={}), "assets"),
        (lambda m: m["assets"][0].update(decimals="18"), "assets[0].decimals"),
        (lambda m: m["assets"][0].update(entries=3), "assets[0].entries"),
        (lambda m: m["assets"][0].update(head="0x" + "11" * 32), "assets[0].head"),
        (lambda m: m["assets"][0].update(log_address=m["registrar"]), "assets[0].log_address"),
        (lambda m: m["assets"][0].update(token=m["registrar"]), "assets[0].token"),
        (lambda m: m["assets"][0].update(token_version="Coin/9"), "assets[0].token_version"),
        (lambda m: m["seals"][0]["batches"][0].update(file="../x"), "seals[0].batches[0].file"),
        (
            lambda m: m["seals"][0]["batches"][0].update(asset_id="0x" + "11" * 32),
            "seals[0].batches[0].asset_id",
        ),
        (lambda m: m["files"].update({"/etc/passwd": {}}), "files./etc/passwd"),
        (lambda m: m["files"].pop("logs.jsonl"), "files.logs.jsonl"),
        (lambda m: m["files"]["logs.jsonl"].update(rows=1), "files.logs.jsonl.rows"),
    ],
)
def test_a_wrong_field_of_the_manifest_is_named(
    exported: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], None], field: str
) -> None:
    folder = copied(exported, tmp_path / "x")
    _resummed(folder, edit)
    error = _refused(folder, f"sqlite:///{tmp_path / 'target.db'}")
    assert (error.file, error.field) == ("manifest.json", field)


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m["assets"][0].update(name="Fool's gold"),
        lambda m: m["seals"][0].update(timestamp=5),
        lambda m: m["seals"][0].update(prev_seal="0x" + "11" * 32),
        lambda m: m["seals"][1]["batches"][0].update(tree_root="0x" + "11" * 32),
        lambda m: m["seals"][1]["batches"][0].update(batch_id="0x" + "11" * 32),
        lambda m: m["seals"][1]["batches"][0].update(number=7),
        lambda m: m["seals"].reverse(),
    ],
)
def test_what_the_manifest_says_must_recompute(
    exported: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], None]
) -> None:
    folder = copied(exported, tmp_path / "x")
    _resummed(folder, edit)
    _refused(folder, f"sqlite:///{tmp_path / 'target.db'}")
    assert _is_untouched(tmp_path)


# --- what moves nothing: pending holds, limits, standings ---


def _lines_moved(folder: Path, name: str, order: list[int]) -> None:
    """Write the lines of a file in another order, or some of them."""
    lines = (folder / name).read_bytes().splitlines(keepends=True)
    (folder / name).write_bytes(b"".join(lines[position] for position in order))


STANDING: dict[str, tuple[str, int, dict[str, Any]]] = {
    "remaining": ("holds.jsonl", 1, {"remaining": "66"}),
    "amount": ("holds.jsonl", 1, {"amount": "101"}),
    "blind": ("holds.jsonl", 2, {"blind": "0x" + "11" * 32}),
    "memo": ("holds.jsonl", 1, {"memo": "x"}),
    "key": ("holds.jsonl", 2, {"idempotency_key": "burn-1"}),
    "expiry": ("holds.jsonl", 2, {"expires_at": 1_795_000_000_000_000}),
    "after": ("holds.jsonl", 3, {"after_seq": 99}),
    "receiver": ("holds.jsonl", 1, {"to_account": "carol 🙂"}),
    "number": ("holds.jsonl", 3, {"number": 99}),
    "asset": ("holds.jsonl", 1, {"asset": "SCI"}),
    "no asset": ("holds.jsonl", 1, {"asset": "IRON"}),
    "limits of nobody": ("limits.jsonl", 1, {"account_id": "nobody"}),
    "key of no hold": ("keys.jsonl", 2, {"number": 99}),
    "key of a pending hold": ("keys.jsonl", 2, {"number": 2}),
    "key of no asset": ("keys.jsonl", 2, {"asset": "IRON"}),
    "key of an entry": ("keys.jsonl", 1, {"idempotency_key": "burn-1"}),
    "empty key": ("keys.jsonl", 1, {"idempotency_key": ""}),
    "closed": ("accounts.jsonl", 2, {"status": "closed"}),
}


@pytest.mark.parametrize("what", STANDING)
def test_what_moves_nothing_must_follow_too(
    standing_export: Path, tmp_path: Path, what: str
) -> None:
    folder = copied(standing_export, tmp_path / "x")
    name, line, change = STANDING[what]
    _edited_line(folder, name, line, lambda row: row.update(change))
    _resummed(folder)
    assert _refused(folder, f"sqlite:///{tmp_path / 'target.db'}").file == name
    assert _is_untouched(tmp_path)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("holds.jsonl", [1, 0, 2]),
        ("holds.jsonl", [0, 0, 1, 2]),
        ("holds.jsonl", []),
        ("limits.jsonl", [1, 0]),
        ("limits.jsonl", [0, 0, 1]),
        ("limits.jsonl", []),
        ("keys.jsonl", [1, 0]),
        ("keys.jsonl", [0, 0, 1]),
        ("keys.jsonl", []),
    ],
)
def test_rows_of_what_moves_nothing_are_in_their_order(
    standing_export: Path, tmp_path: Path, name: str, order: list[int]
) -> None:
    folder = copied(standing_export, tmp_path / "x")
    _lines_moved(folder, name, order)
    _resummed(folder)
    assert _refused(folder, f"sqlite:///{tmp_path / 'target.db'}").file == name


def test_a_file_of_holds_that_the_manifest_does_not_know_is_refused(
    exported: Path, standing_export: Path, tmp_path: Path
) -> None:
    folder = copied(exported, tmp_path / "x")
    (folder / "holds.jsonl").write_bytes((standing_export / "holds.jsonl").read_bytes())
    assert _refused(folder, f"sqlite:///{tmp_path / 'target.db'}").file == "holds.jsonl"


def test_numbers_of_holds_must_be_counted(standing_export: Path, tmp_path: Path) -> None:
    folder = copied(standing_export, tmp_path / "x")
    _resummed(folder, lambda manifest: manifest["assets"][1].pop("last_hold"))
    assert _refused(folder, f"sqlite:///{tmp_path / 'target.db'}").file == "holds.jsonl"
