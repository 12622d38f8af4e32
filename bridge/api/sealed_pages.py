"""Pages of seals, batches and holds."""

from itertools import islice

from fastapi import Request
from fastapi.responses import HTMLResponse

from bridge.api.cursors import read_cursor, write_cursor
from bridge.api.guards import Api
from bridge.api.onchain import replays
from bridge.api.pages import (
    PAGE,
    CursorText,
    SymbolQuery,
    chosen_asset,
    or_missing,
    page_of,
    page_router,
    state_of,
)

router = page_router()


@router.get("/seals")
def seals(request: Request, api: Api, cursor: CursorText = None) -> HTMLResponse:
    """Seals, the first first."""

    def show() -> HTMLResponse:
        of = ("page seals",)
        first = (read_cursor(of, cursor, int) or 0) + 1
        page = list(islice(api.ledger.seals(first), PAGE + 1))
        following = write_cursor(of, page[PAGE - 1].seal.number) if len(page) > PAGE else None
        return page_of(request, "seals.html", seals=page[:PAGE], following=following)

    return or_missing(request, show)


@router.get("/batch/{number}")
def batch(request: Request, api: Api, number: int, symbol: SymbolQuery = None) -> HTMLResponse:
    """A batch of an asset, its entries, and where it is on chains."""

    def show() -> HTMLResponse:
        ledger = api.ledger
        asset = ledger.asset(symbol)
        found = ledger.batch(number, asset.symbol)
        if found is None:
            return page_of(request, "missing.html", 404, detail=f"there is no batch {number} yet")
        first, last = found.batch.first_seq, found.batch.last_seq
        shown = list(ledger.entries(asset.symbol, first, min(last, first + PAGE - 1)))
        on_chain = [
            it for it in replays(ledger, asset) if it.first_seq <= last and it.last_seq >= first
        ]
        return page_of(
            request,
            "batch.html",
            asset=asset,
            batch=found,
            entries=shown,
            on_chain=on_chain,
            state=state_of(True, [it.state for it in on_chain]),  # noqa: FBT003 (it is sealed)
        )

    return or_missing(request, show)


@router.get("/holds")
def holds(
    request: Request, api: Api, symbol: SymbolQuery = None, cursor: CursorText = None
) -> HTMLResponse:
    """An asset's holds, the oldest first."""

    def show() -> HTMLResponse:
        ledger = api.ledger
        asset = chosen_asset(ledger, symbol)
        if asset is None:
            return page_of(request, "empty.html")
        of = ("page holds", str(asset.id))
        after = read_cursor(of, cursor, int) or 0
        page = list(islice(ledger.holds(None, asset.symbol, after=after), PAGE + 1))
        following = write_cursor(of, page[PAGE - 1].number) if len(page) > PAGE else None
        return page_of(request, "holds.html", asset=asset, holds=page[:PAGE], following=following)

    return or_missing(request, show)
