"""forge on the sources of `contracts/`, with the compiler and the Node.js that `make setup` put."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.support.nodes import CONTRACTS, NODE_JS

if TYPE_CHECKING:
    from pathlib import Path


def forge_path() -> Path:
    """Return the forge binary of this platform's npm package."""
    found = sorted(CONTRACTS.glob("node_modules/@foundry-rs/forge-*/bin/forge"))
    if not found:
        raise FileNotFoundError("forge is not installed: run `make setup`")
    return found[0].resolve()


def run_forge(*arguments: str, folder: Path = CONTRACTS) -> subprocess.CompletedProcess[str]:
    """Run forge in `folder`; the caller looks at the exit code."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("FOUNDRY_")}
    path = os.pathsep.join([str(NODE_JS.parent), os.environ.get("PATH", "")])
    return subprocess.run(
        [forge_path(), *arguments],
        cwd=folder,
        env={**outside, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
