"""An export read as a ledger, without the database that it came from."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest

from bridge.errors import ExportFileError
from bridge.opened import open_export
from ledger import LedgerError
from tests.bridge.histories import small_ledger

if TYPE_CHECKING:
    from pathlib import Path


def test_holds_what_the_ledger_holds_and_leaves_nothing(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads and balances are those of the ledger; the temporary folder is gone afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with (
        small_ledger(f"sqlite:///{tmp_path / 'own.db'}") as own,
        open_export(exported) as opened,
    ):
        for asset in own.assets():
            sealed = [batch for seal in own.seals() for batch in seal.batches]
            last = max(b.batch.last_seq for b in sealed if b.symbol == asset.symbol)
            assert opened.head(asset.symbol).seq == last
            entries = list(opened.entries(asset.symbol, 1, last))
            assert [entry.head for entry in entries] == [
                entry.head for entry in own.entries(asset.symbol, 1, last)
            ]
        account = next(iter(opened.accounts()))
        with pytest.raises(LedgerError, match="pepper"):
            opened.create_account(f"{account.account_id}-2")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_refuses_what_import_refuses(exported: Path, tmp_path: Path) -> None:
    """A flipped byte is found before anything is read."""
    folder = tmp_path / "copy"
    shutil.copytree(exported, folder)
    path = folder / "entries.jsonl"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ExportFileError, match=r"entries\.jsonl"), open_export(folder):
        pytest.fail("it was opened")
