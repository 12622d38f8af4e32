"""Start servers so that none outlives the suite, whatever becomes of the suite.

A guardian is a process of its own session that reads, from a pipe, which processes and folders
are the suite's. The pipe closes when the suite ends, even by SIGKILL; then the guardian ends and
removes what is still on its list. This file is both: imported, the suite's side; run, the guardian.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

GRACE = 5.0
"""Seconds that a process has between being asked to stop and being killed."""


class Guardian:
    """The suite's side: start processes, make folders, and end them by name or all at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._stop_signals: dict[int, signal.Signals] = {}

    @property
    def _list(self) -> IO[str]:
        if self._process.stdin is None:
            raise RuntimeError("the guardian has no pipe")
        return self._process.stdin

    def _tell(self, *words: object) -> None:
        print(*words, file=self._list, flush=True)

    def folder(self, name: str, within: Path | None = None) -> Path:
        """Make a folder that goes away with the suite, where temporary ones are or elsewhere."""
        path = Path(tempfile.mkdtemp(prefix=f"evm-ledger-{name}-", dir=within))
        self._tell("folder", path)
        return path

    def start(
        self,
        command: list[str],
        *,
        log: Path,
        stop_signal: signal.Signals,
        **options: Any,  # noqa: ANN401 (whatever Popen takes)
    ) -> subprocess.Popen[bytes]:
        """Run a command in a process group of its own, its output in `log`."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        self._stop_signals[process.pid] = stop_signal
        self._tell("process", process.pid, int(stop_signal))
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Ask a process to stop, kill it if it does not; nothing to do if it has ended already."""
        if process.poll() is None:
            process.send_signal(self._stop_signals[process.pid])
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._tell("ended", process.pid)

    def close(self) -> None:
        """End and remove all that is left, and wait until that is done."""
        self._list.close()
        self._process.wait()


def _is_running(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _end(stop_signals: dict[int, int]) -> None:
    for group, stop_signal in stop_signals.items():
        if _is_running(group):
            os.killpg(group, stop_signal)
    deadline = time.monotonic() + GRACE
    while any(map(_is_running, stop_signals)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for group in filter(_is_running, stop_signals):
        os.killpg(group, signal.SIGKILL)


def _guard() -> None:
    """Keep the list until the pipe closes, then end and remove what is on it."""
    stop_signals: dict[int, int] = {}
    folders: list[str] = []
    for line in sys.stdin:
        what, _, rest = line.rstrip("\n").partition(" ")
        if what == "process":
            pid, stop_signal = map(int, rest.split())
            stop_signals[pid] = stop_signal
        elif what == "ended":
            stop_signals.pop(int(rest), None)
        else:
            folders.append(rest)
    _end(stop_signals)
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    _guard()
