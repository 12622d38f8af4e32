"""A real server, in a thread of the test's own process, and clients of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from bridge.api import Settings, create_app
from bridge.api.keys import Scope
from bridge.api.server import ListeningServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger import Ledger


class ApiServer:
    """Serves a ledger on a free port until `stop`."""

    def __init__(self, ledger: Ledger, settings: Settings | None = None) -> None:
        self.app = create_app(ledger, settings or Settings(rate=1e6, burst=1_000_000))
        self.service = self.app.state.service
        config = uvicorn.Config(self.app, port=0, log_level="critical", lifespan="on")
        self.url = ""
        """Where it listens."""
        self._ready = threading.Event()
        self._server = ListeningServer(config, started=self._started, api=self.service)
        self._thread = threading.Thread(target=self._server.run)
        self._clients: list[httpx.Client] = []
        self._thread.start()
        assert self._ready.wait(120), "the server did not start"

    def _started(self, url: str) -> None:
        self.url = url
        self._ready.set()

    def token(self, scope: str, accounts: Sequence[str] = ()) -> str:
        """Return a new key."""
        return str(self.service.keys.create("test", Scope(scope), accounts=accounts)[1])

    def client(self, token: str | None = None) -> httpx.Client:
        """Return a client that sends `token`."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        client = httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=120)
        self._clients.append(client)
        return client

    def connections(self) -> list[Any]:
        """Return the connections that it has, as uvicorn knows them."""
        return list(self._server.server_state.connections)

    def stop(self) -> None:
        """End it."""
        for client in self._clients:
            client.close()
        self.service.stopping = True
        self._server.should_exit = True
        self._thread.join()


class Caller:
    """A client that names each write by a key of its own."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self._count = 0

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 (JSON is anything)
        """Return the answer to a read; it must be one."""
        params = {name: str(value) for name, value in query.items()}
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def write(
        self, path: str, body: object = None, *, key: str | None = None, method: str = "POST"
    ) -> httpx.Response:
        """Return the answer to a write."""
        self._count += 1
        headers = {"Idempotency-Key": key or f"test-{self._count}"}
        return self.client.request(method, path, json=body, headers=headers)

    def post(self, path: str, body: object = None, **options: Any) -> Any:  # noqa: ANN401 (JSON is anything)
        """Return what a write made; it must have gone well."""
        answer = self.write(path, body, **options)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()
