"""How long work says how far it is; the command line draws it, a library user may ignore it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step is."""

    step: str
    """What is being done, such as "entries" or the symbol of an asset."""
    done: int
    total: int
    note: str = ""
    """What else there is to say, such as what it cost so far."""


ReportProgress: TypeAlias = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Take `progress` and do nothing."""
    del progress
