"""Runs that end between two steps, as by a power cut: a program that the tests start once.

Each line that it reads is a run, in a process of its own: what it does, where what it signs is
stored, the node's URL, the step at which it is killed, at which time it comes there, and the file
that it sends (or what is executed, or to whom is offered). It answers with how that process ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge.authorisations import ClaimAuthorisation, read_authorisation
from bridge.chain import Chain
from bridge.claims import send_claim
from bridge.errors import ChainError
from bridge.keys import Signer
from bridge.live_accounts import deploy_account, execute
from bridge.live_operators import accept_operator, transfer_operator
from bridge.outbox import Outbox
from bridge.outbox_file import OutboxFile
from bridge.proxy import ensure_deployment_proxy
from bridge.replay import replay
from bridge.sending import Sender
from ledger import Address, Ledger
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


_OF_LEDGERS: Final[dict[str, Callable[[Ledger, Chain, Signer, str], object]]] = {
    "replay": lambda ledger, chain, key, _: replay(ledger, chain, key, patience=QUICK),
    "offer": lambda ledger, chain, key, to: transfer_operator(
        ledger, chain, key, Address.parse(to), patience=QUICK
    ),
    "accept": lambda ledger, chain, key, _: accept_operator(ledger, chain, key, patience=QUICK),
}
"""What is stored in a ledger; each is given what takes the place of the file."""


def work(signer: Signer, what: str, store: str, rpc: str, file: str) -> None:
    """Do it, with the words that take the place of a file."""
    with Chain.connect(rpc) as chain:
        if what in _OF_LEDGERS:
            with Ledger.open(store) as ledger:
                _OF_LEDGERS[what](ledger, chain, signer, file)
            return
        with OutboxFile.open(Path(store)) as outbox:
            if what == "proxy":
                with Sender(outbox, chain, signer, patience=QUICK) as sender:
                    ensure_deployment_proxy(sender)
                return
            if what == "execute":
                account, target, data, key = file.split()
                execute(
                    outbox, chain, signer, Address.parse(account), key=key,
                    target=Address.parse(target), data=bytes.fromhex(data), patience=QUICK,
                )  # fmt: skip
                return
            made = read_authorisation(Path(file))
            if isinstance(made, ClaimAuthorisation):
                send_claim(outbox, chain, signer, made, patience=QUICK)
            else:
                deploy_account(outbox, chain, signer, made, patience=QUICK)


def main() -> None:
    """Do what the lines say; a fork has all modules already, which takes longest."""
    signer = Signer.for_test_chain()
    _ = signer.sign({"nonce": 0, "gas": 0, "gasPrice": 0}).sender  # imports what signs
    Chain("http://127.0.0.1:1", 1.0).close()  # imports what speaks to nodes
    for line in sys.stdin:
        what, store, rpc, step, time, file = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            end_at(step, int(time))
            try:
                work(signer, what, store, rpc, file)
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

    def run(
        self, store: str, rpc: str, step: str, time: int, *, what: str = "replay", file: str = ""
    ) -> int:
        """Do `what` until the given end; return the exit code, 2 where the node was at fault."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        words = (what, store, rpc, step, str(time), file)
        self._program.stdin.write("\t".join(words) + "\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())

    def close(self) -> None:
        """End the program."""
        self._program.communicate()


if __name__ == "__main__":
    main()
