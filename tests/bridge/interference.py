"""Servers between a test and a node: one that is no node, one that loses what it is told to."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def server(answer: Callable[[dict[str, Any]], bytes | None]) -> Iterator[str]:
    """Run a server that answers each JSON request with what `answer` returns; None hangs up."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found = answer(json.loads(body))
            if found is None:
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=[0.01])  # how soon it can end
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def forward(port: int, request: dict[str, Any]) -> bytes:
    """Return what the node on `port` answers to `request`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/", json.dumps(request), headers)
        return connection.getresponse().read()
    finally:
        connection.close()


def result(request: dict[str, Any], value: object) -> bytes:
    """Return the JSON-RPC answer to `request` that says `value`."""
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": value}).encode()


def failure(request: dict[str, Any], message: str, code: int = -32000) -> bytes:
    """Return the JSON-RPC answer to `request` that is an error."""
    error = {"code": code, "message": message}
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode()
