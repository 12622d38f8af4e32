"""A local Anvil for the demo: started on a free port, ended with the block."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS = 30.0


@contextmanager
def local_anvil(program: str | None) -> Iterator[str]:
    """Start Anvil and give its URL; `program` is a path, or None for the one on PATH.

    Raises:
        BridgeError: there is no Anvil, or it does not start.
    """
    found = shutil.which(program or "anvil")
    if found is None:
        raise BridgeError(
            f"no Anvil {f'at {program}' if program else 'on PATH'}: name one with --anvil, or a "
            "running local node with --rpc (npm install @foundry-rs/anvil installs one)"
        )
    port = _free_port()
    command = [found, "--port", str(port), "--silent"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 (the program that the user named)
            command, stdout=subprocess.DEVNULL, stderr=errors
        ) as process,
    ):
        try:
            if not _listens(process, port):
                errors.seek(0)
                said = errors.read(300).decode(errors="replace").strip() or "it said nothing"
                raise BridgeError(f"{found} did not start as an Anvil: {said}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the node listens; tell whether it does."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.05)
    return False
