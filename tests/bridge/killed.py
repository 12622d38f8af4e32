"""Replays that end between two steps, as by a power cut: a program that the tests start once.

Each line that it reads is a replay, in a process of its own: the ledger's URL, the node's, the step
at which it is killed, and at which time it comes there. It answers with how that process ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge.chain import Chain
from bridge.errors import ChainError
from bridge.keys import Signer
from bridge.outbox import Outbox
from bridge.replay import replay
from ledger import Ledger
from tests.bridge.outcomes import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS: Final = ("signed", "stored", "sent", "noted", "mined", "recorded")
"""Signed, not stored. Stored, not sent. Sent, not noted so. Noted. Mined, not noted so. Noted."""

_WHERE: Final[dict[str, tuple[type, str, bool]]] = {
    "signed": (Outbox, "save", False),
    "stored": (Outbox, "save", True),
    "sent": (Chain, "send", True),
    "noted": (Outbox, "mark", True),
    "mined": (Outbox, "place", False),
    "recorded": (Outbox, "place", True),
}
"""The class and method, and whether the end comes after it."""


def end_at(step: str, time: int) -> None:
    """Let this process be killed at the given step, when it comes there for the `time`-th time."""
    kind, name, is_after = _WHERE[step]
    method: Callable[..., Any] = getattr(kind, name)
    left = time

    def ending(*arguments: object, **options: object) -> object:
        nonlocal left
        left -= 1
        if left == 0 and not is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        done = method(*arguments, **options)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(kind, name, ending)


def replay_until(url: str, rpc: str, step: str, time: int) -> None:
    """Replay until the end comes."""
    end_at(step, time)
    with Ledger.open(url) as ledger, Chain.connect(rpc) as chain:
        replay(ledger, chain, Signer.for_test_chain(), patience=QUICK)


def main() -> None:
    """Do what the lines say; a fork has all modules already, which takes longest."""
    for line in sys.stdin:
        url, rpc, step, time = line.split()
        child = os.fork()
        if child == 0:
            try:
                replay_until(url, rpc, step, int(time))
            except ChainError:
                os._exit(2)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 (its answer)


class Executioner:
    """The program, running."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.bridge.killed"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, url: str, rpc: str, step: str, time: int) -> int:
        """Replay until the given end; return the exit code, 2 where the node was at fault."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(f"{url} {rpc} {step} {time}\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())

    def close(self) -> None:
        """End the program."""
        self._program.communicate()


if __name__ == "__main__":
    main()
