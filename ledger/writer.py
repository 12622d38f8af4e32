"""In one process, whoever finds the journal free posts for all who wait: no thread, no delay."""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ledger.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger.errors import RefusedError
    from ledger.requests import Item
    from ledger.results import Receipt

MAX_RUN = 5_000
"""Entries in one commit."""

Symbols = tuple[str, ...]

_INTERRUPTED = (
    "post: the thread that posted for this one, too, was interrupted, and it may be posted; run it "
    "again with its key"
)


@dataclass(slots=True, eq=False)
class _Ticket:
    """One caller's items, waiting for their results."""

    items: Sequence[Item]
    weight: int
    results: Sequence[Receipt | RefusedError] | None = None
    error: BaseException | None = None
    leads: bool = False
    """Whether its caller is the one who posts for all who wait."""
    turn: threading.Event = field(default_factory=threading.Event)
    """Set when it is done, or when it leads: never both wait for one lock, so that all callers
    of a commit are free at once to ask for the next."""

    @property
    def done(self) -> bool:
        """Whether a result or an error is there."""
        return self.results is not None or self.error is not None


@dataclass(eq=False)
class _Lane:
    """Callers who lock the same journals, and the one of them who posts.

    Ctrl-C may come between any two steps, so that every step leaves what `leave` can finish.
    """

    guard: threading.Lock = field(default_factory=threading.Lock)
    waiting: deque[_Ticket] = field(default_factory=deque)
    leader: _Ticket | None = None
    taken: list[_Ticket] = field(default_factory=list)
    """What the leader posts now."""
    outcome: Sequence[Receipt | RefusedError] | Exception | None = None
    """What came of it, once that is known."""

    def join(self, ticket: _Ticket) -> None:
        """Wait in line; lead at once if nobody does."""
        with self.guard:
            self.waiting.append(ticket)
            if self.leader is None:
                self.leader, ticket.leads = ticket, True
                ticket.turn.set()

    def take(self) -> list[Item]:
        """Take the next tickets, in order of arrival, that fit in one commit; return their items.

        They wait no longer only when all of them are known to be taken.
        """
        with self.guard:
            taken, weight = [self.waiting[0]], self.waiting[0].weight
            for ticket in islice(self.waiting, 1, None):
                weight += ticket.weight
                if weight > MAX_RUN:
                    break
                taken.append(ticket)
            self.outcome, self.taken = None, taken
            for _ in taken:
                self.waiting.popleft()
        return [item for ticket in taken for item in ticket.items]

    def answer(self) -> None:
        """Give each ticket that was taken its own results, or the error. Repeatable."""
        outcome = self.outcome
        if outcome is None:
            outcome = ConflictError(_INTERRUPTED)
        position = 0
        for ticket in self.taken:
            if isinstance(outcome, Exception):
                ticket.error = outcome
            else:
                ticket.results = outcome[position : position + len(ticket.items)]
                position += len(ticket.items)
            ticket.turn.set()
        self.taken = []

    def leave(self, ticket: _Ticket) -> None:
        """Take back a ticket that nobody took; if it led, let the next one lead. Repeatable."""
        with self.guard:
            if self.leader is ticket:
                for taken in self.taken:
                    if taken in self.waiting:
                        self.waiting.remove(taken)
                self.answer()
            if ticket in self.waiting:
                self.waiting.remove(ticket)
            if self.leader is ticket and self.waiting:
                following = self.waiting[0]
                following.leads = True
                self.leader = following
                following.turn.set()
            elif self.leader is ticket:
                self.leader = None


class Writer:
    """Gathers what threads of this process post at the same time into common commits."""

    def __init__(
        self, post: Callable[[Symbols, Sequence[Item]], list[Receipt | RefusedError]]
    ) -> None:
        """Take `post`, which posts items that lock the journals of the symbols."""
        self._post = post
        self._lanes: WeakValueDictionary[Symbols, _Lane] = WeakValueDictionary()
        self._guard = threading.Lock()
        self._process = os.getpid()

    def post(
        self, symbols: Symbols, items: Sequence[Item], weight: int
    ) -> list[Receipt | RefusedError]:
        """Return one result an item; `weight` is the number of entries they make at most."""
        ticket = _Ticket(items, weight)
        lane = self._lane(symbols)
        try:
            try:
                lane.join(ticket)
                ticket.turn.wait()
                while not ticket.done:
                    self._serve(symbols, lane)
            finally:
                lane.leave(ticket)
        finally:
            lane.leave(ticket)  # again: Ctrl-C may have come in the first
        if ticket.error is not None:
            raise ticket.error
        return list(ticket.results or [])

    def _lane(self, symbols: Symbols) -> _Lane:
        """Return the lane of `symbols`, which lives while somebody uses it."""
        if self._process != os.getpid():  # a fork: the threads that held these are not here
            self._guard, self._lanes = threading.Lock(), WeakValueDictionary()
            self._process = os.getpid()
        with self._guard:
            lane = self._lanes.get(symbols)
            if lane is None:
                lane = self._lanes[symbols] = _Lane()
            return lane

    def _serve(self, symbols: Symbols, lane: _Lane) -> None:
        """Post in one commit for all whose turn it is, and give each its own results."""
        items = lane.take()
        try:
            lane.outcome = self._post(symbols, items)
        except Exception as error:  # noqa: BLE001 (each waiting caller raises it)
            lane.outcome = error
        lane.answer()
