"""How long a chain is waited for, and the waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what; seconds."""

    replace_after: float = 90.0
    """Until a transaction that is not mined is replaced: about seven blocks of Ethereum."""
    give_up_after: float = 3600.0
    """Until nothing more is waited for; a later run goes on."""
    silence: float = 60.0
    """Until a node is given up that does not answer, or answers with errors."""
    lag: float = 15.0
    """Until a node is believed that says that a nonce is used and knows nothing that used it."""


class Clock:
    """Seconds since it was made, and pauses that grow."""

    def __init__(self, limit: float) -> None:
        """Let `wait` say no after `limit` seconds."""
        self._start = time.monotonic()
        self._limit = limit
        self._pause = _FIRST_PAUSE

    @property
    def seconds(self) -> float:
        """How long ago it was made."""
        return time.monotonic() - self._start

    def wait(self) -> bool:
        """Wait a moment and return True; False, at once, when the limit has passed."""
        if self.seconds > self._limit:
            return False
        time.sleep(self._pause)
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)
        return True


class Since:
    """How long something has been so, without a break."""

    def __init__(self) -> None:
        """Begin with its not being so."""
        self._start: float | None = None

    def note(self, *, is_so: bool) -> float:
        """Note whether it is so now; return for how many seconds it has been."""
        if not is_so:
            self._start = None
            return 0.0
        if self._start is None:
            self._start = time.monotonic()
        return time.monotonic() - self._start
