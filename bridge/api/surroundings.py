"""What surrounds every request: the size of its body, headers of its answer, counting.

Plain ASGI, because a middleware that holds request and response objects costs as much as a read.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

from bridge.api.problems import problem_response

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

        failure = await self._served(scope, body, answer)
        if not started and failure is not None:
            status = failure.status_code
            await failure(scope, receive, send)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.count(method, route, status, time.perf_counter() - began)

    async def _served(self, scope: Scope, body: _Body, answer: Send) -> Response | None:
        """Let the application answer; return what to say instead if it did not."""
        try:
            if not body.is_too_large:
                await self._app(scope, body.receive, answer)
        except Exception:  # noqa: BLE001 (whatever it was, it is answered and logged)
            if not body.is_too_large:
                _LOG.exception("a request failed")
                detail = "the server could not do this; what it was is in its log"
                return problem_response(500, "INTERNAL", detail, headers=HEADERS)
        if not body.is_too_large:
            return None
        detail = f"a request's body may have {self._max_body} bytes at most"
        return problem_response(413, "BODY_TOO_LARGE", detail, headers=HEADERS)


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
                return {"type": "http.disconnect"}  # what came so far must not look whole
        return message
