"""Pages of assets, seals, batches and holds."""

from itertools import islice
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from bridge.api.drawing import At, SymbolQuery, chosen_asset, page_of, page_router
from bridge.api.guards import Api
from bridge.api.links import batch_url, newest_first, oldest_first
from bridge.api.onchain import replays, state_of, states
from bridge.api.paging import holds_page
from bridge.api.problems import Problem
from bridge.api.reads import token_of
from ledger import Hash32
from ledger.results import Sealed

router = page_router()


@router.get("/assets")
def assets(request: Request, api: Api, at: At = None) -> HTMLResponse:
    """Every asset, in order of creation."""
    ledger = api.ledger
    known = ledger.assets()
    span = oldest_first("/assets", 1, len(known), at)
    rows = [
        (it, ledger.get_total_supply(it.symbol), ledger.head(it.symbol).seq, token_of(ledger, it))
        for it in known[span.first - 1 : span.last]
    ]
    return page_of(request, "assets.html", rows=rows, pager=span.pager)


@router.get("/seals")
def seals(request: Request, api: Api, at: At = None) -> HTMLResponse:
    """Seals, the newest first."""
    ledger = api.ledger
    span = newest_first("/seals", ledger.last_seal(), at)
    count = span.last - span.first + 1
    shown = list(islice(ledger.seals(span.first), max(count, 0)))[::-1]
    return page_of(request, "seals.html", seals=shown, pager=span.pager)


@router.get("/seal/{number}")
def seal(request: Request, api: Api, number: int) -> HTMLResponse:
    """A seal and its batches."""
    found = _seal(api, number)
    last = api.ledger.last_seal()
    return page_of(request, "seal.html", sealed=found, last=last)


def _seal(api: Api, number: int) -> Sealed:
    """Return a seal. Raises Problem."""
    if 1 <= number <= api.ledger.last_seal():
        for found in islice(api.ledger.seals(number), 1):
            return found
    raise Problem(404, "NOT_FOUND", f"there is no seal {number}")


@router.get("/batch/{number}")
def batch(
    request: Request, api: Api, number: int, symbol: SymbolQuery = None, at: At = None
) -> HTMLResponse:
    """A batch of an asset, its entries, and where it is on chains."""
    ledger = api.ledger
    asset = chosen_asset(ledger, symbol)
    if asset is None:
        return page_of(request, "empty.html")
    found = ledger.batch(number, asset.symbol) if 1 <= number < 1 << 62 else None
    if found is None:
        raise Problem(404, "NOT_FOUND", f"{asset.symbol} has no batch {number} yet")
    first, last = found.batch.first_seq, found.batch.last_seq
    span = oldest_first(f"/batch/{number}", first, last, at, asset=asset.symbol)
    shown = list(ledger.entries(asset.symbol, span.first, span.last))
    on_chain = replays(ledger, asset, first, last)
    before = batch_url(number - 1, asset.symbol) if number > 1 else None
    has_next = ledger.batch(number + 1, asset.symbol) is not None
    return page_of(
        request,
        "batch.html",
        asset=asset,
        batch=found,
        entries=shown,
        states=states(ledger, asset, [it.seq for it in shown]),
        pager=span.pager,
        before=before,
        behind=batch_url(number + 1, asset.symbol) if has_next else None,
        on_chain=on_chain,
        state=_state([(it.first_seq, it.last_seq, it.state) for it in on_chain], first, last),
    )


def _state(runs: list[tuple[int, int, str]], first: int, last: int) -> str:
    """Return where a batch is as a whole: a chain may have it in several transactions."""
    for wanted in (("finalized",), ("finalized", "safe", "mined")):
        reached = first - 1
        for low, high, state in sorted(runs):
            if state in wanted and low <= reached + 1:
                reached = max(reached, high)
        if reached >= last:
            return state_of(wanted[:1] if len(wanted) == 1 else ("mined",), is_sealed=True)
    return state_of((), is_sealed=True) if not runs else "partly replayed"


@router.get("/holds")
def holds(
    request: Request,
    api: Api,
    symbol: SymbolQuery = None,
    account: Annotated[str | None, Query(max_length=255)] = None,
    at: At = None,
) -> HTMLResponse:
    """An asset's holds, the newest first: all, or those of an account."""
    ledger = api.ledger
    asset = chosen_asset(ledger, symbol)
    if asset is None:
        return page_of(request, "empty.html")
    own = None if not account else ledger.account(account).account_id
    shown, pager = holds_page(ledger, asset, own, at)
    return page_of(request, "holds.html", asset=asset, holds=shown, account=own, pager=pager)


@router.get("/hold/{hold_id}")
def hold(request: Request, api: Api, hold_id: str) -> HTMLResponse:
    """A hold, everything about it."""
    found = api.ledger.find_hold(Hash32.parse(hold_id, "id"))
    return page_of(request, "hold.html", hold=found, asset=api.ledger.asset(found.asset))
