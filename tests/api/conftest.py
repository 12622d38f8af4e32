"""What the tests of the API share: a small ledger behind a real server."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ledger import Ledger
from tests.api.server import ApiServer, Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.api import Settings


@contextmanager
def small_ledger(url: str) -> Iterator[Ledger]:
    """Give a ledger with one asset and three accounts."""
    with Ledger.create(url) as made:
        made.create_asset("SCI", "SCI token", 18)
        for name in ("alice", "bob", "carol"):
            made.create_account(name)
        yield made


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    """Return a ledger with one asset and three accounts."""
    with small_ledger(sqlite_url) as made:
        yield made


@pytest.fixture
def serve(ledger: Ledger) -> Iterator[Callable[[Settings | None], ApiServer]]:
    """Return a function that serves the ledger; it is stopped after the test."""
    running: list[ApiServer] = []

    def start(settings: Settings | None = None) -> ApiServer:
        running.append(ApiServer(ledger, settings))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def server(serve: Callable[[Settings | None], ApiServer]) -> ApiServer:
    """Return a server of the ledger."""
    return serve(None)


@pytest.fixture
def admin(server: ApiServer) -> Caller:
    """Return a caller who may do everything."""
    return Caller(server.client(server.token("admin")))
