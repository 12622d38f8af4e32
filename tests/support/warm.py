"""The program `evm-ledger` for shell sessions, without half a second of imports a command.

A server has everything imported. What a session finds on its PATH as `evm-ledger` passes on its
words, folder, environment and open files, and is told how the command ended. Each command runs in a
process of its own, a fork, and is `bridge.cli.main`, as it is for whoever installs the program.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from tests.support.curl import provide_if_missing

if TYPE_CHECKING:
    from tests.support.guardian import Guardian

_ROOT: Final = Path(__file__).parents[2]

# It imports next to nothing, which is the point; NUL is in no word and no variable.
_CLIENT: Final = """#!{python} -IS
import os, socket, sys
given = [os.getcwd(), str(len(sys.argv)), *sys.argv, *map("=".join, os.environ.items())]
request = os.fsencode(chr(0).join(given))
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(request)
    ended = server.recv(1)
sys.exit(ended[0] if ended else 70)
"""


class WarmProgram:
    """The server, running, and the program that asks it."""

    def __init__(self, guardian: Guardian) -> None:
        folder = guardian.folder("warm")
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, folder / "socket"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,  # closes when the suite ends, however it does; then it ends too
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"listening\n"
        program = folder / "evm-ledger"
        program.write_text(_CLIENT.format(python=sys.executable, address=str(folder / "socket")))
        program.chmod(0o755)
        provide_if_missing(folder)
        self.path = f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin"
        """The PATH of a session."""

    def close(self) -> None:
        """End it."""
        self._process.communicate()


# --- the server -----------------------------------------------------------------------------------


def main(address: str) -> None:
    """Serve until standard input closes."""
    import alembic.command  # noqa: F401, PLC0415 (the suite needs none of these)
    import eth_account  # noqa: F401, PLC0415 (same)
    import web3  # noqa: F401, PLC0415 (same)

    import bridge.cli  # noqa: F401, PLC0415 (same)

    gc.freeze()  # a fork that collects what it shares copies it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that serve
    with socket.create_server(address, family=socket.AF_UNIX) as listener:
        print("listening", flush=True)  # noqa: T201 (to the suite)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if listener not in ready:
                return
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    _serve(connection)


def _serve(connection: socket.socket) -> NoReturn:
    """Run one command, in a process of its own, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command == 0:
        _become(*_read(connection))
    _, status = os.waitpid(command, 0)
    code = os.waitstatus_to_exitcode(status)
    connection.sendall(bytes([code if code >= 0 else 128 - code]))  # as shells tell of signals
    os._exit(0)


def _read(connection: socket.socket) -> tuple[list[int], list[str]]:
    """Return the open files of a client, and what it passes on."""
    size, files, _, _ = socket.recv_fds(connection, 4, 3)
    request, whole = b"", int.from_bytes(size, "big")
    while len(request) < whole:
        request += connection.recv(whole - len(request))
    return files, os.fsdecode(request).split("\0")


def _become(files: list[int], given: list[str]) -> NoReturn:
    """Be the command that was asked for."""
    from bridge.cli import main as program  # noqa: PLC0415 (see above)

    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    folder, count, *words = given
    os.chdir(folder)
    os.environ.clear()
    for variable in words[int(count) :]:
        name, _, value = variable.partition("=")
        os.environ[name] = value
    sys.argv = words[: int(count)]
    code = 70
    try:
        program(prog_name="evm-ledger")  # click guesses from what was started
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:  # noqa: BLE001 (Python would print it, too)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # to take everything down that was imported would take longest


if __name__ == "__main__":
    main(sys.argv[1])
