"""Reading over HTTP: everything under `/v1` that changes nothing."""

from datetime import timedelta
from itertools import islice
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query

from bridge.api.cursors import read_cursor, write_cursor
from bridge.api.figures import figures
from bridge.api.guards import Api, Reader
from bridge.api.problems import Problem, problems
from bridge.api.shapes import (
    AccountBalances,
    AccountsOut,
    AccountText,
    AnyHash,
    AssetOut,
    AssetsOut,
    EntriesOut,
    EntryOut,
    LedgerOut,
    PastBalanceOut,
    SupplyOut,
    SymbolText,
    Word,
)
from bridge.api.shown import entries_out, entry_out
from bridge.api.working import Worked
from bridge.artifacts import token_address
from ledger import Asset, Filters, Hash32, Ledger
from ledger.measures import MAX_HOURS
from ledger.times import parse_moment
from ledger.views import (
    account_json,
    amount_json,
    asset_json,
    balance_json,
    entry_json,
)

router = APIRouter(prefix="/v1", route_class=Worked)

Limit = Annotated[int, Query(ge=1, le=1_000, description="Rows in the page, at most.")]
CURSOR: Final = r"^[A-Za-z0-9_-]+=*$"
CursorText = Annotated[
    str | None,
    Query(
        alias="cursor",
        max_length=4_096,
        pattern=CURSOR,
        description="Where an earlier page of this list ended.",
    ),
]
SymbolQuery = Annotated[
    SymbolText | None,
    Query(alias="asset", description="May be left out while the ledger has one asset."),
]
AccountQuery = Annotated[AccountText | None, Query(alias="account")]
Moment = Annotated[
    str | None,
    Query(
        max_length=64,
        description="ISO 8601 with an offset.",
        json_schema_extra={"format": "date-time"},
    ),
]
HashPath = Annotated[AnyHash, Path()]
Text = Annotated[Word | None, Query()]


def token_of(ledger: Ledger, asset: Asset) -> str | None:
    """Return the address that the asset's token has on every chain; None before an operator."""
    if asset.operator is None:
        return None
    return str(token_address(ledger.identity.ledger_id, asset))


def asset_out(ledger: Ledger, asset: Asset) -> dict[str, Any]:
    """Return an asset as the API shows it."""
    return {**asset_json(asset), "token": token_of(ledger, asset)}


@router.get("/ledger", response_model=LedgerOut, responses=problems(), tags=["ledger"])
def read_ledger(api: Api, _: Reader) -> dict[str, Any]:
    """Which ledger this is."""
    identity = api.ledger.identity
    return {
        "ledger_id": str(identity.ledger_id),
        "chain_id": str(identity.chain_id),
        "registrar": str(identity.registrar),
        "last_seal": api.ledger.last_seal(),
        "assets": [asset.symbol for asset in api.ledger.assets()],
    }


@router.get("/assets", response_model=AssetsOut, responses=problems(), tags=["assets"])
def list_assets(api: Api, _: Reader) -> dict[str, Any]:
    """Every asset, in order of creation."""
    return {"assets": [asset_out(api.ledger, asset) for asset in api.ledger.assets()]}


@router.get(
    "/assets/{symbol:path}", response_model=AssetOut, responses=problems(404), tags=["assets"]
)
def read_asset(api: Api, _: Reader, symbol: Annotated[SymbolText, Path()]) -> dict[str, Any]:
    """One asset."""
    return asset_out(api.ledger, api.ledger.asset(symbol))


@router.get("/accounts", response_model=AccountsOut, responses=problems(), tags=["accounts"])
def list_accounts(
    api: Api,
    caller: Reader,
    prefix: Annotated[Word, Query()] = "",
    limit: Limit = 50,
    cursor: CursorText = None,
) -> dict[str, Any]:
    """Accounts by id (code points), all or those whose id begins with a prefix."""
    caller.check_everything()
    of = ("accounts", prefix)
    after = read_cursor(of, cursor, str) or ""
    page = list(islice(api.ledger.accounts(prefix, after=after), limit + 1))
    more = len(page) > limit
    shown = page[:limit]
    return {
        "accounts": [account_json(account) for account in shown],
        "cursor": write_cursor(of, shown[-1].account_id) if more else None,
    }


@router.get(
    "/accounts/{account_id:path}",
    response_model=AccountBalances,
    responses=problems(404),
    tags=["accounts"],
)
def read_account(
    api: Api, caller: Reader, account_id: Annotated[AccountText, Path()]
) -> dict[str, Any]:
    """An account, and what it has of each asset."""
    caller.check_account(account_id)
    ledger = api.ledger
    account = ledger.account(account_id)
    balances = [
        balance_json(asset, ledger.balance(account.account_id, asset.symbol))
        for asset in ledger.assets()
    ]
    return {**account_json(account), "balances": balances}


@router.get("/balances", response_model=PastBalanceOut, responses=problems(404), tags=["accounts"])
def read_past_balance(
    api: Api,
    caller: Reader,
    account: Annotated[AccountText, Query()],
    at: Annotated[
        str | None,
        Query(
            max_length=64,
            description="A seq, or an instant (ISO 8601 with an offset); now, if left out.",
        ),
    ] = None,
    symbol: SymbolQuery = None,
) -> dict[str, Any]:
    """What an account had right after an entry, or at an instant; or what it has."""
    caller.check_account(account)
    asset = api.ledger.asset(symbol)
    own = api.ledger.account(account).account_id
    if at is None:
        at = str(api.ledger.head(asset.symbol).seq)
    is_seq = at.isascii() and at.isdigit()
    balance = api.ledger.balance_at(
        own, int(at) if is_seq else parse_moment(at, "at"), asset.symbol
    )
    return {
        "asset": asset.symbol,
        "account_id": own,
        "at": at,
        "balance": amount_json(asset, balance),
    }


@router.get("/supply", response_model=SupplyOut, responses=problems(404), tags=["assets"])
def read_supply(
    api: Api,
    caller: Reader,
    symbol: SymbolQuery = None,
    window_hours: Annotated[int, Query(ge=1, le=MAX_HOURS)] = 720,
    top: Annotated[int, Query(ge=0, le=1_000)] = 10,
) -> dict[str, Any]:
    """Supply, distribution and velocity of an asset."""
    return figures(api.ledger, symbol, timedelta(hours=window_hours), top, caller.accounts)


# --- entries ---


@router.get("/entries", response_model=EntriesOut, responses=problems(404), tags=["entries"])
def list_entries(
    *,
    api: Api,
    caller: Reader,
    account: AccountQuery = None,
    symbol: SymbolQuery = None,
    order: Literal["newest", "oldest"] = "newest",
    since: Moment = None,
    until: Moment = None,
    reason_prefix: Text = None,
    reference_type: Text = None,
    reference_id: Text = None,
    counterparty: Text = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> dict[str, Any]:
    """An account's statement, or an asset's whole journal; filters go with an account."""
    asset = api.ledger.asset(symbol)
    filters = Filters(
        since=None if since is None else parse_moment(since, "since"),
        until=None if until is None else parse_moment(until, "until"),
        reason_prefix=reason_prefix,
        reference_type=reference_type,
        reference_id=reference_id,
        counterparty=counterparty,
    )
    if account is None:
        caller.check_everything()
        if filters != Filters():
            raise Problem(422, "ACCOUNT_MISSING", "filters go with an account: name one")
        return _journal_page(api.ledger, asset, order, limit, cursor)
    caller.check_account(account)
    page = api.ledger.statement_page(
        account,
        asset=asset.symbol,
        cursor=cursor,
        limit=limit,
        newest_first=order == "newest",
        filters=filters,
    )
    return {
        "entries": entries_out(caller, api.ledger, page.entries),
        "cursor": page.cursor,
    }


def _journal_page(
    ledger: Ledger, asset: Asset, order: str, limit: int, cursor: str | None
) -> dict[str, Any]:
    """Return a page of an asset's journal."""
    of = ("entries", str(asset.id), order)
    position = read_cursor(of, cursor, int)
    last = ledger.head(asset.symbol).seq
    if order == "newest":
        end = last if position is None else position - 1
        found = list(ledger.entries(asset.symbol, max(1, end - limit + 1), end))[::-1]
        more = bool(found) and found[-1].seq > 1
    else:
        begin = 1 if position is None else position + 1
        found = list(ledger.entries(asset.symbol, begin, min(last, begin + limit - 1)))
        more = bool(found) and found[-1].seq < last
    return {
        "entries": [entry_json(asset, entry) for entry in found],
        "cursor": write_cursor(of, found[-1].seq) if more else None,
    }


@router.get(
    "/entries/{entry_id}", response_model=EntryOut, responses=problems(404), tags=["entries"]
)
def read_entry(api: Api, caller: Reader, entry_id: HashPath) -> dict[str, Any]:
    """One entry, by its id."""
    entry = api.ledger.entry(Hash32.parse(entry_id, "entry_id"))
    caller.check_any(entry.from_account, entry.to_account)
    return entry_out(caller, api.ledger.asset(entry.asset), entry)


@router.get(
    "/groups/{entry_id}", response_model=EntriesOut, responses=problems(404), tags=["groups"]
)
def read_group(api: Api, caller: Reader, entry_id: HashPath) -> dict[str, Any]:
    """All entries that were posted together with the one that has this id."""
    entries = api.ledger.group(Hash32.parse(entry_id, "entry_id"))
    accounts = [name for entry in entries for name in (entry.from_account, entry.to_account)]
    caller.check_any(*accounts)
    return {"entries": entries_out(caller, api.ledger, entries), "cursor": None}


@router.get(
    "/reversals/{entry_id}", response_model=EntryOut, responses=problems(404), tags=["reversals"]
)
def read_reversal(api: Api, caller: Reader, entry_id: HashPath) -> dict[str, Any]:
    """The entry that reversed the one with this id."""
    id_ = Hash32.parse(entry_id, "entry_id")
    entry = api.ledger.entry(id_)
    caller.check_any(entry.from_account, entry.to_account)
    found = api.ledger.reversal(id_)
    if found is None:
        raise Problem(404, "NOT_FOUND", "the entry stands: nothing reversed it")
    return entry_out(caller, api.ledger.asset(found.asset), found)
