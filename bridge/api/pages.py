"""The explorer: pages that people look at, drawn by the server. They need no script.

What they show may be read by everybody, so they are there only where reading is open.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import segno
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from bridge.api import charts
from bridge.api.canonical import encoding_of
from bridge.api.cursors import read_cursor, write_cursor
from bridge.api.figures import figures
from bridge.api.guards import Api, Service
from bridge.api.onchain import reached, replays
from bridge.api.problems import Problem
from bridge.api.reads import asset_out
from bridge.api.searching import find
from bridge.codec import Place, transfer_log
from bridge.files import placeholder_address
from ledger import Account, Asset, Entry, Filters, Hash32, Ledger, LedgerError, NotFoundError
from ledger.model import ZERO_HASH, Record
from ledger.views import time_text

HERE: Final = Path(__file__).parent
STATIC: Final = {"style.css": "text/css", "recompute.js": "text/javascript"}

PAGE: Final = 25
_HOURS: Final = 48
_POINTS: Final = 200

_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _short(value: object) -> str:
    """Return the beginning and the end of a hash."""
    text = str(value)
    return f"{text[:10]}…{text[-6:]}"


def _exact(text: str) -> Markup:
    """Return text that a browser reads back as it is: carriage returns too, which HTML changes."""
    return Markup(str(escape(text)).replace("\r", "&#13;"))  # noqa: S704 (escaped just before)


def _segment(text: str) -> str:
    """Return text as one part of a path, whatever it is."""
    return quote(text, safe="")


_environment.filters.update(
    exact=_exact,
    short=_short,
    segment=_segment,
    moment=lambda at: time_text(at)[:19].replace("T", " ") + " UTC",
)


def may_look(api: Api) -> None:
    """Let pages be seen only where reading is open. Raises Problem."""
    if not api.settings.open_reads:
        raise Problem(
            401,
            "KEY_MISSING",
            "the explorer shows everything to everybody: start the server with --open-reads",
            headers={"WWW-Authenticate": "Bearer"},
        )


def page_router() -> APIRouter:
    """Return a router of pages."""
    return APIRouter(
        include_in_schema=False,
        dependencies=[Depends(may_look)],
        default_response_class=HTMLResponse,
    )


router = page_router()
static_router = APIRouter(include_in_schema=False)

SymbolQuery = Annotated[str | None, Query(alias="asset", max_length=64)]
CursorText = Annotated[str | None, Query(alias="cursor", max_length=4_096)]


@static_router.get("/static/{name}")
def static(name: str) -> Response:
    """Give the style and the script of the pages."""
    if name not in STATIC:
        raise Problem(404, "NOT_FOUND", "no such file")
    content = (HERE / "static" / name).read_bytes()
    headers = {"Cache-Control": "max-age=300"}
    return Response(content, media_type=STATIC[name], headers=headers)


def page_of(
    request: Request,
    template: str,
    status: int = 200,
    **values: Any,  # noqa: ANN401 (a template takes anything)
) -> HTMLResponse:
    """Return a page."""
    api: Service = request.app.state.service
    common = {
        "assets": api.ledger.assets(),
        "identity": api.ledger.identity,
        "q": "",
        "path": request.url.path,
    }
    text = _environment.get_template(template).render({**common, **values})
    return HTMLResponse(text, status)


def or_missing(request: Request, show: Callable[[], HTMLResponse]) -> HTMLResponse:
    """Return a page, or the one that says that there is no such thing."""
    try:
        return show()
    except NotFoundError as error:
        return page_of(request, "missing.html", 404, detail=error.message)
    except LedgerError as error:
        return page_of(request, "missing.html", 422, detail=str(error))


def chosen_asset(ledger: Ledger, symbol: str | None) -> Asset | None:
    """Return the asset that a page is about: the one named, or the first."""
    if symbol:
        return ledger.asset(symbol)
    return next(iter(ledger.assets()), None)


# --- home ---


@router.get("/")
def home(request: Request, api: Api, symbol: SymbolQuery = None) -> HTMLResponse:
    """Supply, holders, what is going on."""

    def show() -> HTMLResponse:
        ledger = api.ledger
        asset = chosen_asset(ledger, symbol)
        if asset is None:
            return page_of(request, "empty.html")
        numbers = figures(ledger, asset.symbol, timedelta(days=30), 10)
        head = ledger.head(asset.symbol)
        latest = list(ledger.entries(asset.symbol, max(1, head.seq - 9), head.seq))[::-1]
        holders = ledger.distribution(asset.symbol, top=30).top
        shares = charts.bars(
            [it.balance for it in holders],
            [f"{it.account_id}: {asset.format(it.balance)}" for it in holders],
            "The largest balances",
        )
        return page_of(
            request,
            "home.html",
            asset=asset,
            facts=asset_out(ledger, asset),
            numbers=numbers,
            head=head,
            latest=latest,
            activity=_activity(ledger, asset),
            shares=shares,
            seal=ledger.last_seal(),
            chains=reached(replays(ledger, asset)),
        )

    return or_missing(request, show)


def _activity(ledger: Ledger, asset: Asset) -> Markup:
    """Return a chart of the transfers of each of the last hours that had any."""
    hours = ledger.hours(asset.symbol, last=_HOURS)
    return charts.bars(
        [hour.entries for hour in hours],
        [
            f"{time_text(hour.start)[:16].replace('T', ' ')}: {hour.entries} transfers"
            for hour in hours
        ],
        "Transfers an hour",
    )


# --- accounts ---


@router.get("/accounts")
def accounts(
    request: Request,
    api: Api,
    prefix: Annotated[str, Query(max_length=255)] = "",
    cursor: CursorText = None,
) -> HTMLResponse:
    """Accounts by id."""

    def show() -> HTMLResponse:
        of = ("page accounts", prefix)
        after = read_cursor(of, cursor, str) or ""
        page = list(islice(api.ledger.accounts(prefix, after=after), PAGE + 1))
        following = write_cursor(of, page[PAGE - 1].account_id) if len(page) > PAGE else None
        return page_of(
            request, "accounts.html", accounts=page[:PAGE], prefix=prefix, following=following
        )

    return or_missing(request, show)


@router.get("/account/{account_id:path}")
def account(
    request: Request,
    api: Api,
    account_id: str,
    symbol: SymbolQuery = None,
    cursor: CursorText = None,
) -> HTMLResponse:
    """An account, its statement, and its balance over time."""

    def show() -> HTMLResponse:
        ledger = api.ledger
        found = ledger.account(account_id)
        asset = chosen_asset(ledger, symbol)
        if asset is None:
            return page_of(request, "empty.html")
        page = ledger.statement_page(
            found.account_id,
            asset=asset.symbol,
            cursor=cursor,
            limit=PAGE,
            newest_first=True,
            filters=Filters(),
        )
        return page_of(
            request,
            "account.html",
            account=found,
            asset=asset,
            balances=[(it, ledger.balance(found.account_id, it.symbol)) for it in ledger.assets()],
            rows=[_row(found, entry) for entry in page.entries],
            following=page.cursor,
            over_time=_over_time(ledger, asset, found),
            qr=_qr(str(found.address)),
        )

    return or_missing(request, show)


def _row(own: Account, entry: Entry) -> dict[str, Any]:
    """Return a line of a statement: the sign, the other side, the balance after it."""
    is_debit = entry.from_account == own.account_id
    return {
        "entry": entry,
        "sign": "-" if is_debit else "+",
        "other": entry.to_account if is_debit else entry.from_account,
        "after": entry.balance_after_from if is_debit else entry.balance_after_to,
    }


def _over_time(ledger: Ledger, asset: Asset, own: Account) -> Markup:
    """Return a chart of the balances after the account's last entries."""
    page = ledger.statement_page(
        own.account_id, asset=asset.symbol, limit=_POINTS, newest_first=True
    )
    rows = [_row(own, entry) for entry in reversed(page.entries)]
    return charts.steps(
        [row["after"] for row in rows],
        [time_text(row["entry"].timestamp)[:16].replace("T", " ") for row in rows],
        "Balance over time",
    )


def _qr(text: str) -> Markup:
    """Return a QR code as SVG."""
    made = segno.make(text, error="m")
    svg = made.svg_inline(svgclass="qr", lineclass=None, border=1, title=text, omitsize=True)
    return Markup(svg)  # noqa: S704 (segno escapes the title, the rest are squares)


# --- entries ---


@router.get("/entries")
def entries(
    request: Request, api: Api, symbol: SymbolQuery = None, cursor: CursorText = None
) -> HTMLResponse:
    """An asset's journal, the newest entry first."""

    def show() -> HTMLResponse:
        ledger = api.ledger
        asset = chosen_asset(ledger, symbol)
        if asset is None:
            return page_of(request, "empty.html")
        of = ("page entries", str(asset.id))
        before = read_cursor(of, cursor, int)
        end = ledger.head(asset.symbol).seq if before is None else before - 1
        found = list(ledger.entries(asset.symbol, max(1, end - PAGE + 1), end))[::-1]
        more = bool(found) and found[-1].seq > 1
        following = write_cursor(of, found[-1].seq) if more else None
        return page_of(request, "entries.html", asset=asset, entries=found, following=following)

    return or_missing(request, show)


@router.get("/entry/{entry_id}")
def entry(request: Request, api: Api, entry_id: str) -> HTMLResponse:
    """An entry, everything about it."""

    def show() -> HTMLResponse:
        ledger = api.ledger
        found = ledger.entry(Hash32.parse(entry_id, "id"))
        asset = ledger.asset(found.asset)
        batch = ledger.batch_with(found.seq, asset.symbol)
        on_chain = replays(ledger, asset, found.seq)
        return page_of(
            request,
            "entry.html",
            entry=found,
            asset=asset,
            batch=batch,
            group=ledger.group(found.id) if found.group != ZERO_HASH else (),
            reversal=ledger.reversal(found.id),
            encoding=encoding_of(ledger.identity.domain, asset, found),
            log=_log(ledger, asset, found),
            on_chain=on_chain,
            state=state_of(batch is not None, [it.state for it in on_chain]),
        )

    return or_missing(request, show)


def state_of(sealed: bool, states: list[str]) -> str:  # noqa: FBT001 (one of two facts)
    """Return in a word where an entry is."""
    if "finalized" in states:
        return "final"
    if states:
        return "replayed"
    return "sealed, off-chain" if sealed else "off-chain"


def _log(ledger: Ledger, asset: Asset, found: Entry) -> list[tuple[str, str]]:
    """Return the `Transfer` log as it will appear on chain: what of it is known already."""
    token = asset_out(ledger, asset)["token"]
    address = placeholder_address(asset.id)
    record = Record(found.from_address, found.to_address, found.amount)
    log = transfer_log(address, record, Place(0, ZERO_HASH, 0, ZERO_HASH, 0))
    return [
        ("address", token or "known once the asset has an operator"),
        *((f"topics[{number}]", str(topic)) for number, topic in enumerate(log.topics)),
        ("data", "0x" + log.data.hex()),
    ]


# --- search ---


@router.get("/search")
def search(request: Request, api: Api, q: Annotated[str, Query(max_length=512)] = "") -> Response:
    """What was asked for: an account, an address, an id, a reference."""
    found = find(api.ledger, q.strip())
    if len(found) == 1:
        return RedirectResponse(found[0].path, 303)
    return page_of(request, "search.html", q=q, found=found)
