"""A server to measure: `python -m benchmarks.http_server ledger|bare|commit URL`.

`ledger` is the API itself; `bare` an endpoint of the same framework and server that does nothing;
`commit` one that inserts a row with three columns and commits, one request a commit.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import asynccontextmanager
from threading import Lock, local
from typing import TYPE_CHECKING, Any

import psycopg
import uvicorn
from anyio import to_thread
from fastapi import FastAPI
from sqlalchemy import make_url

from bridge.api import Settings
from bridge.api.server import ListeningServer, serve
from ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

THREADS = 64


def _insert(url: str) -> Callable[[str, str], None]:
    """Return a function that inserts a row and commits."""
    parsed = make_url(url)
    own, lock = local(), Lock()
    if parsed.get_backend_name() == "sqlite":

        def insert(key: str, body: str) -> None:
            with lock:  # SQLite has one writer; whoever waits in it polls
                if not hasattr(own, "it"):
                    own.it = sqlite3.connect(str(parsed.database))
                    own.it.execute("PRAGMA synchronous = FULL")
                own.it.execute("INSERT INTO bare (key, body, at) VALUES (?, ?, 1)", (key, body))
                own.it.commit()

        return insert
    libpq = parsed.set(drivername="postgresql").render_as_string(hide_password=False)

    def insert_there(key: str, body: str) -> None:
        if not hasattr(own, "it"):
            own.it = psycopg.connect(libpq)
        own.it.execute("INSERT INTO bare (key, body, at) VALUES (%s, %s, 1)", (key, body))
        own.it.commit()

    return insert_there


def _simple(url: str | None) -> FastAPI:
    """Return the application of a baseline."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield

    app = FastAPI(docs_url=None, redoc_url=None, lifespan=lifespan)

    @app.get("/v1/nothing")
    def nothing() -> dict[str, str]:
        return {"status": "ok"}

    if url is not None:
        insert = _insert(url)

        @app.post("/v1/entries")
        def post(body: dict[str, Any]) -> dict[str, str]:
            insert(str(body["reference_id"]), str(body))
            return {"status": "ok"}

    return app


def main() -> None:
    """Serve until the process is ended; the URL is the first line printed."""
    kind, url = sys.argv[1:3]
    if kind == "ledger":
        settings = Settings(rate=1e6, burst=1_000_000)
        with Ledger.open(url) as ledger:
            serve(ledger, settings, port=0, started=lambda at: print(at, flush=True))
        return
    config = uvicorn.Config(_simple(url if kind == "commit" else None), port=0, log_level="error")
    ListeningServer(config, started=lambda at: print(at, flush=True)).run()


if __name__ == "__main__":
    main()
