"""Exports that are killed, interrupted, or run out of disk: whole at their target, or not there."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import BridgeError, TargetExistsError
from bridge.export import export
from bridge.new_files import write_new_file
from tests.bridge.interrupting import FULL, INTERRUPTED, WORKS, digest

if TYPE_CHECKING:
    from ledger import Ledger

ROOT = Path(__file__).parents[2]
ENDS = {
    "killed": -signal.SIGKILL,
    "at random": -signal.SIGKILL,
    "interrupted": INTERRUPTED,
    "full": FULL,
}


def rounds(url: str, target: Path, what: str, how: str) -> list[dict[str, Any]]:
    """Return what was there after each attempt; the last one was left alone."""
    command = [sys.executable, "-m", "tests.bridge.interrupting", url, str(target), what, how]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("what", WORKS)
@pytest.mark.parametrize("how", ENDS)
def test_what_ends_early_is_whole_or_not_there(
    book: Ledger, sqlite_url: str, tmp_path: Path, what: str, how: str
) -> None:
    whole = tmp_path / "whole"
    WORKS[what](book, whole)
    found = rounds(sqlite_url, tmp_path / "x", what, how)
    *early, last = found
    assert len(early) >= 2
    assert {each["ended"] for each in early} <= {ENDS[how], 0}
    assert {each["target"] for each in found} <= {digest(whole), None}
    assert any(each["target"] is None for each in early) or how == "at random"
    if how in {"interrupted", "full"}:
        assert all(each["left"] == [] for each in found)
    else:  # the next one removes what a killed one left
        assert all(len(each["left"]) <= 1 for each in found)
        assert any(each["left"] for each in found) or how == "at random"
    assert last == {"ended": 0, "target": digest(whole), "left": []}


def test_everything_is_on_the_disk_before_it_has_its_name(
    book: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the rename finds every file whole, and every name in its folder."""
    flushed: list[int] = []
    before: set[int] = set()
    fsync, rename = os.fsync, os.rename

    def flush(opened: int) -> None:
        flushed.append(os.fstat(opened).st_ino)
        fsync(opened)

    def move(source: Path, target: Path) -> None:
        before.update(flushed)
        rename(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "rename", move)
    export(book, tmp_path / "x")
    there = [tmp_path / "x", *(tmp_path / "x").rglob("*")]
    assert len(there) > 8
    assert {path.stat().st_ino for path in there} <= before
    assert flushed[-1] == tmp_path.stat().st_ino


def test_a_new_file_is_never_written_over_another(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_new_file(file, b"first", mode=0o600)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for target in (file, link):
        with pytest.raises(TargetExistsError, match="name another file"):
            write_new_file(target, b"second")
    with pytest.raises(BridgeError, match="cannot be written"):
        write_new_file(tmp_path / "no such folder" / "file", b"")
    assert file.read_bytes() == b"first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_target_that_appears_meanwhile_is_kept(book: Ledger, tmp_path: Path) -> None:
    target = tmp_path / "x"

    def appear(_: object) -> None:
        target.mkdir(exist_ok=True)
        (target / "mine").touch()

    with pytest.raises(TargetExistsError, match="is there by now"):
        export(book, target, progress=appear)
    assert [path.name for path in target.iterdir()] == ["mine"]
    assert list(tmp_path.glob(".x.*")) == []
