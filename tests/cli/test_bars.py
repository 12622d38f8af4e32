"""A bar on a terminal, once the work takes long; nothing elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.cli.shell import PROGRAM

if TYPE_CHECKING:
    from tests.cli.shell import Shell

LONG = """
import time
from ledger.console import progress

with progress("audit", 1_000) as advance:
    advance(250)
    time.sleep(1.2)
    advance(250)
    advance(500)
print("done")
"""


def on_a_terminal(*command: object) -> tuple[bytes, str]:
    """Return the output of `command`, and what it draws on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    drawn = b""
    with suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(ours, 65_536):
            drawn += part
    os.close(ours)
    return done.stdout, drawn.decode()


def test_work_that_takes_long_has_a_bar() -> None:
    said, drawn = on_a_terminal(sys.executable, "-c", LONG)
    assert said == b"done\n"
    first, *_, last = drawn.strip("\r").split("\r")
    assert re.match(r"audit:  (25|50)%\|", first)  # 25 where the machine was busy all the time
    assert re.search("(250|500)/1000", first)
    assert len(first) <= 80
    assert last.strip() == ""  # it is gone when the work is done


def test_a_pipe_sees_none() -> None:
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"done\n", b"")


def test_what_is_quick_has_none(stocked: Shell) -> None:
    drawings = set()
    for _ in range(5):  # on a busy machine some may take long
        said, drawn = on_a_terminal(PROGRAM, "audit", "--database", stocked.database)
        assert said.startswith(b"ok: ")
        drawings.add(drawn)
        if drawn == "":
            return
    raise AssertionError(drawings)
