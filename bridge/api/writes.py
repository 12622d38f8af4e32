"""Writing over HTTP: everything under `/v1` that posts. Each request has an Idempotency-Key."""

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, TypedDict

from fastapi import APIRouter, Path

from bridge.api.amounts import read_amount, read_optional
from bridge.api.bodies import (
    AccountIn,
    AssetIn,
    GroupIn,
    HoldIn,
    LimitsIn,
    MintIn,
    MovementIn,
    NothingIn,
    PostHoldIn,
    ReversalIn,
    StatusIn,
    TransferIn,
    VoidHoldIn,
    Words,
)
from bridge.api.guards import Admin, Api, Caller, IdempotencyKey, Poster
from bridge.api.problems import Problem, problems
from bridge.api.reads import asset_out
from bridge.api.shapes import (
    AccountOut,
    AnyHash,
    AssetOut,
    EntryOut,
    HoldOut,
    LimitsOut,
    PostedOut,
    SealOut,
)
from bridge.api.shown import entries_out, entry_out
from ledger import (
    Asset,
    Entry,
    Group,
    Hash32,
    Ledger,
    Movement,
    Receipt,
)
from ledger.times import parse_moment
from ledger.views import account_json, hold_json, limit_json, sealed_json

router = APIRouter(prefix="/v1")

_CONFLICTS = (400, 404, 409)

HashPath = Annotated[AnyHash, Path()]


class _Words(TypedDict):
    """What an entry says besides who and how much."""

    reason: str
    reference_type: str
    reference_id: str
    memo: str


def _words(body: Words | ReversalIn) -> _Words:
    """Return the words of a request, as the ledger's methods take them."""
    return {
        "reason": body.reason,
        "reference_type": body.reference_type,
        "reference_id": body.reference_id,
        "memo": body.memo,
    }


def _movement(ledger: Ledger, body: MovementIn) -> Movement:
    """Return what a request wants to post. Raises FieldError."""
    asset = ledger.asset(body.asset)
    return Movement(
        body.from_account,
        body.to_account,
        read_amount(asset.decimals, body.amount),
        asset.symbol,
        body.reason,
        body.reference_type,
        body.reference_id,
        body.memo,
    )


@router.post(
    "/entries",
    response_model=EntryOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["entries"],
)
def post_transfer(
    api: Api, caller: Poster, key: IdempotencyKey, body: TransferIn
) -> dict[str, Any]:
    """Transfer from one account to another."""
    wanted = _movement(api.ledger, body)
    caller.check_debit(wanted.from_account)
    entry = api.ledger.transfer(
        wanted.from_account,
        wanted.to_account,
        wanted.amount,
        asset=wanted.asset,
        **_words(body),
        idempotency_key=key,
        dry_run=body.dry_run,
    )
    return entry_out(caller, api.ledger.asset(entry.asset), entry)


@router.post(
    "/mints",
    response_model=EntryOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["entries"],
)
def post_mint(api: Api, caller: Admin, key: IdempotencyKey, body: MintIn) -> dict[str, Any]:
    """Mint: new tokens for an account."""
    return _issue(caller, api.ledger, api.ledger.mint, body, key)


@router.post(
    "/burns",
    response_model=EntryOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["entries"],
)
def post_burn(api: Api, caller: Poster, key: IdempotencyKey, body: MintIn) -> dict[str, Any]:
    """Burn: tokens of an account that are no more."""
    caller.check_debit(body.account_id)
    return _issue(caller, api.ledger, api.ledger.burn, body, key)


def _issue(
    caller: Caller, ledger: Ledger, call: Callable[..., Entry], body: MintIn, key: str
) -> dict[str, Any]:
    """Post a mint or a burn."""
    asset = ledger.asset(body.asset)
    entry = call(
        body.account_id,
        read_amount(asset.decimals, body.amount),
        asset=asset.symbol,
        **_words(body),
        idempotency_key=key,
        dry_run=body.dry_run,
    )
    return entry_out(caller, asset, entry)


@router.post(
    "/groups",
    response_model=PostedOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["groups"],
)
def post_group(api: Api, caller: Poster, key: IdempotencyKey, body: GroupIn) -> dict[str, Any]:
    """Post entries together, all or none; over one asset or several."""
    movements = tuple(_movement(api.ledger, each) for each in body.movements)
    for movement in movements:
        caller.check_debit(movement.from_account)
    [receipt] = api.ledger.post_many([Group(movements, key)], dry_run=body.dry_run)
    if not isinstance(receipt, Receipt):
        raise receipt
    return {
        "entries": entries_out(caller, api.ledger, receipt.entries),
        "repeated": receipt.repeated,
    }


@router.post(
    "/reversals",
    response_model=PostedOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["reversals"],
)
def post_reversal(
    api: Api, caller: Poster, key: IdempotencyKey, body: ReversalIn
) -> dict[str, Any]:
    """Undo an entry, or the whole group that it was posted with."""
    id_ = Hash32.parse(body.entry, "entry")
    ledger = api.ledger
    old = ledger.group(id_)
    for entry in old if body.whole_group else [it for it in old if it.id == id_]:
        caller.check_debit(entry.to_account)
    asset = ledger.asset(old[0].asset)
    entries = ledger.reverse(
        id_,
        read_optional(asset.decimals, body.amount, "amount"),
        whole_group=body.whole_group,
        **_words(body),
        idempotency_key=key,
        dry_run=body.dry_run,
    )
    return {
        "entries": entries_out(caller, ledger, entries),
        "repeated": any(entry.repeated for entry in entries),
    }


# --- holds ---


@router.post(
    "/holds",
    response_model=HoldOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["holds"],
)
def place_hold(api: Api, caller: Poster, key: IdempotencyKey, body: HoldIn) -> dict[str, Any]:
    """Set part of a balance aside, until it is posted, voided or expired."""
    caller.check_debit(body.account_id)
    asset = api.ledger.asset(body.asset)
    hold = api.ledger.hold(
        body.account_id,
        read_amount(asset.decimals, body.amount),
        body.to_account,
        asset=asset.symbol,
        expires_at=None if body.expires_at is None else parse_moment(body.expires_at, "expires_at"),
        **_words(body),
        idempotency_key=key,
        dry_run=body.dry_run,
    )
    return hold_json(asset, hold)


@router.post(
    "/holds/{hold_id}/post",
    response_model=EntryOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["holds"],
)
def post_hold(
    api: Api, caller: Poster, key: IdempotencyKey, hold_id: HashPath, body: PostHoldIn
) -> dict[str, Any]:
    """Post a pending hold, whole or in part, as an entry."""
    hold, asset = _own_hold(api.ledger, caller, hold_id)
    entry = api.ledger.post_hold(
        hold,
        read_optional(asset.decimals, body.amount, "amount"),
        keep_rest=body.keep_rest,
        to_account=body.to_account,
        **_words(body),
        idempotency_key=key,
        dry_run=body.dry_run,
    )
    return entry_out(caller, asset, entry)


@router.post(
    "/holds/{hold_id}/void",
    response_model=HoldOut,
    responses=problems(*_CONFLICTS),
    tags=["holds"],
)
def void_hold(
    api: Api,
    caller: Poster,
    key: IdempotencyKey,
    hold_id: HashPath,
    body: VoidHoldIn | None = None,
) -> dict[str, Any]:
    """Release a pending hold: what it held is available again."""
    hold, asset = _own_hold(api.ledger, caller, hold_id)
    dry_run = body is not None and body.dry_run
    voided = api.ledger.void_hold(hold, idempotency_key=key, dry_run=dry_run)
    return hold_json(asset, voided)


def _own_hold(ledger: Ledger, caller: Caller, hold_id: str) -> tuple[Hash32, Asset]:
    """Return a hold's id and asset, if the caller may debit its account."""
    hold = ledger.find_hold(Hash32.parse(hold_id, "hold_id"))
    caller.check_debit(hold.account_id)
    return hold.id, ledger.asset(hold.asset)


# --- what only an admin key may do ---


@router.post(
    "/assets",
    response_model=AssetOut,
    status_code=201,
    responses=problems(400, 409),
    tags=["assets"],
)
def create_asset(api: Api, _: Admin, key: IdempotencyKey, body: AssetIn) -> dict[str, Any]:
    """Create an asset. The same request again finds it there: its symbol is its key."""
    del key
    ledger = api.ledger
    endowment = read_optional(body.decimals, body.endowment, "endowment")
    for known in ledger.assets():
        is_same = (known.symbol, known.name, known.decimals) == (
            body.symbol,
            body.name,
            body.decimals,
        )
        if is_same and endowment in {None, known.endowment}:
            return asset_out(ledger, known)
    made = ledger.create_asset(body.symbol, body.name, body.decimals, endowment=endowment)
    return asset_out(ledger, made)


@router.post(
    "/accounts",
    response_model=AccountOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["accounts"],
)
def create_account(api: Api, _: Admin, key: IdempotencyKey, body: AccountIn) -> dict[str, Any]:
    """Create an account, endowed with 1,000 tokens unless told otherwise."""
    ledger = api.ledger
    initial = None
    if body.initial_balance is not None:
        initial = read_amount(
            ledger.asset(body.asset).decimals, body.initial_balance, "initial_balance"
        )
    account = ledger.create_account(
        body.account_id, initial, asset=body.asset, idempotency_key=key, dry_run=body.dry_run
    )
    return account_json(account)


@router.post(
    "/account-status",
    response_model=AccountOut,
    responses=problems(*_CONFLICTS),
    tags=["accounts"],
)
def set_status(api: Api, _: Admin, key: IdempotencyKey, body: StatusIn) -> dict[str, Any]:
    """Freeze, close or open an account again. One that is as it should be is left so."""
    del key
    ledger = api.ledger
    account = ledger.account(body.account_id)
    if str(account.status) == body.status:
        return account_json(account)
    change = {
        "open": ledger.reopen_account,
        "frozen": ledger.freeze_account,
        "closed": ledger.close_account,
    }[body.status]
    return account_json(change(account.account_id))


@router.put(
    "/limits",
    response_model=LimitsOut,
    responses=problems(*_CONFLICTS),
    tags=["accounts"],
)
def set_limits(api: Api, _: Admin, key: IdempotencyKey, body: LimitsIn) -> dict[str, Any]:
    """Set what an account may do with an asset at most."""
    del key
    asset = api.ledger.asset(body.asset)
    limits = api.ledger.set_limits(
        body.account_id,
        asset=asset.symbol,
        max_debit=read_optional(asset.decimals, body.max_debit, "max_debit"),
        max_balance=read_optional(asset.decimals, body.max_balance, "max_balance"),
    )
    return {
        "account_id": api.ledger.account(body.account_id).account_id,
        "asset": asset.symbol,
        "max_debit": limit_json(asset, limits.max_debit),
        "max_balance": limit_json(asset, limits.max_balance),
    }


@router.post(
    "/seals",
    response_model=SealOut,
    status_code=201,
    responses=problems(400, 404, 409),
    tags=["batches"],
)
def make_seal(
    api: Api, _: Admin, key: IdempotencyKey, body: NothingIn | None = None
) -> dict[str, Any]:
    """Seal what is not sealed yet; where that is nothing, the last seal is the answer."""
    del key, body
    ledger = api.ledger
    sealed = ledger.seal() or next(islice(ledger.seals(max(1, ledger.last_seal())), 1), None)
    if sealed is None:
        raise Problem(404, "NOT_FOUND", "there is nothing to seal yet")
    return sealed_json(sealed)
