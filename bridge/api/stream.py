"""Changes as they happen: server-sent events, which go on after `Last-Event-ID`."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from bridge.api.guards import Api, Caller, Reader, Service, confirm, overloaded
from bridge.api.history_reads import changes_json, check_listener
from bridge.api.problems import problems
from bridge.api.rates import host_of

router = APIRouter(prefix="/v1", tags=["changes"])

_PAGE = 100
_LOOK_UP = 0.25
"""Seconds after which a listener that waits for changes looks whether the server ends."""


async def listen_from(
    request: Request,
    api: Api,
    caller: Reader,
    after: Annotated[
        str | None, Query(max_length=65_536, description="Where to begin; the start, if left out.")
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", max_length=65_536, description="Wins over `after`."),
    ] = None,
) -> AsyncIterator[tuple[Caller, str | None]]:
    """Give who listens, and from where; it is checked that they may, and that it is a place.

    All of it before the answer begins: afterwards nothing can be refused any more.
    """
    check_listener(caller)
    client = request.scope.get("client")
    who = host_of(client) if caller.key is None else caller.key.id
    if len(api.listening) >= api.settings.max_listeners or api.stopping:
        raise overloaded("too many listen at once: come back later")
    if sum(other == who for other in api.listening.values()) >= api.settings.listeners_each:
        raise overloaded("you listen too often at once: end another stream, or come back later")
    place = client or id(request)
    api.listening[place] = who
    try:
        cursor = last_event_id or after
        await to_thread.run_sync(_begin, api, caller, cursor)
        yield caller, cursor
    finally:
        api.listening.pop(place, None)


def _begin(api: Service, caller: Caller, cursor: str | None) -> None:
    """Refuse who may not listen, and what is no place. Raises Problem, FieldError."""
    confirm(api, caller)
    api.ledger.changes_page(cursor, 1)


@router.get("/changes/stream", response_class=EventSourceResponse, responses=problems())
async def stream_changes(
    request: Request, api: Api, listener: Annotated[tuple[Caller, str | None], Depends(listen_from)]
) -> AsyncIterator[ServerSentEvent]:
    """Every change from a cursor on, each once and in order, for as long as the caller listens."""
    caller, cursor = listener
    while not api.stopping and not await request.is_disconnected():
        page = await _page(api, caller, cursor)
        if page is None:
            return
        for change in page["changes"]:
            yield ServerSentEvent(data=change, event="change", id=change["cursor"])
        cursor = page["cursor"]
        if not page["more"]:
            await _rest(api)


async def _rest(api: Service) -> None:
    """Wait until it is time to look for changes again, or the server ends."""
    left = api.settings.poll
    while left > 0 and not api.stopping:
        await anyio.sleep(min(left, _LOOK_UP))
        left -= _LOOK_UP


async def _page(api: Service, caller: Caller, cursor: str | None) -> dict[str, Any] | None:
    """Read the next page, in a thread: the database is waited for there. None without a key."""

    def read() -> dict[str, Any] | None:
        with api.ledger.moment():
            if caller.key is not None and not api.keys.is_active(caller.key):
                return None
            return changes_json(api.ledger, cursor, _PAGE)

    return await to_thread.run_sync(read)
