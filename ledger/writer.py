"""In one process, whoever finds the journal free posts for all who wait: no thread, no delay."""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import dataclass, field
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


@dataclass(slots=True, eq=False)
class _Ticket:
    """One caller's items, waiting for their results."""

    items: Sequence[Item]
    weight: int
    results: list[Receipt | RefusedError] | None = None
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
    """Callers who lock the same journals, and the one of them who posts."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    waiting: deque[_Ticket] = field(default_factory=deque)
    leader: _Ticket | None = None

    def join(self, ticket: _Ticket) -> None:
        """Wait in line; lead at once if nobody does."""
        with self.guard:
            self.waiting.append(ticket)
            if self.leader is None:
                self.leader, ticket.leads = ticket, True
                ticket.turn.set()

    def take(self) -> list[_Ticket]:
        """Return the next tickets, in order of arrival, that fit in one commit."""
        with self.guard:
            taken = [self.waiting.popleft()]
            weight = taken[0].weight
            while self.waiting and weight + self.waiting[0].weight <= MAX_RUN:
                taken.append(self.waiting.popleft())
                weight += taken[-1].weight
        return taken

    def leave(self, ticket: _Ticket) -> None:
        """Take back a ticket that nobody took; if it led, let the next one lead. Repeatable."""
        with self.guard:
            if ticket in self.waiting:
                self.waiting.remove(ticket)
            if self.leader is ticket and self.waiting:
                following = self.waiting[0]
                following.leads = True
                following.turn.set()
                self.leader = following
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
            lane.join(ticket)
            ticket.turn.wait()
            while not ticket.done:
                self._serve(symbols, lane.take())
        finally:
            _surely(lambda: lane.leave(ticket))
        if ticket.error is not None:
            raise ticket.error
        return ticket.results or []

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

    def _serve(self, symbols: Symbols, tickets: list[_Ticket]) -> None:
        """Post for all `tickets` in one commit and give each its own results."""
        try:
            results = self._post(symbols, [item for ticket in tickets for item in ticket.items])
        except Exception as error:  # noqa: BLE001 (each waiting caller raises it)
            _answer(tickets, error)
            return
        except BaseException:
            _answer(tickets, ConflictError("post: interrupted; run it again with its key"))
            raise
        position = 0
        for ticket in tickets:
            ticket.results = results[position : position + len(ticket.items)]
            position += len(ticket.items)
            ticket.turn.set()


def _answer(tickets: Sequence[_Ticket], error: BaseException) -> None:
    """Give each waiting caller the error."""
    for ticket in tickets:
        ticket.error = error
        ticket.turn.set()


def _surely(act: Callable[[], None]) -> None:
    """Do what must be done although Ctrl-C may come meanwhile; `act` can be repeated."""
    try:
        act()
    except BaseException:
        act()
        raise
