"""The garbage collector of cycles, paused while a large run is decided and written.

A run makes tens of thousands of values that stay and no cycle at all, and each 700 of them would
have the collector look through them, at times through all that the application has: a third of
the time of a run. What has no cycles is freed as ever.

The switch is the whole process's, so it is touched as little as can be: whoever finds the
collector at work pauses it and starts it again, whoever finds it paused leaves it alone. So a
pause never outlasts the one run that began it, however many threads post; an application that has
switched the collector off keeps it off; and a child forked meanwhile has it on.
"""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE: Final = 100
"""Items of a run from which a pause is worth it."""

_pauses: set[object] = set()
"""One for each pause under way: two threads may have begun one at the same moment."""


@contextmanager
def no_collection(items: int) -> Iterator[None]:
    """Pause the collector inside, if it is at work and the run has many `items`."""
    if items < LARGE or not gc.isenabled():
        yield
        return
    pause = object()
    try:
        _pauses.add(pause)
        gc.disable()
        yield
    finally:
        gc.enable()
        _pauses.discard(pause)


def _resume() -> None:
    """Start the collector in a forked child, where the thread that paused it is not."""
    if _pauses:
        _pauses.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_resume)
