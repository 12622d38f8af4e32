"""What curl does for the examples, on a machine that has none: the options they use, no others."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Final

import httpx

FAILED: Final = 22
"""The exit code of --fail-with-body."""


def provide(folder: Path) -> None:
    """Put a `curl` into a folder of the PATH."""
    program = folder / "curl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__)} "$@"\n')
    program.chmod(0o755)


def provide_if_missing(folder: Path) -> None:
    """Put a `curl` into a folder of the PATH of a machine that has none."""
    if shutil.which("curl") is None:
        provide(folder)


def main() -> int:
    """Ask once, and print the answer as it comes."""
    options = argparse.ArgumentParser(prog="curl")
    options.add_argument("url")
    options.add_argument("-s", "--silent", action="store_true")
    options.add_argument("-S", "--show-error", action="store_true")
    options.add_argument("--no-buffer", action="store_true")
    options.add_argument("--fail-with-body", action="store_true")
    options.add_argument("-w", "--write-out", default="")
    options.add_argument("-H", "--header", action="append", default=[])
    options.add_argument("-d", "--data")
    options.add_argument("-X", "--request")
    given = options.parse_args()
    method = given.request or ("GET" if given.data is None else "POST")
    headers = dict(header.split(": ", 1) for header in given.header)
    asked = httpx.stream(
        method, given.url, content=given.data, headers=headers, timeout=60, trust_env=False
    )
    with asked as answer:
        for part in answer.iter_bytes():
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
    sys.stdout.write(given.write_out.replace("\\n", "\n"))
    return FAILED if given.fail_with_body and answer.is_error else 0


if __name__ == "__main__":
    sys.exit(main())
