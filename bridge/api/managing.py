"""What only an admin key may do over HTTP: assets, accounts and what they may do, seals.

Only the creation of an account has an idempotency key in the ledger. The rest is done through
`Ledger.once`: key, change and answer are one commit, and whoever asks again gets the answer.
"""

import json
from collections.abc import Callable
from itertools import islice
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection

from bridge.api.amounts import read_amount, read_optional
from bridge.api.bodies import AccountIn, AssetIn, LimitsIn, NothingIn, StatusIn
from bridge.api.guards import Admin, Api, Caller, IdempotencyKey
from bridge.api.problems import Problem, problems
from bridge.api.reads import asset_out
from bridge.api.shapes import AccountMadeOut, AssetMadeOut, LimitsOut, SealedOut
from bridge.api.working import Worked
from bridge.api.writes import one
from ledger import Account, Joined, Ledger, OpenAccount, RefusedError, Rule
from ledger.addresses import normalize_account_id
from ledger.errors import CorruptError
from ledger.views import account_json, limit_json, sealed_json

router = APIRouter(prefix="/v1", route_class=Worked)


def _once(
    ledger: Ledger,
    caller: Caller,
    key: str,
    request: list[object],
    do: Callable[[Connection], dict[str, Any]],
) -> dict[str, Any]:
    """Return what `do` answers, or answered when the key was new."""
    answer, repeated = ledger.once(
        caller.named(key), json.dumps(request), lambda connection: json.dumps(do(connection))
    )
    return {**json.loads(answer), "repeated": repeated}


@router.post(
    "/assets",
    response_model=AssetMadeOut,
    status_code=201,
    responses=problems(400, 409),
    tags=["assets"],
)
def create_asset(api: Api, caller: Admin, key: IdempotencyKey, body: AssetIn) -> dict[str, Any]:
    """Create an asset. Its symbol, name and decimals never change."""
    ledger = api.ledger
    endowment = read_optional(body.decimals, body.endowment, "endowment")

    def do(connection: Connection) -> dict[str, Any]:
        asset = ledger.create_asset(
            body.symbol, body.name, body.decimals, endowment=endowment, connection=connection
        )
        return asset_out(ledger, asset)

    request = ["asset", body.symbol, body.name, body.decimals, endowment]
    return _once(ledger, caller, key, request, do)


@router.post(
    "/accounts",
    response_model=AccountMadeOut,
    status_code=201,
    responses=problems(400, 404, 409),
    tags=["accounts"],
)
def create_account(api: Api, caller: Admin, key: IdempotencyKey, body: AccountIn) -> dict[str, Any]:
    """Create an account, endowed with 1,000 tokens unless told otherwise."""
    ledger = api.ledger
    initial = None
    if body.initial_balance is not None:
        decimals = ledger.asset(body.asset).decimals
        initial = read_amount(decimals, body.initial_balance, "initial_balance")
    wanted = OpenAccount(body.account_id, initial, body.asset, caller.named(key))
    receipt = one(ledger, wanted, dry_run=body.dry_run)
    if receipt.account is None:
        raise CorruptError("the key made something else than an account")
    return {**account_json(receipt.account), "repeated": receipt.repeated}


@router.post(
    "/account-status",
    response_model=AccountMadeOut,
    responses=problems(400, 404, 409),
    tags=["accounts"],
)
def set_status(api: Api, caller: Admin, key: IdempotencyKey, body: StatusIn) -> dict[str, Any]:
    """Freeze, close or open an account again. One that is as it should be is left so."""
    ledger = api.ledger
    own = normalize_account_id(body.account_id)

    def do(connection: Connection) -> dict[str, Any]:
        return account_json(_with_status(ledger, connection, own, body.status))

    return _once(ledger, caller, key, ["status", own, body.status], do)


def _with_status(ledger: Ledger, connection: Connection, account_id: str, status: str) -> Account:
    """Change an account's status, where it is another.

    A change of status concerns every asset: where one was made since they were read, they are
    read again.
    """
    while True:
        symbols = [asset.symbol for asset in ledger.on(connection).assets()]
        joined = ledger.on(connection, *symbols, accounts=True)
        account = joined.account(account_id)
        if str(account.status) == status:
            return account
        try:
            return _changed(joined, account.account_id, status)
        except RefusedError as refusal:
            if refusal.rule is not Rule.LOCK_ORDER:
                raise


def _changed(joined: Joined, account_id: str, status: str) -> Account:
    """Change an account's status."""
    change = {
        "open": joined.reopen_account,
        "frozen": joined.freeze_account,
        "closed": joined.close_account,
    }[status]
    return change(account_id)


@router.put(
    "/limits",
    response_model=LimitsOut,
    responses=problems(400, 404, 409),
    tags=["accounts"],
)
def set_limits(api: Api, caller: Admin, key: IdempotencyKey, body: LimitsIn) -> dict[str, Any]:
    """Set what an account may do with an asset at most."""
    ledger = api.ledger
    asset = ledger.asset(body.asset)
    own = normalize_account_id(body.account_id)
    max_debit = read_optional(asset.decimals, body.max_debit, "max_debit")
    max_balance = read_optional(asset.decimals, body.max_balance, "max_balance")

    def do(connection: Connection) -> dict[str, Any]:
        limits = ledger.on(connection, asset.symbol).set_limits(
            own, asset=asset.symbol, max_debit=max_debit, max_balance=max_balance
        )
        return {
            "account_id": own,
            "asset": asset.symbol,
            "max_debit": limit_json(asset, limits.max_debit),
            "max_balance": limit_json(asset, limits.max_balance),
        }

    return _once(ledger, caller, key, ["limits", own, asset.symbol, max_debit, max_balance], do)


@router.post(
    "/seals",
    response_model=SealedOut,
    status_code=201,
    responses=problems(400, 404, 409),
    tags=["batches"],
)
def make_seal(
    api: Api, caller: Admin, key: IdempotencyKey, body: NothingIn | None = None
) -> dict[str, Any]:
    """Seal what is not sealed yet; where that is nothing, the last seal is the answer."""
    del body
    ledger = api.ledger

    def do(connection: Connection) -> dict[str, Any]:
        joined = ledger.on(connection)
        sealed = ledger.seal(connection=connection) or next(
            islice(joined.seals(max(1, joined.last_seal())), 1), None
        )
        if sealed is None:
            raise Problem(404, "NOT_FOUND", "there is nothing to seal yet")
        return sealed_json(sealed)

    return _once(ledger, caller, key, ["seal"], do)
