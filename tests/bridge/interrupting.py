"""Exports that end before they are done, each in a child that is forked, which takes milliseconds.

Run as `python -m tests.bridge.interrupting URL TARGET WHAT HOW`: once for each stage at which there
is something to open, make, rename or write, until one is done. Prints what is there after each.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bridge.errors import BridgeError
from bridge.export import export, write_secrets
from ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130
FULL = 28
RANDOM_ROUNDS = 25
WORKS: dict[str, Callable[[Ledger, Path], object]] = {"export": export, "secrets": write_secrets}
STAGES = ("open", "os.mkdir", "os.rename", "os.link")
STEP = {"export": 4_000, "secrets": 60}
"""By how many bytes the disk is larger at each stage."""


def digest(path: Path) -> str | None:
    """Return what stands for everything in a file or folder, or None if it is not there."""
    if not path.exists():
        return None
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    names = [[str(each.relative_to(path)), sha256(each.read_bytes()).hexdigest()] for each in files]
    return sha256(json.dumps(names).encode()).hexdigest()


def at_stage(stage: int, folder: Path, act: Callable[[], None]) -> None:
    """Call `act` when the process does something in `folder` for the `stage`-th time."""
    counted = count(1)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in STAGES and str(arguments[0]).startswith(str(folder)) and next(counted) == stage:
            act()

    sys.addaudithook(hook)


def interrupt() -> None:
    raise KeyboardInterrupt


def child(url: str, target: Path, what: str, how: str, stage: int) -> NoReturn:
    """Do the work, and end in the way and at the stage given; or do it, and end with 0."""
    code = 1
    try:
        with Ledger.open(url) as ledger:
            ledger.head(ledger.assets()[0].symbol)
            if how == "killed":
                at_stage(stage, target.parent, lambda: os.kill(os.getpid(), signal.SIGKILL))
            elif how == "interrupted":
                at_stage(stage, target.parent, interrupt)
            elif how == "full":
                limit = stage * STEP[what]
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            WORKS[what](ledger, target)
            code = 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BridgeError as error:
        code = FULL if "File too large" in str(error) else 1
    finally:
        os._exit(code)


def main() -> None:
    """Do what the command line says."""
    url, name, what, how = sys.argv[1:]
    target = Path(name)
    source = random.Random(5)
    for stage in count(1):
        pid = os.fork()
        if pid == 0:
            child(url, target, what, how, stage)
        if how == "at random" and stage < RANDOM_ROUNDS:
            time.sleep(source.uniform(0.01, 0.08))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        ended = os.waitstatus_to_exitcode(status)
        left = [path.name for path in target.parent.iterdir() if path.name.endswith(".partial")]
        print(json.dumps({"ended": ended, "target": digest(target), "left": left}))  # noqa: T201 (to the test)
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        if ended == 0 and (how != "at random" or stage >= RANDOM_ROUNDS):
            return


if __name__ == "__main__":
    main()
