"""The explorer: pages that people look at, drawn by the server. They need no script.

What they show may be read by everybody, so they are there only where reading is open.
"""

from itertools import islice
from typing import Annotated, Any, Final, NamedTuple

import segno
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from bridge.api import charts, drawing, overview
from bridge.api.activity import activity
from bridge.api.canonical import encoding_of
from bridge.api.drawing import (
    HERE,
    STATIC,
    At,
    SymbolQuery,
    chosen_asset,
    page_of,
    page_router,
)
from bridge.api.guards import Api
from bridge.api.links import PAGE, newest_first
from bridge.api.onchain import Reached, replays, state_of, states
from bridge.api.paging import account_pager, statement
from bridge.api.problems import Problem
from bridge.api.reads import asset_out
from bridge.api.searching import find
from bridge.api.wording import grouped, moment
from bridge.codec import Place, transfer_log
from bridge.files import placeholder_address
from ledger import Account, Asset, Entry, Hash32, Ledger, NotFoundError, format_ratio
from ledger.model import ZERO_HASH, Record
from ledger.views import sum_text

_POINTS: Final = 200
"""Entries of an account that its chart shows."""
_TOP: Final = 10
"""Holders that the home page names."""
_ASSETS: Final = 25
"""Assets of which an account's page says the balance."""
_GROUP: Final = 50
"""Entries of a group that a page names."""

router = page_router()
static_router = APIRouter(include_in_schema=False)


def install(app: FastAPI, ledger: Ledger) -> None:
    """Give `app` what its pages keep from one request to the next."""
    app.state.overviews = overview.Overviews(ledger)
    drawing.install(app)


@static_router.get("/static/{name}")
def static(name: str) -> Response:
    """Give the style and the scripts of the pages."""
    if name not in STATIC:
        raise Problem(404, "NOT_FOUND", "no such file")
    content = (HERE / "static" / name).read_bytes()
    headers = {"Cache-Control": "max-age=300"}
    return Response(content, media_type=STATIC[name], headers=headers)


# --- home ---


@router.get("/")
def home(request: Request, api: Api, symbol: SymbolQuery = None) -> HTMLResponse:
    """Supply, holders, what is going on."""
    ledger = api.ledger
    asset = chosen_asset(ledger, symbol)
    if asset is None:
        return page_of(request, "empty.html")
    known: overview.Overview = request.app.state.overviews.of(asset)
    head = ledger.head(asset.symbol)
    latest = list(ledger.entries(asset.symbol, max(1, head.seq - 9), head.seq))[::-1]
    seal = ledger.last_seal()
    sealed = ledger.batch_until(seal, asset.symbol)
    spread = known.distribution
    return page_of(
        request,
        "home.html",
        asset=asset,
        facts=asset_out(ledger, asset),
        known=known,
        supply=ledger.get_total_supply(asset.symbol),
        gini=None if spread.gini is None else format_ratio(spread.gini, 4),
        velocity=None if known.velocity.ratio is None else format_ratio(known.velocity.ratio, 4),
        top=[(it, format_ratio(spread.share(it), 5)) for it in spread.top[:_TOP]],
        total=lambda amount: sum_text(asset, amount),
        head=head,
        latest=latest,
        states=states(ledger, asset, [it.seq for it in latest]),
        activity=activity(ledger, asset),
        largest=_largest(asset, known),
        seal=seal,
        standings=_standings(known, sealed.batch.last_seq if sealed else 0, head.seq),
    )


def _largest(asset: Asset, known: overview.Overview) -> Markup:
    """Return a chart of the largest balances."""
    top = known.distribution.top
    drawn = [
        charts.Bar(it.balance, f"{it.account_id}: {grouped(asset.format(it.balance))}")
        for it in top
    ]
    if not top:
        return Markup('<p class="soft">Nobody has any yet.</p>')
    ends = charts.Ends(
        title=f"The {len(top)} largest balances of {known.distribution.holders} holders",
        most=f"{grouped(asset.format(top[0].balance))} {asset.symbol}",
        first=f"1. {top[0].account_id}",
        last=f"{len(top)}. {top[-1].account_id}" if len(top) > 1 else "",
    )
    return charts.bars(drawn, ends)


def _standings(known: overview.Overview, sealed: int, head: int) -> list[dict[str, Any]]:
    """Return how much of a journal is where, for each chain: parts that tile 1 .. `head`."""
    found = []
    for chain, it in (known.chains or {"": Reached(0, "", 0)}).items():
        ends = (
            ("final", it.final_seq),
            ("replayed", it.last_seq),
            ("sealed, off-chain", sealed),
            ("off-chain", head),
        )
        parts: list[_Part] = []
        before = 0
        for name, end in ends:
            if end > before:
                parts.append(_Part(name, before + 1, end))
                before = end
        drawn = [charts.Part(it.name.partition(",")[0], it.last - it.first + 1) for it in parts]
        words = ", ".join(f"{it.name}: {it.first} to {it.last}" for it in parts)
        found.append({"chain": chain, "parts": parts, "drawn": charts.shares(drawn, words)})
    return found


class _Part(NamedTuple):
    """The run of a journal that is in one place."""

    name: str
    first: int
    last: int


# --- accounts ---


@router.get("/accounts")
def accounts(
    request: Request,
    api: Api,
    prefix: Annotated[str, Query(max_length=255)] = "",
    after: Annotated[str, Query(max_length=255)] = "",
    symbol: SymbolQuery = None,
) -> HTMLResponse:
    """Accounts by id, with what they have of an asset."""
    ledger = api.ledger
    asset = chosen_asset(ledger, symbol)
    page = list(islice(ledger.accounts(prefix, after=after), PAGE + 1))
    shown = page[:PAGE]
    return page_of(
        request,
        "accounts.html",
        asset=asset,
        prefix=prefix,
        rows=[(it, asset and ledger.get_balance(it.account_id, asset.symbol)) for it in shown],
        pager=account_pager(
            ledger, [it.account_id for it in page], prefix, after, asset.symbol if asset else None
        ),
    )


@router.get("/account")
def account_by_id(
    request: Request,
    api: Api,
    account_id: Annotated[str, Query(alias="id", max_length=255)],
    symbol: SymbolQuery = None,
    at: At = None,
) -> HTMLResponse:
    """An account whose id cannot be a part of every path."""
    return account(request, api, account_id, symbol, at)


@router.get("/account/{account_id:path}")
def account(
    request: Request, api: Api, account_id: str, symbol: SymbolQuery = None, at: At = None
) -> HTMLResponse:
    """An account, its statement, and its balance over time."""
    ledger = api.ledger
    found = ledger.account(account_id)
    asset = chosen_asset(ledger, symbol)
    if asset is None:
        return page_of(request, "empty.html")
    entries, pager = statement(ledger, asset, found, at)
    shown = ledger.assets()[:_ASSETS]
    if asset.symbol not in {it.symbol for it in shown}:
        shown = [asset, *shown[:-1]]
    return page_of(
        request,
        "account.html",
        account=found,
        asset=asset,
        balances=[(it, ledger.balance(found.account_id, it.symbol)) for it in shown],
        rows=[_row(found, entry) for entry in entries],
        states=states(ledger, asset, [it.seq for it in entries]),
        pager=pager,
        over_time=_over_time(ledger, asset, found),
        points=_POINTS,
        qr=_qr(str(found.address)),
    )


def _row(own: Account, entry: Entry) -> dict[str, Any]:
    """Return a line of a statement: the sign, the other side, the balance after it."""
    is_debit = entry.from_account == own.account_id
    return {
        "entry": entry,
        "sign": "-" if is_debit else "+",
        "other": entry.to_account if is_debit else entry.from_account,
        "after": entry.balance_after_from if is_debit else entry.balance_after_to,
    }


def _over_time(ledger: Ledger, asset: Asset, own: Account) -> Markup | None:
    """Return a chart of the balances after the account's last entries; None before the first."""
    page = ledger.statement_page(
        own.account_id, asset=asset.symbol, limit=_POINTS, newest_first=True
    )
    rows = [_row(own, entry) for entry in reversed(page.entries)]
    if not rows:
        return None
    points = [charts.Point(row["entry"].timestamp, row["after"]) for row in rows]
    most = max(it.value for it in points)
    ends = charts.Ends(
        title=f"Balance over time, at most {asset.format(most)} {asset.symbol}",
        most=f"{grouped(asset.format(most))} {asset.symbol}",
        first=moment(points[0].at)[:16],
        last=moment(points[-1].at)[:16] if len(points) > 1 else "",
    )
    return charts.steps(points, ends)


def _qr(text: str) -> Markup:
    """Return a QR code as SVG."""
    made = segno.make(text, error="m")
    svg = made.svg_inline(svgclass="qr", lineclass=None, border=1, title=text, omitsize=True)
    return Markup(svg)  # noqa: S704 (segno escapes the title, the rest are squares)


# --- entries ---


@router.get("/entries")
def entries(request: Request, api: Api, symbol: SymbolQuery = None, at: At = None) -> HTMLResponse:
    """An asset's journal, the newest entry first."""
    ledger = api.ledger
    asset = chosen_asset(ledger, symbol)
    if asset is None:
        return page_of(request, "empty.html")
    span = newest_first("/entries", ledger.head(asset.symbol).seq, at, asset=asset.symbol)
    found = list(ledger.entries(asset.symbol, span.first, span.last))[::-1]
    return page_of(
        request,
        "entries.html",
        asset=asset,
        entries=found,
        states=states(ledger, asset, [it.seq for it in found]),
        pager=span.pager,
    )


@router.get("/entry/{entry_id}")
def entry(request: Request, api: Api, entry_id: str) -> HTMLResponse:
    """An entry, everything about it."""
    ledger = api.ledger
    found = ledger.entry(Hash32.parse(entry_id, "id"))
    asset = ledger.asset(found.asset)
    batch = ledger.batch_with(found.seq, asset.symbol)
    on_chain = replays(ledger, asset, found.seq, found.seq)
    near = list(ledger.entries(asset.symbol, max(1, found.seq - 1), found.seq + 1))
    group = ledger.group(found.id) if found.group != ZERO_HASH else ()
    return page_of(
        request,
        "entry.html",
        entry=found,
        asset=asset,
        batch=batch,
        before=next((it for it in near if it.seq < found.seq), None),
        behind=next((it for it in near if it.seq > found.seq), None),
        group=group[:_GROUP],
        group_size=len(group),
        held=_hold_of(ledger, found),
        reversal=ledger.reversal(found.id),
        encoding=encoding_of(ledger.identity.domain, asset, found),
        log=_log(ledger, asset, found),
        on_chain=on_chain,
        state=state_of((it.state for it in on_chain), is_sealed=batch is not None),
        zero=ZERO_HASH,
    )


def _hold_of(ledger: Ledger, found: Entry) -> Hash32 | None:
    """Return the hold that an entry posted, where this ledger has it."""
    if found.kind != "hold":
        return None
    try:
        return ledger.find_hold(found.cause).id
    except NotFoundError:
        return None


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
    """What was asked for: an account, an address, an id, a hash, a number, a reference."""
    found = find(api.ledger, q)
    if len(found) == 1:
        return RedirectResponse(found[0].path, 303)
    return page_of(request, "search.html", q=q, found=found)
