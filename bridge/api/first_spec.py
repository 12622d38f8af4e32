"""The endpoints that the first specification named: balance, supply, ledger."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from bridge.api.figures import figures
from bridge.api.guards import Api, Reader
from bridge.api.problems import problems
from bridge.api.reads import CursorText, Limit, SymbolQuery
from bridge.api.shapes import AccountText, BalanceOut, EntriesOut, SupplyOut
from bridge.api.shown import entries_out
from bridge.api.working import Worked
from ledger.views import balance_json

router = APIRouter(prefix="/api/token", tags=["first specification"], route_class=Worked)

_WINDOW = timedelta(days=30)


@router.get("/balance/{agent_id:path}", response_model=BalanceOut, responses=problems(404))
def balance(
    api: Api,
    caller: Reader,
    agent_id: Annotated[AccountText, Path()],
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
    account: Annotated[AccountText, Query()],
    symbol: SymbolQuery = None,
    limit: Limit = 50,
    cursor: CursorText = None,
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
