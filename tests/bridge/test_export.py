"""Export and import: the same bytes from the same ledger, and the same ledger from the bytes."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bridge import files, standing
from bridge.errors import BridgeError, ExportFileError, TargetExistsError
from bridge.export import export, write_secrets
from bridge.imports import import_ledger, read_secrets
from ledger import DatabaseFileError, Hash32, Ledger, RefusedError, Rule
from ledger.ids import ledger_chain_id
from tests.bridge.histories import LEDGER_ID, PEPPER, contents, small_ledger, standing_ledger
from tests.core.test_ids import digest, in_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.progress import Progress


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_bytes().splitlines()]


def test_both_databases_export_the_same_bytes(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    with small_ledger(sqlite_url) as one, small_ledger(postgres_url) as other:
        export(one, tmp_path / "one")
        export(other, tmp_path / "other")
        export(one, tmp_path / "again")
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    assert contents(tmp_path / "one") == contents(tmp_path / "again")


def test_import_then_export_gives_the_same_bytes_and_heads(
    database_url: str, exported: Path, tmp_path: Path
) -> None:
    with import_ledger(exported, database_url) as restored:
        assert restored.audit().ok
        assert restored.identity.ledger_id == LEDGER_ID
        assert restored.get_balance("böb", "GOLD") == 2
        export(restored, tmp_path / "again")
        for asset, row in zip(
            restored.assets(),
            json.loads((exported / files.MANIFEST).read_text())["assets"],
            strict=True,
        ):
            assert str(restored.head(asset.symbol).head) == row["head"]
    assert contents(tmp_path / "again") == contents(exported)


# --- what moves nothing ---


def test_both_databases_export_the_same_holds(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    with standing_ledger(sqlite_url) as one, standing_ledger(postgres_url) as other:
        export(one, tmp_path / "one")
        export(other, tmp_path / "other")
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


@pytest.mark.parametrize("pepper", [None, PEPPER], ids=["without pepper", "with pepper"])
def test_what_was_held_limited_and_frozen_goes_there_and_back(
    database_url: str, standing_export: Path, tmp_path: Path, pepper: Hash32 | None
) -> None:
    with import_ledger(standing_export, database_url, pepper=pepper) as restored:
        assert restored.audit().ok
        export(restored, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(standing_export)


def test_a_hold_is_as_the_sealed_entries_left_it(standing_export: Path) -> None:
    """What came after the last sealed entry is left out, or not yet there."""
    rows = _rows(standing_export, standing.HOLDS)
    assert [(row["account_id"], row["amount"], row["remaining"]) for row in rows] == [
        ("alice", "100", "65"), ("dora", "12", "12"), ("alice", "13", "13"),
    ]  # fmt: skip
    accounts = {row["account_id"]: row for row in _rows(standing_export, files.ACCOUNTS)}
    statuses = {name: row["status"] for name, row in accounts.items() if "status" in row}
    assert statuses == {"dora": "frozen", "emil": "frozen", "fred": "closed"}
    limits = [(row["asset"], row["account_id"]) for row in _rows(standing_export, standing.LIMITS)]
    assert limits == [("SCI", "emil"), ("GOLD", "alice")]


def test_keys_of_holds_that_stay_behind_are_refused_after_an_import(
    database_url: str, standing_export: Path
) -> None:
    """Whoever asks again did not hear that the hold was made: another one would be held twice."""
    assert _rows(standing_export, standing.KEYS) == [
        {"idempotency_key": "a hold", "asset": "SCI", "number": 2},
        {"idempotency_key": "hold-2", "asset": "GOLD", "number": 5},
    ]
    with import_ledger(standing_export, database_url, pepper=PEPPER) as restored:
        with pytest.raises(RefusedError) as refusal:
            restored.hold("böb", 1, asset="SCI", idempotency_key="a hold")
        assert refusal.value.rule == Rule.KEY_REUSED
        assert restored.hold("böb", 1, asset="SCI", idempotency_key="hold-4").amount == 1


def test_the_id_of_a_hold_is_what_a_wallet_makes_of_its_row(standing_export: Path) -> None:
    """By eth-account alone, from the row in the file and the types in docs/formats.md."""
    assets = json.loads((standing_export / files.MANIFEST).read_text())["assets"]
    ids = {asset["symbol"]: asset["asset_id"] for asset in assets}
    for row in _rows(standing_export, standing.HOLDS):
        metadata = {
            "reason": row["reason"], "referenceType": row["reference_type"],
            "referenceId": row["reference_id"], "memo": row["memo"],
            "idempotencyKey": row["idempotency_key"], "group": bytes(32), "kind": "hold",
            "cause": bytes(32), "blind": row["blind"],
        }  # fmt: skip
        message = {
            "asset": ids[row["asset"]], "number": row["number"], "from": row["from_address"],
            "to": row["to_address" if row["to_account"] else "from_address"],
            "amount": int(row["amount"]), "timestamp": row["created_at"],
            "expiry": row["expires_at"] or 0,
            "ref": in_ledger(LEDGER_ID, "Metadata", metadata).body,
        }  # fmt: skip
        assert "0x" + digest(in_ledger(LEDGER_ID, "Hold", message)).hex() == row["id"]


def test_without_holds_limits_and_standings_nothing_speaks_of_them(exported: Path) -> None:
    names = set(contents(exported))
    assert not names & set(standing.FILES)
    assert all("status" not in row and "link" not in row for row in _rows(exported, files.ACCOUNTS))
    assert b"last_hold" not in (exported / files.MANIFEST).read_bytes()


def test_numbers_of_holds_are_not_used_again(standing_export: Path, tmp_path: Path) -> None:
    with import_ledger(
        standing_export, f"sqlite:///{tmp_path / 'b.db'}", pepper=PEPPER
    ) as restored:
        assets = json.loads((standing_export / files.MANIFEST).read_text())["assets"]
        last = {asset["symbol"]: asset.get("last_hold", 0) for asset in assets}
        assert last == {"SCI": 2, "GOLD": 9}
        assert restored.hold("alice", 1, asset="GOLD").number > last["GOLD"]


def test_an_import_without_its_pepper_is_read_only_and_with_it_posts_on(
    exported: Path, tmp_path: Path
) -> None:
    with (
        import_ledger(exported, f"sqlite:///{tmp_path / 'blind.db'}") as blind,
        pytest.raises(RefusedError, match="READ_ONLY"),
    ):
        blind.mint("alice", 1, asset="GOLD")
    with import_ledger(exported, f"sqlite:///{tmp_path / 'seeing.db'}", pepper=PEPPER) as seeing:
        before = seeing.head("GOLD").seq
        assert seeing.mint("alice", 1, asset="GOLD").seq == before + 1


def test_import_leaves_a_database_that_holds_a_ledger_as_it_was(
    exported: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    small_ledger(url).close()
    before = contents(tmp_path)
    with pytest.raises(DatabaseFileError, match="ledger"):
        import_ledger(exported, url)
    assert contents(tmp_path) == before


def test_the_report_counts_what_is_there_and_what_is_left_out(book: Ledger, tmp_path: Path) -> None:
    book.mint("alice", 1, asset="GOLD")
    steps: list[Progress] = []
    report = export(book, tmp_path / "x", progress=steps.append)
    assert report.entries == len(_rows(report.path, files.ENTRIES)) == 20
    assert report.accounts == len(_rows(report.path, files.ACCOUNTS)) == 5
    assert (report.batches, report.seals, report.unsealed) == (4, 2, 1)
    assert {step.step for step in steps} == {"entries", "logs"}
    assert all(step.done == step.total for step in steps[-1:])


def test_an_empty_ledger_goes_there_and_back(sqlite_url: str, tmp_path: Path) -> None:
    with Ledger.create(sqlite_url) as empty:
        empty.create_asset("SCI", "SCI token")
        export(empty, tmp_path / "x")
    with import_ledger(tmp_path / "x", f"sqlite:///{tmp_path / 'back.db'}") as back:
        assert [asset.symbol for asset in back.assets()] == ["SCI"]
        export(back, tmp_path / "y")
    assert contents(tmp_path / "x") == contents(tmp_path / "y")


def test_logs_have_the_coordinates_of_the_ledger(book: Ledger, exported: Path) -> None:
    logs = _rows(exported, files.LOGS)
    seals = {hex(sealed.seal.number): str(sealed.id) for sealed in book.seals()}
    assert {log["blockNumber"]: log["blockHash"] for log in logs} == seals
    entries = {row["id"]: row for row in _rows(exported, files.ENTRIES)}
    groups = {row["group"] for row in entries.values()} - {"0x" + "00" * 32}
    assert {log["transactionHash"] for log in logs} == groups | {
        id_ for id_, row in entries.items() if int(row["group"], 16) == 0
    }
    for number in seals:
        block = [log for log in logs if log["blockNumber"] == number]
        assert [log["logIndex"] for log in block] == [hex(n) for n in range(len(block))]
        indexes = [int(log["transactionIndex"], 16) for log in block]
        assert indexes == sorted(indexes)
        assert sorted(set(indexes)) == list(range(max(indexes) + 1))
    manifest = json.loads((exported / files.MANIFEST).read_text())
    assert manifest["chain_id"] == ledger_chain_id(LEDGER_ID)


def test_logs_of_a_group_follow_asset_id_then_seq(exported: Path) -> None:
    manifest = json.loads((exported / files.MANIFEST).read_text())
    by_address = {a["log_address"].lower(): a["asset_id"] for a in manifest["assets"]}
    logs = _rows(exported, files.LOGS)
    (group,) = {row["group"] for row in _rows(exported, files.ENTRIES)} - {"0x" + "00" * 32}
    inside = [by_address[log["address"]] for log in logs if log["transactionHash"] == group]
    assert len(inside) == 3
    assert inside == sorted(inside)


def test_a_token_without_operator_has_a_placeholder_and_with_one_its_address(
    book: Ledger, tmp_path: Path
) -> None:
    export(book, tmp_path / "before")
    first = json.loads((tmp_path / "before" / files.MANIFEST).read_text())["assets"][0]
    assert first["token"] is None
    assert first["log_address"].lower() == "0x" + first["asset_id"][-40:]
    book.set_operator("SCI", book.account("alice").address)
    export(book, tmp_path / "after")
    first = json.loads((tmp_path / "after" / files.MANIFEST).read_text())["assets"][0]
    assert first["token"] == first["log_address"] is not None


def test_export_refuses_a_target_that_is_there(book: Ledger, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").symlink_to(tmp_path / "nowhere")
    for name in ("x", "y"):
        with pytest.raises(TargetExistsError, match="there already"):
            export(book, tmp_path / name)
    with pytest.raises(BridgeError, match="cannot be made"):
        export(book, tmp_path / "no such folder" / "x")


def test_ctrl_c_leaves_no_half_export(book: Ledger, tmp_path: Path) -> None:
    def interrupt(step: Progress) -> None:
        if step.step == "logs":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(book, tmp_path / "x", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


ANOTHER_EXPORT = """
import os, signal, sys
from pathlib import Path
from bridge.export import export
from ledger import Ledger

def progress(step):
    if step.step == "logs" and sys.argv[3] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)

with Ledger.open(sys.argv[1]) as ledger:
    export(ledger, Path(sys.argv[2]), progress=progress)
"""


def another_export(url: str, target: Path, end: str) -> int:
    """Export in a process of its own; return its exit code."""
    command = [sys.executable, "-c", ANOTHER_EXPORT, url, str(target), end]
    return subprocess.run(command, check=False).returncode


def test_the_next_export_sweeps_what_a_killed_one_left(
    book: Ledger, sqlite_url: str, tmp_path: Path
) -> None:
    target = tmp_path / "x"
    assert another_export(sqlite_url, target, "killed") == -signal.SIGKILL
    [left] = tmp_path.glob(".x.*.partial")
    assert list(left.iterdir())
    others = [tmp_path / ".y.1.partial", tmp_path / ".x.y.partial", tmp_path / "x.1.partial"]
    for other in others:
        other.mkdir()
    export(book, target)
    assert not left.exists()
    assert target.is_dir()
    assert all(other.exists() for other in others)


def test_an_export_does_not_sweep_one_that_still_runs(
    book: Ledger, sqlite_url: str, tmp_path: Path
) -> None:
    target = tmp_path / "x"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".x.2.partial").symlink_to(tmp_path / "elsewhere")
    inside: list[Path] = []

    def export_too(step: Progress) -> None:
        if step.step == "logs" and not inside:
            [running] = tmp_path.glob(f".x.{os.getpid()}.partial")
            inside.append(running)
            assert another_export(sqlite_url, target, "done") == 0
            assert running.exists()

    with pytest.raises(TargetExistsError, match="is there by now"):
        export(book, target, progress=export_too)
    assert inside
    assert target.is_dir()
    assert [path.name for path in tmp_path.glob(".x.*")] == [".x.2.partial"]
    assert (tmp_path / "elsewhere").exists()


def test_secrets_are_the_owners_alone_and_never_overwritten(
    book: Ledger, exported: Path, tmp_path: Path
) -> None:
    path = tmp_path / "secrets.json"
    write_secrets(book, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_secrets(path, LEDGER_ID) == PEPPER
    with pytest.raises(TargetExistsError):
        write_secrets(book, path)
    with pytest.raises(ExportFileError, match="another ledger"):
        read_secrets(path, Hash32(bytes(32)))
    with pytest.raises(ExportFileError, match="cannot be read"):
        read_secrets(tmp_path / "none", LEDGER_ID)
    assert all(PEPPER.hex().encode() not in found for found in contents(exported).values())
    with (
        import_ledger(exported, f"sqlite:///{tmp_path / 'b.db'}") as blind,
        pytest.raises(BridgeError, match="pepper"),
    ):
        write_secrets(blind, tmp_path / "other.json")
