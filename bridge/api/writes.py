"""Posting over HTTP: entries, groups, reversals, holds. Each request has an Idempotency-Key."""

from typing import Annotated, Any, TypedDict

from fastapi import APIRouter, Path

from bridge.api.amounts import read_amount, read_optional
from bridge.api.bodies import (
    GroupIn,
    HoldIn,
    MintIn,
    MovementIn,
    PostHoldIn,
    ReversalIn,
    TransferIn,
    VoidHoldIn,
    Words,
)
from bridge.api.desk import Steps
from bridge.api.guards import Admin, Api, Caller, IdempotencyKey, Poster, Service
from bridge.api.problems import problems
from bridge.api.shapes import AnyHash, EntryOut, HeldOut, PostedOut
from bridge.api.shown import entries_out, entry_out
from bridge.api.working import Worked
from ledger import (
    ISSUER,
    Asset,
    Group,
    Hash32,
    Hold,
    Ledger,
    Movement,
    PlaceHold,
    Receipt,
    VoidHold,
)
from ledger.errors import CorruptError, FieldError
from ledger.requests import Item
from ledger.times import parse_moment
from ledger.views import hold_json

router = APIRouter(prefix="/v1", route_class=Worked)

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


def one(ledger: Ledger, item: Item, *, dry_run: bool) -> Receipt:
    """Post one item; raise its refusal."""
    [result] = ledger.post_many([item], dry_run=dry_run)
    if not isinstance(result, Receipt):
        raise result
    return result


def _movement(ledger: Ledger, body: MovementIn, named: str = "") -> Movement:
    """Return what a request wants to post. Raises FieldError."""
    return _moved(ledger, body, body.from_account, body.to_account, named)


def _debit(ledger: Ledger, wanted: Movement) -> tuple[str, Asset, int]:
    """Return what a movement debits: the account, the asset, how much."""
    return wanted.from_account, ledger.asset(wanted.asset), wanted.amount


def _moved(
    ledger: Ledger, body: MovementIn | MintIn, payer: str, payee: str, named: str
) -> Movement:
    """Return what a request wants to move between two accounts. Raises FieldError."""
    asset = ledger.asset(body.asset)
    amount = read_amount(asset.decimals, body.amount)
    return Movement(payer, payee, amount, asset.symbol, **_words(body), idempotency_key=named)


@router.post(
    "/entries",
    response_model=EntryOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["entries"],
)
def post_transfer(api: Api, caller: Poster, key: IdempotencyKey, body: TransferIn) -> Steps:
    """Transfer from one account to another."""
    wanted = _movement(api.ledger, body, caller.named(key))
    caller.check_amounts([_debit(api.ledger, wanted)])
    for field in ("from_account", "to_account"):
        if getattr(wanted, field) == ISSUER:
            raise FieldError(field, f"is the issuer {ISSUER!r}; use mint or burn")
    return (yield from _entry(api, caller, wanted, dry_run=body.dry_run))


@router.post(
    "/mints",
    response_model=EntryOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["entries"],
)
def post_mint(api: Api, caller: Admin, key: IdempotencyKey, body: MintIn) -> Steps:
    """Mint: new tokens for an account."""
    wanted = _moved(api.ledger, body, ISSUER, body.account_id, caller.named(key))
    return (yield from _entry(api, caller, wanted, dry_run=body.dry_run))


@router.post(
    "/burns",
    response_model=EntryOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["entries"],
)
def post_burn(api: Api, caller: Poster, key: IdempotencyKey, body: MintIn) -> Steps:
    """Burn: tokens of an account that are no more."""
    wanted = _moved(api.ledger, body, body.account_id, ISSUER, caller.named(key))
    caller.check_amounts([_debit(api.ledger, wanted)])
    return (yield from _entry(api, caller, wanted, dry_run=body.dry_run))


def _entry(api: Service, caller: Caller, wanted: Movement, *, dry_run: bool) -> Steps:
    """Post one entry, together with others that wait; return it as JSON."""
    receipt = one(api.ledger, wanted, dry_run=True) if dry_run else (yield wanted)
    entry = receipt.entries[0]
    return entry_out(caller, api.ledger.asset(entry.asset), entry)


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
    caller.check_amounts(_debit(api.ledger, movement) for movement in movements)
    receipt = one(api.ledger, Group(movements, caller.named(key)), dry_run=body.dry_run)
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
    asset = ledger.asset(old[0].asset)
    amount = read_optional(asset.decimals, body.amount, "amount")
    caller.check_amounts(
        (it.to_account, ledger.asset(it.asset), it.amount if amount is None else amount)
        for it in old
        if body.whole_group or it.id == id_
    )
    entries = ledger.reverse(
        id_,
        amount,
        whole_group=body.whole_group,
        **_words(body),
        idempotency_key=caller.named(key),
        dry_run=body.dry_run,
    )
    return {
        "entries": entries_out(caller, ledger, entries),
        "repeated": any(entry.repeated for entry in entries),
    }


# --- holds ---


@router.post(
    "/holds",
    response_model=HeldOut,
    status_code=201,
    responses=problems(*_CONFLICTS),
    tags=["holds"],
)
def place_hold(api: Api, caller: Poster, key: IdempotencyKey, body: HoldIn) -> dict[str, Any]:
    """Set part of a balance aside, until it is posted, voided or expired."""
    asset = api.ledger.asset(body.asset)
    amount = read_amount(asset.decimals, body.amount)
    caller.check_amounts([(body.account_id, asset, amount)])
    wanted = PlaceHold(
        body.account_id,
        amount,
        body.to_account,
        asset.symbol,
        None if body.expires_at is None else parse_moment(body.expires_at, "expires_at"),
        **_words(body),
        idempotency_key=caller.named(key),
    )
    return _held(asset, one(api.ledger, wanted, dry_run=body.dry_run))


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
    amount = read_optional(asset.decimals, body.amount, "amount")
    caller.check_amounts([(hold.account_id, asset, hold.remaining if amount is None else amount)])
    entry = api.ledger.post_hold(
        hold.id,
        amount,
        keep_rest=body.keep_rest,
        to_account=body.to_account,
        **_words(body),
        idempotency_key=caller.named(key),
        dry_run=body.dry_run,
    )
    return entry_out(caller, asset, entry)


@router.post(
    "/holds/{hold_id}/void",
    response_model=HeldOut,
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
    return _held(asset, one(api.ledger, VoidHold(hold.id, caller.named(key)), dry_run=dry_run))


def _held(asset: Asset, receipt: Receipt) -> dict[str, Any]:
    """Return the hold of a receipt, and whether the key was known."""
    if receipt.hold is None:
        raise CorruptError("the key made something else than a hold")
    return {**hold_json(asset, receipt.hold), "repeated": receipt.repeated}


def _own_hold(ledger: Ledger, caller: Caller, hold_id: str) -> tuple[Hold, Asset]:
    """Return a hold and its asset, if the caller may debit its account."""
    hold = ledger.find_hold(Hash32.parse(hold_id, "hold_id"))
    caller.check_debit(hold.account_id)
    return hold, ledger.asset(hold.asset)
