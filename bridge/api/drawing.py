"""How a page is drawn: its template, what every page has, and what is drawn if it cannot be."""

import json
import time
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException

from bridge.api import links, wording
from bridge.api.guards import Api, Service
from bridge.api.problems import Problem
from ledger import Asset, Ledger, LedgerError

HERE: Final = Path(__file__).parent
STATIC: Final = {
    "style.css": "text/css",
    "page.js": "text/javascript",
    "recompute.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_CHOICE: Final = 8
"""Assets that a page offers; the page of assets has all."""
_UNSEEN: Final = ("/v1/", "/api/")
"""Where programs ask, whatever they say that they accept."""

_HEADINGS: Final = {
    401: "The explorer is closed",
    404: "There is no such thing",
    422: "That cannot be asked",
    429: "Too many requests",
    503: "Busy: try again in a moment",
}

_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _exact(text: str) -> Markup:
    """Return text that a browser reads back as it is: carriage returns too, which HTML changes."""
    return Markup(str(escape(text)).replace("\r", "&#13;"))  # noqa: S704 (escaped just before)


_environment.filters.update(
    exact=_exact,
    named=wording.named,
    short=wording.short,
    grouped=wording.grouped,
    percent=wording.percent,
    moment=wording.moment,
    iso=wording.iso,
)
_environment.globals.update(
    account_url=links.account_url,
    entry_url=links.entry_url,
    hold_url=links.hold_url,
    batch_url=links.batch_url,
    seal_url=links.seal_url,
    url=links.url,
)

SymbolQuery = Annotated[str | None, Query(alias="asset", max_length=64)]
At = Annotated[int | None, Query(ge=1, lt=2**62)]


def now() -> int:
    """Return the host's time in microseconds: pages say how long ago something was."""
    return time.time_ns() // 1_000


def may_look(api: Api) -> None:
    """Let pages be seen only where reading is open. Raises Problem."""
    if not api.settings.open_reads:
        raise Problem(
            401,
            "KEY_MISSING",
            "the explorer shows everything to everybody: start the server with --open-reads",
            headers={"WWW-Authenticate": "Bearer"},
        )


class PageRoute(APIRoute):
    """A page. What goes wrong is a page too for whoever wants pages, else a problem."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        draw = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await draw(request)
            except (Problem, LedgerError, RequestValidationError) as error:
                if not _wants_a_page(request):
                    raise
                return _failed(request, await _problem_of(request, error))

        return handle


def page_router() -> APIRouter:
    """Return a router of pages."""
    return APIRouter(
        include_in_schema=False,
        dependencies=[Depends(may_look)],
        default_response_class=HTMLResponse,
        route_class=PageRoute,
    )


def install(app: FastAPI) -> None:
    """Let a path that leads nowhere be a page for whoever wants pages, where reading is open."""
    before: Any = app.exception_handlers[HTTPException]

    async def lost(request: Request, error: Exception) -> Response:
        answer: Response = await before(request, error)
        api: Service = request.app.state.service
        is_page = (
            answer.status_code == HTTPStatus.NOT_FOUND
            and api.settings.open_reads
            and _wants_a_page(request)
            and not request.url.path.startswith(_UNSEEN)
        )
        return _failed(request, answer) if is_page else answer

    app.add_exception_handler(HTTPException, lost)


def _wants_a_page(request: Request) -> bool:
    """Tell whether a browser asks."""
    return "text/html" in request.headers.get("accept", "")


async def _problem_of(request: Request, error: Exception) -> Response:
    """Return the problem that an error is to programs. Raises it, if it is none."""
    for kind in type(error).__mro__:
        handler: Any = request.app.exception_handlers.get(kind)
        if handler:
            answer: Response = await handler(request, error)
            return answer
    raise error


def _failed(request: Request, problem: Response) -> Response:
    """Return the page that says what a problem says. Asks nothing of the database."""
    status = problem.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _HEADINGS:
        return problem
    said = HTTPStatus(status).phrase
    api: Service = request.app.state.service
    page = _drawn(
        request,
        "failed.html",
        status,
        heading=_HEADINGS.get(status, said),
        detail=_detail(problem),
        is_open=api.settings.open_reads,
    )
    kept = ("www-authenticate", "retry-after", "allow")
    page.headers.update({name: problem.headers[name] for name in kept if name in problem.headers})
    return page


def _detail(problem: Response) -> str:
    """Return what a problem says."""
    return str(json.loads(bytes(problem.body))["detail"])


def page_of(
    request: Request,
    template: str,
    status: int = 200,
    **values: Any,  # noqa: ANN401 (a template takes anything)
) -> HTMLResponse:
    """Return a page about `asset`, if it is one of those values, among others."""
    api: Service = request.app.state.service
    assets = api.ledger.assets()
    offered = assets[:_CHOICE]
    chosen = values.get("asset")
    if chosen is not None and chosen.symbol not in {it.symbol for it in offered}:
        offered = [*offered[:-1], chosen]
    return _drawn(
        request, template, status, assets=offered, more_assets=len(assets) > _CHOICE, **values
    )


def _drawn(
    request: Request,
    template: str,
    status: int,
    **values: Any,  # noqa: ANN401 (a template takes anything)
) -> HTMLResponse:
    """Return a page with what every page has."""
    api: Service = request.app.state.service
    common = {
        "ago": partial(wording.ago, now=now()),
        "identity": api.ledger.identity,
        "is_open": True,
        "path": request.url.path,
        "q": "",
    }
    text = _environment.get_template(template).render({**common, **values})
    return HTMLResponse(text, status)


def chosen_asset(ledger: Ledger, symbol: str | None) -> Asset | None:
    """Return the asset that a page is about: the one named, or the first. Raises NotFoundError."""
    if symbol:
        return ledger.asset(symbol)
    return next(iter(ledger.assets()), None)
