"""The application: every route, and what surrounds them all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from anyio import to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import Route

from bridge.api import (
    evidence,
    first_spec,
    health,
    history_reads,
    managing,
    pages,
    problems,
    reads,
    sealed_pages,
    stream,
    writes,
)
from bridge.api.desk import looked_up, posted
from bridge.api.gathering import Gathering
from bridge.api.guards import Service
from bridge.api.health import Metrics
from bridge.api.keys import ApiKeys
from bridge.api.problems import problem_schemas
from bridge.api.rates import RateLimiter
from bridge.api.settings import Settings
from bridge.api.surroundings import Surroundings
from ledger import Ledger

_ROUTERS: Final = (  # what is asked most comes first: they are tried in this order
    first_spec.router,
    writes.router,
    stream.router,
    reads.router,
    history_reads.router,
    managing.router,
    evidence.router,
    health.router,
    pages.static_router,
    pages.router,
    sealed_pages.router,
)

_ABOUT: Final = """The ledger over HTTP. Amounts are text, in whole tokens and in base units, never
numbers. Every write has an `Idempotency-Key`: sent again, it gives the first result again.
Errors are problem details (RFC 9457), whose `code` is the name of the refusal."""


def create_app(ledger: Ledger, settings: Settings | None = None) -> FastAPI:
    """Return the application that serves `ledger`; the caller closes the ledger afterwards."""
    chosen = settings or Settings()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = chosen.threads
        yield

    app = FastAPI(
        title="evm-ledger",
        version=version("evm-ledger"),
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,  # its page fetches scripts from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    by_key, by_host = (RateLimiter(chosen.rate, chosen.burst) for _ in range(2))
    service = app.state.service = Service(ledger, chosen, ApiKeys(ledger), by_key, by_host)
    service.postings = Gathering(partial(posted, service))
    service.lookups = Gathering(partial(looked_up, service))
    app.state.metrics = Metrics()
    problems.install(app)
    pages.install(app, ledger)
    app.add_middleware(Surroundings, api=service, metrics=app.state.metrics)
    for router in _ROUTERS:
        app.include_router(router)
    own = [route for router in _ROUTERS for route in router.routes]
    app.state.routes = [route for route in (*app.routes, *own) if isinstance(route, Route)]
    app.openapi = partial(_described, app)  # type: ignore[method-assign]  # FastAPI's own way
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, with the shape of problems in it."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        made["components"]["schemas"] |= problem_schemas()
        for name in ("HTTPValidationError", "ValidationError"):
            made["components"]["schemas"].pop(name, None)
        for methods in made["paths"].values():
            for operation in methods.values():
                for parameter in operation.get("parameters", ()):
                    # Asked for by a problem of its own (400), not by the framework's.
                    parameter["required"] |= parameter["name"] == "Idempotency-Key"
        app.openapi_schema = made
    return app.openapi_schema
