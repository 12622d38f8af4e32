"""Where requests meet that are small: those that wait at the same time go in one thread.

While one run of them is at the database, the next one gathers. A thread for each would cost more
than the work itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from anyio import to_thread
from starlette.responses import Response

Wanted = TypeVar("Wanted")

Answer = Response | Exception

Run = Callable[[Sequence[Wanted]], Sequence[Answer]]

MOST: Final = 1_000
"""Requests in one run: fewer than the entries that the ledger puts in one commit."""


class Gathering(Generic[Wanted]):
    """Gathers requests in lanes: in each, one run at a time."""

    def __init__(self, run: Run[Wanted]) -> None:
        """Take what answers several requests at once, in a thread; it raises nothing."""
        self._run = run
        self._lanes: dict[str | None, deque[tuple[Wanted, asyncio.Future[Response]]]] = {}
        self._at_work: set[asyncio.Task[None]] = set()

    async def ask(self, lane: str | None, wanted: Wanted) -> Response:
        """Return the answer to a request, once there is one. Raises whatever refused it."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        waiting = self._lanes.get(lane)
        if waiting is None:
            self._lanes[lane] = deque([(wanted, answer)])
            task = asyncio.create_task(self._serve(lane))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)
        else:
            waiting.append((wanted, answer))
        return await answer

    async def _serve(self, lane: str | None) -> None:
        """Answer all who wait, until nobody does."""
        waiting = self._lanes[lane]
        run: list[tuple[Wanted, asyncio.Future[Response]]] = []
        try:
            while waiting:
                run = [waiting.popleft() for _ in range(min(MOST, len(waiting)))]
                answers = await to_thread.run_sync(self._run, [wanted for wanted, _ in run])
                for (_, answer), given in zip(run, answers, strict=True):
                    if answer.done():  # nobody waits any more
                        continue
                    if isinstance(given, Exception):
                        answer.set_exception(given)
                    else:
                        answer.set_result(given)
        finally:
            del self._lanes[lane]
            for _, answer in (*run, *waiting):  # none, unless this was interrupted
                answer.cancel()
