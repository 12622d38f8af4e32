"""What surrounds every request: its host, rate and size, headers of its answer, counting.

Plain ASGI, because a middleware that holds request and response objects costs as much as a read.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from bridge.api.guards import count, too_early
from bridge.api.problems import problem_response
from bridge.api.shortcuts import taken

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bridge.api.guards import Service
    from bridge.api.health import Metrics

_LOG: Final = logging.getLogger("uvicorn.error")

_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""Others are counted as one: whoever asks may not make labels."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer carries, unless it says otherwise itself."""


_RAW: Final = tuple(
    (name.lower().encode(), (name.lower().encode(), value.encode()))
    for name, value in HEADERS.items()
)
"""The same as they are sent."""

_UNLIMITED: Final = frozenset({"/healthz"})
"""Paths that cost nothing, and that whoever runs the server must always be able to ask."""


class Surroundings:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, *, api: Service, metrics: Metrics) -> None:
        self._app = app
        self._api = api
        self._max_body = api.settings.max_body
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        body = _Body(self._max_body, receive, scope)
        answer = _Answer(send, body, is_head=scope["method"] == "HEAD")
        refusal = self._refused(scope)
        if refusal is None:
            inner = {**scope, "method": "GET"} if answer.is_head else scope
            refusal = await self._served(inner, body, answer)
            route = getattr(inner.get("route"), "path", "none")
        else:
            route = "none"
        if refusal is not None and not answer.started:
            body.is_too_large = False  # this is the answer to it
            await refusal(scope, receive, answer)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.count(method, route, answer.status, time.perf_counter() - began)

    def _refused(self, scope: Scope) -> Response | None:
        """Return what is said to who asks for another host, or too often."""
        hosts = self._api.settings.allowed_hosts
        if hosts is not None and name_of(Headers(scope=scope).get("host", "")) not in hosts:
            detail = "this server is not known by that name: see `evm-ledger serve --allowed-host`"
            return problem_response(421, "HOST_UNKNOWN", detail)
        if scope["path"] in _UNLIMITED:
            return None
        seconds = count(self._api, scope)
        if not seconds:
            return None
        problem = too_early(seconds)
        return problem_response(
            problem.status, problem.code, problem.detail, headers=problem.headers
        )

    async def _served(self, scope: Scope, body: _Body, answer: _Answer) -> Response | None:
        """Let the application answer; return what to say instead if it did not."""
        try:
            short = None if body.is_too_large else await taken(self._api, scope, body.whole)
            if short is not None:
                await short(scope, body.receive, answer)
            elif not body.is_too_large:
                await self._app(scope, partial(_received, body, answer), answer)
        except Exception:  # noqa: BLE001 (whatever it was, it is answered and logged)
            if not body.is_too_large:
                _LOG.exception("a request failed")
                detail = "the server could not do this; what it was is in its log"
                return problem_response(500, "INTERNAL", detail)
        if not body.is_too_large:
            return None
        detail = f"a request's body may have {self._max_body} bytes at most"
        return problem_response(413, "BODY_TOO_LARGE", detail)


def name_of(host: str) -> str:
    """Return the name in a `Host` header, without its port: lower case, as `--allowed-host` is."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).strip().lower().rstrip(".")


async def _received(body: _Body, answer: _Answer) -> Message:
    """Return the next part of a request; its end, once all that will be said was said."""
    if answer.is_head and answer.started:
        return {"type": "http.disconnect"}
    return await body.receive()


class _Answer:
    """Sends an answer with the headers that every one has; only these, where HEAD asks."""

    def __init__(self, send: Send, body: _Body, *, is_head: bool) -> None:
        self.is_head = is_head
        self.started = False
        self.status = 500
        self._send = send
        self._body = body

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            if self._body.is_too_large:
                return
            self.started = True
            self.status = message["status"]
            own = {name.lower() for name, _ in message["headers"]}
            added = [header for name, header in _RAW if name not in own]
            await self._send({**message, "headers": [*message["headers"], *added]})
            if self.is_head:  # now: a stream would never end
                await self._send({"type": "http.response.body", "body": b""})
        elif self.started and not self.is_head:
            await self._send(message)


class _Body:
    """Counts what comes in."""

    def __init__(self, most: int, receive: Receive, scope: Scope) -> None:
        stated = Headers(scope=scope).get("content-length", "")
        self.is_too_large = stated.isascii() and stated.isdigit() and int(stated) > most
        self._left = most
        self._receive = receive
        self._read: deque[Message] = deque()

    async def whole(self) -> bytes | None:
        """Read all of it, for who looks at it first; None if it did not come whole."""
        parts: list[Message] = []
        while not parts or (parts[-1]["type"] == "http.request" and parts[-1].get("more_body")):
            parts.append(await self.receive())
        self._read.extend(parts)
        is_whole = parts[-1]["type"] == "http.request"
        return b"".join(part.get("body", b"") for part in parts) if is_whole else None

    async def receive(self) -> Message:
        """Return the next part of the body, while it is not too large."""
        if self._read:
            return self._read.popleft()
        if self._left < 0:  # whoever asks again must not wait for what nobody sends
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self.is_too_large = True
                return {"type": "http.disconnect"}  # what came so far must not look whole
        return message
