"""What goes with the entries of an export: pending holds, limits, keys; written and read strictly.

An export has these files only where there is something in them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.files import read_account_id, words
from bridge.strict import (
    Place,
    Reader,
    Row,
    optional,
    read_address,
    read_amount,
    read_fields,
    read_hash,
    read_int,
    read_text,
)
from ledger.model import HoldState
from ledger.results import CarriedHold, Hold, HoldKey, Limits
from ledger.texts import check_memo, check_symbol, check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

HOLDS: Final = "holds.jsonl"
LIMITS: Final = "limits.jsonl"
KEYS: Final = "keys.jsonl"
FILES: Final = (HOLDS, LIMITS, KEYS)


def _read_receiver(found: object) -> str:
    """Return an account id, or "" for nobody."""
    return read_text(found) and read_account_id(found)


_HOLD: Final[Mapping[str, Reader]] = {
    "asset": words(check_symbol),
    "number": read_int,
    "after_seq": read_int,
    "id": read_hash,
    "account_id": read_account_id,
    "to_account": _read_receiver,
    "from_address": read_address,
    "to_address": read_address,
    "amount": read_amount,
    "remaining": read_amount,
    "created_at": read_int,
    "expires_at": partial(optional, read_int),
    "reason": words(check_text),
    "reference_type": words(check_text),
    "reference_id": words(check_text),
    "memo": words(check_memo),
    "idempotency_key": words(check_text),
    "blind": read_hash,
}
_LIMITS: Final[Mapping[str, Reader]] = {
    "asset": words(check_symbol),
    "account_id": read_account_id,
    "max_debit": partial(optional, read_amount),
    "max_balance": partial(optional, read_amount),
}
_KEY: Final[Mapping[str, Reader]] = {
    "idempotency_key": words(check_text),
    "asset": words(check_symbol),
    "number": read_int,
}


def hold_row(carried: CarriedHold) -> Row:
    """Return the row of a pending hold: every field that its id commits to, and what is left."""
    hold = carried.hold
    return {
        "asset": hold.asset,
        "number": hold.number,
        "after_seq": carried.after_seq,
        "id": str(hold.id),
        "account_id": hold.account_id,
        "to_account": hold.to_account,
        "from_address": str(hold.from_address),
        "to_address": str(hold.to_address),
        "amount": str(hold.amount),
        "remaining": str(hold.remaining),
        "created_at": hold.created_at,
        "expires_at": hold.expires_at,
        "reason": hold.reason,
        "reference_type": hold.reference_type,
        "reference_id": hold.reference_id,
        "memo": hold.memo,
        "idempotency_key": hold.idempotency_key,
        "blind": str(hold.blind),
    }


def read_hold(place: Place, row: object) -> CarriedHold:
    """Return the hold in `row`; ExportFileError names the field that is wrong."""
    found = read_fields(place, row, _HOLD)
    after_seq = found.pop("after_seq")
    hold = Hold(**found, state=HoldState.PENDING, updated_at=found["created_at"])
    return CarriedHold(hold, after_seq)


def limits_row(asset: str, account_id: str, limits: Limits) -> Row:
    """Return the row of an account's limits in an asset."""
    debit, balance = limits.max_debit, limits.max_balance
    return {
        "asset": asset,
        "account_id": account_id,
        "max_debit": None if debit is None else str(debit),
        "max_balance": None if balance is None else str(balance),
    }


def read_limits(place: Place, row: object) -> tuple[str, str, Limits]:
    """Return (asset, account, limits) of `row`; ExportFileError names the field that is wrong."""
    found = read_fields(place, row, _LIMITS)
    limits = Limits(found["max_debit"], found["max_balance"])
    if limits == Limits():
        raise place.error("must be a number where max_debit is none", "max_balance")
    return found["asset"], found["account_id"], limits


def key_row(key: HoldKey) -> Row:
    """Return the row of a key that made a hold which stays behind."""
    return {"idempotency_key": key.idempotency_key, "asset": key.asset, "number": key.number}


def read_key(place: Place, row: object) -> HoldKey:
    """Return the key in `row`; ExportFileError names the field that is wrong."""
    return HoldKey(**read_fields(place, row, _KEY))
