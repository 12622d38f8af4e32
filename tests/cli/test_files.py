from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from bridge import files
from bridge.artifacts import token_address
from bridge.log_files import rows_of_files
from bridge.strict import Place
from ledger import Address, Hash32
from tests.cli.conftest import stock
from tests.cli.shell import Shell, process

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = Path(__file__).parents[1] / "data" / "vectors_v1.json"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(it): it.read_bytes() for it in sorted(folder.rglob("*")) if it.is_file()}


@pytest.fixture
def exported(stocked: Shell) -> Shell:
    """Return a shell whose ledger is exported to `out`, with its secrets."""
    stocked.run("seal")
    stocked.run("export", "out", "--secrets", "secrets")
    return stocked


# --- export and import -----------------------------------------------------------------------


def test_an_export_says_what_is_in_it(any_stocked: Shell) -> None:
    any_stocked.run("seal")
    any_stocked.run("mint", "bob", "1")
    assert any_stocked.run("export", "out") == (
        "out: 2 entries, 3 accounts, 1 batch, 1 seal\n"
        "not sealed yet, so not in it: 1 (evm-ledger seal)\n"
    )
    assert any_stocked.json("export", "again") == {
        "path": "again", "entries": 2, "accounts": 3, "batches": 1, "seals": 1, "unsealed": 1,
    }  # fmt: skip
    assert [it.read_bytes() for it in sorted(Path("out").rglob("*.*"))] == [
        it.read_bytes() for it in sorted(Path("again").rglob("*.*"))
    ]


def test_an_export_becomes_the_same_ledger(exported: Shell) -> None:
    copy = Shell("sqlite:///copy.db")
    said = copy.run("import", "out", "--secrets", "secrets")
    registrar = exported.json("account", "list")[0]["registrar"]
    assert said == (
        "imported 2 entries of 1 asset into sqlite:///copy.db\n"
        "no id proves these, so compare them with what you know:\n"
        f"  registrar of new accounts: {registrar}\n"
        "  SCI: endowment 1000, no operator\n"
    )
    for words in (["audit"], ["account", "list"], ["statement", "alice"], ["supply"]):
        assert copy.json(*words) == exported.json(*words)
    entry = copy.json("transfer", "alice", "bob", "1")
    assert entry["seq"] == 3


def test_an_import_does_not_repeat_the_databases_password(
    exported: Shell, postgres_url: str
) -> None:
    assert exported.run("audit")
    url = make_url(postgres_url).set(password="s3cret")
    said = Shell(url.render_as_string(hide_password=False)).run("import", "out")
    assert "s3cret" not in said
    assert str(url.database) in said


def test_an_import_without_its_secrets_is_read_only(exported: Shell) -> None:
    copy = Shell("sqlite:///copy.db")
    assert "read-only: the pepper was not given (--secrets)" in copy.run("import", "out")
    assert copy.run("audit") == exported.run("audit")
    assert "READ_ONLY" in copy.fails("mint", "bob", "1")
    assert "there are no secrets" in copy.fails("export", "elsewhere", "--secrets", "more")


def test_what_an_import_says_as_json(exported: Shell) -> None:
    copy = Shell("sqlite:///copy.db")
    assert copy.json("import", "out") == {
        "ledger_id": json.loads(Path("out/manifest.json").read_text())["ledger_id"],
        "heads": exported.json("audit")["heads"],
        "not_proved": {
            "registrar": exported.json("account", "list")[0]["registrar"],
            "assets": [
                {
                    "symbol": "SCI",
                    "endowment": exported.json("asset", "list")[0]["endowment"],
                    "operator": None,
                }
            ],
        },
    }


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("registrar", "0x" + "42" * 20, "registrar of new accounts: 0x" + "42" * 20),
        ("endowment", "7" + "0" * 18, "  SCI: endowment 7, no operator"),
        ("operator", "0x" + "42" * 20, "  SCI: endowment 1000, operator 0x" + "42" * 20),
    ],
)
def test_what_no_id_covers_is_shown(exported: Shell, field: str, value: str, *, shown: str) -> None:
    """A forger may change it and mend everything that follows, so the importer must look."""
    place = Place(files.MANIFEST)
    manifest = json.loads(Path("out/manifest.json").read_text(encoding="utf-8"))
    [asset] = manifest["assets"]
    (manifest if field == "registrar" else asset)[field] = value
    exported_asset = files.read_asset(place, asset, 1)
    ledger_id = Hash32.parse(manifest["ledger_id"])
    if token := token_address(ledger_id, exported_asset.asset):
        was = Address.parse(asset["log_address"])
        for name in rows_of_files(manifest["chain_id"], [0]):
            content = Path("out", name).read_bytes().replace(was, token)
            content = content.replace(was.hex().encode(), token.hex().encode())
            Path("out", name).write_bytes(content)
            manifest["files"][name]["sha256"] = sha256(content).hexdigest()
        asset["token"] = asset["log_address"] = str(token)
    del manifest["sha256"]
    Path("out/manifest.json").write_bytes(files.dump_manifest(files.with_checksum(manifest)))
    assert shown in Shell("sqlite:///copy.db").run("import", "out")
    assert exported.run("audit")


def test_secrets_are_for_their_owner_only(exported: Shell) -> None:
    del exported
    assert Path("secrets").stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_over(exported: Shell) -> None:
    before = contents(Path())
    assert exported.fails("export", "out") == "out is there already: give a new name"
    assert exported.fails("export", "new", "--secrets", "secrets").startswith("secrets is there")
    assert "holds a ledger already" in exported.fails("import", "out")
    assert contents(Path()) == before


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def altered(path: Path) -> None:
    text = path.read_bytes()
    path.write_bytes(text[:-9] + bytes([text[-9] ^ 1]) + text[-8:])


@pytest.mark.parametrize("harm", [Path.unlink, longer, shorter, altered])
@pytest.mark.parametrize(
    "name", ["manifest.json", "accounts.jsonl", "entries.jsonl", "logs.jsonl", "batches/000001.bin"]
)
def test_an_export_that_was_harmed(
    exported: Shell, name: str, harm: Callable[[Path], None]
) -> None:
    harm(Path("out", name))
    before = contents(Path("out"))
    del exported
    error = Shell("sqlite:///copy.db").fails("import", "out")
    assert error.startswith(name), error
    assert contents(Path("out")) == before
    assert not Path("copy.db").exists()


def test_an_export_nested_to_exhaust_the_stack(shell: Shell) -> None:
    """In a process of its own, which would end by a signal."""
    Path("deep").mkdir()
    Path("deep/manifest.json").write_bytes(b"[" * 1_000_000)
    done = process("import", "deep", folder=Path(), EVM_LEDGER_DATABASE=shell.database)
    assert (done.returncode, done.stderr) == (2, "error: manifest.json: is not JSON in UTF-8\n")


def test_an_import_of_what_is_no_export(exported: Shell) -> None:
    copy = Shell("sqlite:///copy.db")
    assert "is that an export?" in copy.fails("import", "nowhere")
    assert "is that an export?" in copy.fails("import", "secrets")
    assert "cannot be read" in copy.fails("import", "out", "--secrets", "nowhere")
    other = stock(Shell("sqlite:///other.db"))
    other.run("export", "others", "--secrets", "theirs")
    assert "is of another ledger" in copy.fails("import", "out", "--secrets", "theirs")
    assert not Path("copy.db").exists()
    assert exported.run("audit")


def test_an_import_into_a_database_of_another_program(exported: Shell) -> None:
    shutil.copy(VECTORS, "vectors.json")
    assert exported.run("vectors", "vectors.json")
    assert "is no SQLite database" in Shell("sqlite:///vectors.json").fails("import", "out")
    assert Path("vectors.json").read_bytes() == VECTORS.read_bytes()


# --- vectors ---------------------------------------------------------------------------------


def write(change: Callable[[dict[str, Any]], None]) -> Path:
    document = json.loads(VECTORS.read_text(encoding="utf-8"))
    change(document)
    path = Path("altered.json")
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_golden_vectors_agree(shell: Shell) -> None:
    said = shell.run("vectors", VECTORS)
    agreed = int(said.removeprefix("ok: ").removesuffix(" values agree\n"))
    assert agreed > 150
    assert shell.json("vectors", VECTORS) == {"ok": True, "agreed": agreed}


def test_the_first_vector_that_differs_is_named(shell: Shell) -> None:
    def alter(document: dict[str, Any]) -> None:
        document["entries"][1]["id"] = "0x" + "11" * 32

    path = write(alter)
    said = shell.run("vectors", path, code=1)
    assert said.startswith(f"DIFFERS: entries[1].id is {'0x' + '11' * 32}, must be 0x")
    found = shell.json("vectors", path, code=1)
    original = json.loads(VECTORS.read_text(encoding="utf-8"))["entries"][1]["id"]
    assert (found["ok"], found["name"], found["computed"]) == (False, "entries[1].id", original)


def test_a_vector_that_is_missing_is_named(shell: Shell) -> None:
    path = write(lambda document: document.pop("seals"))
    assert shell.fails("vectors", path) == "altered.json: seals: is missing"


def test_a_vector_that_nothing_checks_is_named(shell: Shell) -> None:
    path = write(lambda document: document.update(extra=1))
    assert shell.fails("vectors", path).startswith("altered.json: extra: is no part of the format")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is not JSON in UTF-8"),
        (b"{", "is not JSON in UTF-8"),
        (b"\xff\xfe", "is not JSON in UTF-8"),
        (b"[1]", "must be an object"),
        (b'{"ledgerId": 1}', "ledgerId: must be text"),
        (b'{"ledgerId": ' + b"9" * 5_000 + b"}", "is not JSON in UTF-8"),
        (b"[" * 100_000, "is not JSON in UTF-8"),
        (b"[" * 900 + b"]" * 900, "must be an object"),
        (b'{"a": 1, "a": 1}', "a: is named twice in one object"),
    ],
)
def test_what_is_no_file_of_vectors(shell: Shell, text: bytes, says: str) -> None:
    Path("some.json").write_bytes(text)
    assert says in shell.fails("vectors", "some.json")


def test_a_file_of_vectors_that_is_not_there(shell: Shell) -> None:
    assert shell.fails("vectors", "x") == "x: cannot be read (No such file or directory)"
    assert shell.fails("vectors", ".") == ".: cannot be read (Is a directory)"
