"""The server: one process that serves the application until it is told to end."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
from copy import deepcopy
from typing import TYPE_CHECKING, Final

import uvicorn

from bridge.api.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from socket import socket
    from types import FrameType

    from bridge.api.guards import Service
    from bridge.api.settings import Settings
    from ledger import Ledger

GRACE_SECONDS: Final = 30
"""How long requests that were accepted have, once the server is told to end."""


LISTENER_SECONDS: Final = 2
"""How long who listens for changes has to read what was sent already."""

LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""What this machine is called by itself."""


class ListeningServer(uvicorn.Server):
    """Says where it listens, and when its end is near."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        started: Callable[[str], None],
        api: Service | None = None,
    ) -> None:
        """Tell `started` the URL once it can be asked, and `api` that no request is taken more."""
        super().__init__(config)
        self._started = started
        self._api = api

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        for listening in self.servers:
            for bound in listening.sockets:
                name, port = bound.getsockname()[:2]
                shown = f"[{name}]" if ":" in name else name
                self._started(f"http://{shown}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take no further requests and finish those that were accepted; a second Ctrl-C does not.

        Unlike uvicorn's own it keeps no signal to raise at the end: an end that was asked for, and
        that lost nothing, is no failure.
        """
        del frame
        if self._api is not None:
            self._api.stopping = True
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Finish what was accepted; who listens for changes is sent home first."""
        leaving = asyncio.create_task(self._send_home())
        await super().shutdown(sockets)
        leaving.cancel()

    async def _send_home(self) -> None:
        """End the streams of changes; cut off who does not read what was sent to it.

        It would be waited for in vain. Nothing is lost by that: it goes on after the last event
        that it saw.
        """
        listening = {} if self._api is None else self._api.listening
        for _ in range(LISTENER_SECONDS * 20):
            if not listening:
                return
            await asyncio.sleep(0.05)
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None and getattr(connection, "client", None) in listening:
                transport.abort()


def serve(
    ledger: Ledger,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    access_log: bool = False,
    started: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve `ledger` at `host` and `port` (0 for a free one) until SIGINT or SIGTERM.

    Accepted requests are finished first. `started` is told the URL once it can be asked.
    """
    app = create_app(ledger, settings)
    logs = deepcopy(uvicorn.config.LOGGING_CONFIG)
    logs["handlers"]["access"]["stream"] = "ext://sys.stderr"
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=access_log,
        log_config=logs,
        log_level=logging.INFO if access_log else logging.WARNING,
        server_header=False,
        proxy_headers=False,  # whoever asks would choose the host that rates are counted by
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=20,
    )
    ListeningServer(config, started=started, api=app.state.service).run()


def allowed_hosts(host: str, named: Collection[str] = ()) -> frozenset[str] | None:
    """Return the names that a server at `host` answers to: its own and those `named`; None for any.

    Where only this machine can reach it, others are refused: a page on the web can give a name of
    its own the address 127.0.0.1, and would read all that is open there (DNS rebinding).
    """
    if "*" in named or not (named or is_loopback(host)):
        return None
    own = f"[{host}]" if ":" in host else host
    return LOCAL | {own.lower()} | {name.lower() for name in named}


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
