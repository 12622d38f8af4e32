"""The endpoints that the first specification named: balance, supply, ledger."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from bridge.api.figures import figures
from bridge.api.guards import Api, Reader
from bridge.api.problems import problems
from bridge.api.reads import SymbolQuery
from bridge.api.shapes import BalanceOut, EntriesOut, SupplyOut
from bridge.api.shown import entries_out
from ledger.views import balance_json

router = APIRouter(prefix="/api/token", tags=["first specification"])

_WINDOW = timedelta(days=30)


@router.get("/balance/{agent_id:path}", response_model=BalanceOut, responses=problems(404))
def balance(
    api: Api,
    caller: Reader,
    agent_id: Annotated[str, Path(min_length=1, max_length=255)],
    symbol: SymbolQuery = None,
) -> dict[str, Any]:
    """What an account has."""
    caller.check_account(agent_id)
    asset = api.ledger.asset(symbol)
    return balance_json(asset, api.ledger.balance(agent_id, asset.symbol))


@router.get("/supply", response_model=SupplyOut, responses=problems(404))
def supply(api: Api, caller: Reader, symbol: SymbolQuery = None) -> dict[str, Any]:
    """Total supply, velocity over 30 days, distribution."""
    return figures(api.ledger, symbol, _WINDOW, 10, caller.accounts)


@router.get("/ledger", response_model=EntriesOut, responses=problems(404))
def ledger(
    *,
    api: Api,
    caller: Reader,
    account: Annotated[str, Query(min_length=1, max_length=255)],
    symbol: SymbolQuery = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
    cursor: Annotated[str | None, Query(max_length=4_096)] = None,
) -> dict[str, Any]:
    """The last entries of an account, the newest first."""
    caller.check_account(account)
    asset = api.ledger.asset(symbol)
    page = api.ledger.statement_page(
        account, asset=asset.symbol, cursor=cursor, limit=limit, newest_first=True
    )
    return {
        "entries": entries_out(caller, api.ledger, page.entries),
        "cursor": page.cursor,
    }
