"""Reading holds, seals, batches, chains and changes over HTTP."""

from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from bridge.api.cursors import read_cursor, write_cursor
from bridge.api.guards import Api, Caller, Reader
from bridge.api.onchain import reached
from bridge.api.problems import Problem, problems
from bridge.api.reads import (
    CURSOR,
    AccountQuery,
    CursorText,
    HashPath,
    Limit,
    SymbolQuery,
    token_of,
)
from bridge.api.shapes import (
    BatchesOut,
    BatchOut,
    ChainOut,
    ChangesOut,
    HoldOut,
    HoldsOut,
    SealOut,
    SealsOut,
)
from bridge.api.working import Worked
from ledger import Hash32, HoldState, Ledger
from ledger.views import batch_json, change_json, hold_json, sealed_json

router = APIRouter(prefix="/v1", route_class=Worked)

# --- holds ---


@router.get("/holds", response_model=HoldsOut, responses=problems(404), tags=["holds"])
def list_holds(
    *,
    api: Api,
    caller: Reader,
    account: AccountQuery = None,
    symbol: SymbolQuery = None,
    state: Literal["pending", "posted", "voided", "expired"] | None = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> dict[str, Any]:
    """An asset's holds, the oldest first: all, or those of an account, or of a state."""
    if account is None:
        caller.check_everything()
    else:
        caller.check_account(account)
    asset = api.ledger.asset(symbol)
    of = ("holds", str(asset.id), account, state)
    after = read_cursor(of, cursor, int) or 0
    wanted = None if state is None else HoldState(state)
    holds = api.ledger.holds(account, asset.symbol, state=wanted, after=after)
    page = list(islice(holds, limit + 1))
    shown = page[:limit]
    return {
        "holds": [hold_json(asset, hold) for hold in shown],
        "cursor": write_cursor(of, shown[-1].number) if len(page) > limit else None,
    }


@router.get("/holds/{hold_id}", response_model=HoldOut, responses=problems(404), tags=["holds"])
def read_hold(api: Api, caller: Reader, hold_id: HashPath) -> dict[str, Any]:
    """One hold, as it is now."""
    hold = api.ledger.find_hold(Hash32.parse(hold_id, "hold_id"))
    caller.check_any(hold.account_id, hold.to_account)
    return hold_json(api.ledger.asset(hold.asset), hold)


# --- seals ---


@router.get("/seals", response_model=SealsOut, responses=problems(), tags=["batches"])
def list_seals(
    api: Api, caller: Reader, limit: Limit = 50, cursor: CursorText = None
) -> dict[str, Any]:
    """Seals in their order, each with its batches."""
    caller.check_everything()
    of = ("seals",)
    first = (read_cursor(of, cursor, int) or 0) + 1
    page = list(islice(api.ledger.seals(first), limit + 1))
    shown = page[:limit]
    return {
        "seals": [sealed_json(sealed) for sealed in shown],
        "cursor": write_cursor(of, shown[-1].seal.number) if len(page) > limit else None,
    }


@router.get("/seals/{number}", response_model=SealOut, responses=problems(404), tags=["batches"])
def read_seal(
    api: Api, caller: Reader, number: Annotated[int, Path(ge=1, lt=2**62)]
) -> dict[str, Any]:
    """One seal and its batches."""
    caller.check_everything()
    for sealed in islice(api.ledger.seals(number), 1):
        if sealed.seal.number == number:
            return sealed_json(sealed)
    raise Problem(404, "NOT_FOUND", f"there is no seal {number}")


@router.get("/batches", response_model=BatchesOut, responses=problems(404), tags=["batches"])
def list_batches(
    *,
    api: Api,
    caller: Reader,
    symbol: SymbolQuery = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> dict[str, Any]:
    """An asset's batches, the first first."""
    caller.check_everything()
    asset = api.ledger.asset(symbol)
    of = ("batches", str(asset.id))
    first = (read_cursor(of, cursor, int) or 0) + 1
    page = api.ledger.batches(asset.symbol, first, limit)
    last = page[-1].batch.number if len(page) == limit else None
    more = last is not None and api.ledger.batch(last + 1, asset.symbol) is not None
    return {
        "batches": [batch_json(batch) for batch in page],
        "cursor": write_cursor(of, last) if last is not None and more else None,
    }


@router.get("/batches/{number}", response_model=BatchOut, responses=problems(404), tags=["batches"])
def read_batch(
    api: Api,
    caller: Reader,
    number: Annotated[int, Path(ge=1, lt=2**62)],
    symbol: SymbolQuery = None,
) -> dict[str, Any]:
    """One batch of an asset."""
    caller.check_everything()
    found = api.ledger.batch(number, symbol)
    if found is None:
        raise Problem(404, "NOT_FOUND", f"there is no batch {number} yet")
    return batch_json(found)


# --- chains ---


@router.get("/chain", response_model=ChainOut, responses=problems(), tags=["chain"])
def read_chain(api: Api, _: Reader) -> dict[str, Any]:
    """How far each asset is replayed on each chain, as the outbox knows; no node is asked."""
    ledger = api.ledger
    return {
        "assets": [
            {
                "asset": asset.symbol,
                "token": token_of(ledger, asset),
                "entries": ledger.head(asset.symbol).seq,
                "chains": [
                    {"chain_id": chain, "replayed": it.last_seq, "state": it.state}
                    for chain, it in reached(ledger, asset).items()
                ],
            }
            for asset in ledger.assets()
        ]
    }


# --- changes ---


def changes_json(ledger: Ledger, after: str | None, limit: int) -> dict[str, Any]:
    """Return a page of changes as the API shows it."""
    page = ledger.changes_page(after, limit)
    return {
        "changes": [
            change_json(ledger.asset(change.asset) if change.asset else None, change)
            for change in page.changes
        ],
        "cursor": page.cursor,
        "more": page.more,
    }


def check_listener(caller: Caller) -> None:
    """Refuse a key of some accounts: changes are of all. Raises Problem."""
    caller.check_everything()


@router.get("/changes", response_model=ChangesOut, responses=problems(), tags=["changes"])
def list_changes(
    api: Api,
    caller: Reader,
    after: Annotated[str | None, Query(pattern=CURSOR)] = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """What happened after a cursor, in order; without one, from the start."""
    check_listener(caller)
    return changes_json(api.ledger, after, limit)
