"""A headless Chromium, unpacked from an npm package: nothing is installed outside the project."""

from __future__ import annotations

import subprocess
import tarfile
from typing import TYPE_CHECKING, Final

from tests.support.nodes import CONTRACTS, NODE_JS

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Playwright

_PACKED: Final = CONTRACTS / "node_modules" / "@sparticuz" / "chromium" / "bin"
_UNPACK: Final = """
const fs = require('fs'), zlib = require('zlib');
fs.writeFileSync(process.argv[2], zlib.brotliDecompressSync(fs.readFileSync(process.argv[1])));
"""


def unpack(folder: Path) -> Path:
    """Unpack Chromium, its libraries and its fonts into `folder`; return the program."""
    program = folder / "chromium"
    for name in ("chromium.br", "swiftshader.tar.br", "al2023.tar.br", "fonts.tar.br"):
        target = folder / name.removesuffix(".br")
        subprocess.run([NODE_JS, "-e", _UNPACK, _PACKED / name, target], check=True)
        if target.suffix == ".tar":
            with tarfile.open(target) as archive:
                archive.extractall(folder / target.stem, filter="data")
            target.unlink()
    program.chmod(0o700)
    for library in (folder / "swiftshader").rglob("*"):
        if library.is_file():
            library.rename(folder / library.name)  # it looks for them beside itself
    return program


def launch(playwright: Playwright, folder: Path) -> Browser:
    """Start Chromium from `folder`, which it may write to."""
    program = unpack(folder)
    fonts = next(path.parent for path in (folder / "fonts").rglob("fonts.conf"))
    libraries = next(path.parent for path in (folder / "al2023").rglob("libnss3.so"))
    return playwright.chromium.launch(
        executable_path=program,
        args=["--no-sandbox", "--disable-gpu", "--headless=new", "--hide-scrollbars"],
        env={
            "HOME": str(folder),
            "LD_LIBRARY_PATH": str(libraries),
            "FONTCONFIG_PATH": str(fonts),
            "TMPDIR": str(folder),
        },
    )
