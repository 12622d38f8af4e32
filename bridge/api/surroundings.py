"""What surrounds every request: the size of its body, headers of its answer, counting.

Plain ASGI, because a middleware that holds request and response objects costs as much as a read.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

from bridge.api.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bridge.api.health import Metrics

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


class Surroundings:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, *, max_body: int, metrics: Metrics) -> None:
        self._app = app
        self._max_body = max_body
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        body = _Body(self._max_body, receive, scope)
        status = 500
        started = False

        async def answer(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                if body.is_too_large and not started:
                    return
                started = True
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            elif body.is_too_large and not started:
                return
            await send(message)

        if not body.is_too_large:
            await self._app(scope, body.receive, answer)
        if body.is_too_large and not started:
            status = 413
            detail = f"a request's body may have {self._max_body} bytes at most"
            refused = problem_response(413, "BODY_TOO_LARGE", detail, headers=HEADERS)
            await refused(scope, receive, send)
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.count(scope["method"], route, status, time.perf_counter() - began)


class _Body:
    """Counts what comes in."""

    def __init__(self, most: int, receive: Receive, scope: Scope) -> None:
        stated = Headers(scope=scope).get("content-length", "")
        self.is_too_large = stated.isascii() and stated.isdigit() and int(stated) > most
        self._left = most
        self._receive = receive

    async def receive(self) -> Message:
        """Return the next part of the body, while it is not too large."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self.is_too_large = True
                return {"type": "http.request", "body": b"", "more_body": False}
        return message
