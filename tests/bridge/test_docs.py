"""What docs/bridge.md says of files and mismatches is all there is."""

from __future__ import annotations

import re
from pathlib import Path

from bridge import etl, files, log_files
from bridge.chain import LOCAL_CHAIN_IDS
from bridge.compare import MismatchKind

TEXT = (Path(__file__).parents[2] / "docs" / "bridge.md").read_text(encoding="utf-8")


def test_every_mismatch_is_explained() -> None:
    table = TEXT[TEXT.index("| mismatch |") : TEXT.index("Exit code 0")]
    explained = re.findall(r"`([a-z]+-[a-z]+)`", table)
    assert sorted(explained) == sorted(MismatchKind)


def test_every_file_of_an_export_is_explained(exported: Path) -> None:
    table = TEXT[TEXT.index("| file |") : TEXT.index("One row is")]
    present = {path.name for path in exported.iterdir() if path.is_file()}
    own = {files.MANIFEST, files.ACCOUNTS, files.ENTRIES}
    assert present == own | {files.LOGS, log_files.ARRAY, etl.FILE}
    assert all(f"`{name}`" in table for name in present)


def test_the_local_test_chains_are_named() -> None:
    assert all(f" {chain_id}" in TEXT for chain_id in LOCAL_CHAIN_IDS)
