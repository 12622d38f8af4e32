"""A replay that ends between two steps, as by a power cut: a program that the tests start.

Its arguments: the ledger's URL, the node's, the step after which it ends, and which time.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from bridge.chain import Chain
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


def main() -> None:
    """Replay until the end comes."""
    url, rpc, step, time = sys.argv[1:]
    end_at(step, int(time))
    with Ledger.open(url) as ledger, Chain.connect(rpc) as chain:
        replay(ledger, chain, Signer.for_test_chain(), patience=QUICK)


if __name__ == "__main__":
    main()
