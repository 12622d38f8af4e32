"""A JSON-RPC proxy before a real node, whose answers a test may alter, drop, delay or double."""

from __future__ import annotations

import json
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.nodes import Node

Json: TypeAlias = Any
Forward: TypeAlias = "Callable[[Json], Json]"
"""Passes a request (the whole JSON-RPC object) to the node and returns its whole answer."""
Behave: TypeAlias = "Callable[[Json, Forward], Json]"
"""Given a request and the way to the node, returns the answer; raises Dropped to give none."""


class Dropped(Exception):  # noqa: N818 (a message of the tests, no error)
    """The connection is closed without an answer."""


def honest(request: Json, forward: Forward) -> Json:
    """Answer as the node does."""
    return forward(request)


class RpcProxy:
    """A server on a free port. `behave` may be set at any time; `calls` names what was asked."""

    def __init__(self, node: Node, behave: Behave = honest) -> None:
        self.behave = behave
        self.calls: list[str] = []
        self._port = node.port
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: else each answer waits 40 ms for an ACK
            disable_nagle_algorithm = True  # a body longer than the buffer is sent apart

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                proxy.calls.append(request["method"])
                try:
                    answer = proxy.behave(request, proxy.forward)
                except Dropped:
                    self.close_connection = True
                    return
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:  # it would write to the tests' output
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def forward(self, request: Json) -> Json:
        """Return the node's own answer to `request`."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/", json.dumps(request), headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
