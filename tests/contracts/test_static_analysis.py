"""slither finds nothing in the contracts but what `docs/static-analysis.md` answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

from tests.contracts.forge import forge_path
from tests.support.nodes import CONTRACTS, NODE_JS

if TYPE_CHECKING:
    from pathlib import Path

ROOT: Final = CONTRACTS.parent
SLITHER: Final = ROOT / ".venv-slither" / "bin" / "slither"
PAGE: Final = ROOT / "docs" / "static-analysis.md"
EVERYWHERE: Final = "every block"
"""The place of a row that answers a check wherever it is found."""

_ROW: Final = re.compile(r"^\| `([a-z-]+)` \| (`[^|]+`|every block) \| (.+) \|$", re.MULTILINE)


def answers() -> dict[tuple[str, str], str]:
    """Return the answers of the page, by check and place."""
    rows = _ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {(check, place.strip("`")): answer for check, place, answer in rows}


def place(element: dict[str, Any]) -> str:
    """Return contract.function of what slither points at; a contract alone is its name."""
    names = []
    while element:
        if element["type"] in {"function", "contract"}:
            names.append(element["name"])
        element = element.get("type_specific_fields", {}).get("parent", {})
    return ".".join(reversed(names))


def findings(folder: Path) -> set[tuple[str, str]]:
    """Return check and place of everything that slither finds in a copy of the sources."""
    shutil.copytree(CONTRACTS / "src", folder / "src")
    for name in ("foundry.toml", "solc.mjs", "package.json"):
        shutil.copy(CONTRACTS / name, folder)
    (folder / "node_modules").symlink_to(CONTRACTS / "node_modules")
    path = [str(NODE_JS.parent), str(forge_path().parent), os.environ.get("PATH", "")]
    result = subprocess.run(
        [SLITHER, ".", "--filter-paths", "node_modules", "--json", "found.json"],
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join(path), "FOUNDRY_PROFILE": "slither"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "found.json").exists(), result.stderr
    document = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    assert document["success"], document["error"]
    detected = document["results"].get("detectors", [])
    return {(it["check"], place(it["elements"][0])) for it in detected}


def test_every_finding_is_answered(tmp_path: Path) -> None:
    general = {check for check, where in answers() if where == EVERYWHERE}
    found = findings(tmp_path)
    assert {check for check, _ in found} >= general
    single = {finding for finding in found if finding[0] not in general}
    assert single == {row for row in answers() if row[1] != EVERYWHERE}


def test_every_block_of_assembly_says_why_it_is_safe() -> None:
    # The page's answer to the check `assembly`.
    block = re.compile(r"((?:^ *//.*\n)*)^( *)(assembly\b.*)\n((?:.*\n)*?)^\2}\n", re.MULTILINE)
    for source in sorted(CONTRACTS.glob("src/**/*.sol")):
        text = source.read_text(encoding="utf-8")
        blocks = block.findall(text)
        assert len(blocks) == len(re.findall(r"^ *assembly\b", text, re.MULTILINE))
        for comment, _, opening, body in blocks:
            assert opening == 'assembly ("memory-safe") {'
            assert comment.strip().startswith("// Memory-safe: " if "mstore" in body else "// ")
