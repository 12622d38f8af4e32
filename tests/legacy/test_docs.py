"""What docs/import-legacy.md shows in Python is what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.house.test_docs import ROOT, examples
from tests.legacy.old_ledger import generate

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_old_database_is_imported_from_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "docs" / "import-legacy.md"
    ((code, shown),) = examples(page, "tests/legacy/test_docs.py")
    generate(8, 120).write_sqlite(tmp_path / "old.db")
    monkeypatch.chdir(tmp_path)
    exec(code, {})  # noqa: S102 (what the page tells its readers to run)
    assert capsys.readouterr().out == shown
