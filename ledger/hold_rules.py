"""Holds: part of a balance set aside, then posted, voided or expired. Values only."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from ledger.addresses import hold_blind
from ledger.balances import NOTHING
from ledger.errors import NotFoundError, RefusedError, Rule
from ledger.ids import hold_id, metadata_ref
from ledger.model import (
    ZERO_ADDRESS,
    ZERO_HASH,
    Hash32,
    HoldState,
    HoldWords,
    Kind,
    Metadata,
)
from ledger.requests import Movement, caused
from ledger.results import Hold, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.locked import Locked
    from ledger.requests import PlaceHold, PostHold, VoidHold


class Act(Enum):
    """What can happen to a hold."""

    POST = auto()
    """An entry takes it, and nothing remains."""
    POST_PART = auto()
    """An entry takes a part, and the rest remains held."""
    VOID = auto()
    EXPIRE = auto()


TRANSITIONS: Final = {
    (HoldState.PENDING, Act.POST): HoldState.POSTED,
    (HoldState.PENDING, Act.POST_PART): HoldState.PENDING,
    (HoldState.PENDING, Act.VOID): HoldState.VOIDED,
    (HoldState.PENDING, Act.EXPIRE): HoldState.EXPIRED,
}
"""What becomes of a hold. Every other pair is refused: it is resolved at most once."""

_RESOLVED: Final = {
    HoldState.POSTED: Rule.HOLD_POSTED,
    HoldState.VOIDED: Rule.HOLD_VOIDED,
    HoldState.EXPIRED: Rule.HOLD_EXPIRED,
}
"""Why an unlisted pair is refused: what became of the hold."""


def place_hold(locked: Locked, item: PlaceHold) -> Receipt:
    """Set part of a balance aside. Raises as a transfer, and EXPIRY_PASSED."""
    symbol = locked.symbol(item.asset)
    from_ = locked.known(item.account_id)
    to = locked.known(item.to_account) if item.to_account else ZERO_ADDRESS
    locked.check_usable(item.account_id, item.to_account)
    now = locked.time()
    if item.expires_at is not None and item.expiry <= now:
        raise RefusedError(
            Rule.EXPIRY_PASSED, f"the hold would expire at {item.expires_at}, which has passed"
        )
    place = (symbol, item.account_id)
    _check_amount(locked, place, item)
    journal = locked.journals[symbol]
    number = journal.events + 1
    blind = Hash32(hold_blind(locked.pepper, journal.asset.id, number))
    hold = Hold(
        asset=symbol,
        number=number,
        id=ZERO_HASH,
        account_id=item.account_id,
        to_account=item.to_account,
        from_address=from_,
        to_address=to,
        amount=item.amount,
        remaining=item.amount,
        state=HoldState.PENDING,
        created_at=now,
        updated_at=now,
        expires_at=item.expiry or None,
        reason=item.reason,
        reference_type=item.reference_type,
        reference_id=item.reference_id,
        memo=item.memo,
        idempotency_key=item.idempotency_key,
        blind=blind,
    )
    hold = replace(hold, id=id_of_hold(locked.domain, journal.asset.id, hold))
    locked.set_staked(place, item.amount)
    locked.put_hold(hold)
    locked.new_holds.add(hold.id)
    if item.expiry:
        journal.next_expiry = min(journal.next_expiry or item.expiry, item.expiry)
    locked.event(
        symbol,
        "hold_created",
        item.account_id,
        hold=number,
        id=str(hold.id),
        amount=str(item.amount),
    )
    return Receipt(hold=hold)


def id_of_hold(domain: bytes, asset: bytes, hold: Hold) -> Hash32:
    """Return the id of a hold of the asset with that id, from all else that it is.

    Where it names nobody, `to` is the holder, who cannot be named: zero would be the issuer.
    """
    metadata = Metadata(
        hold.reason,
        hold.reference_type,
        hold.reference_id,
        hold.memo,
        hold.idempotency_key,
        kind=Kind.HOLD,
        blind=hold.blind,
    )
    words = HoldWords(
        asset,
        hold.number,
        hold.from_address,
        hold.to_address if hold.to_account else hold.from_address,
        hold.amount,
        hold.created_at,
        hold.expires_at or 0,
        metadata_ref(metadata),
    )
    return hold_id(domain, words)


def post_hold(locked: Locked, item: PostHold) -> Receipt:
    """Post a hold, whole or in part. Raises as a transfer, and HOLD_*, ABOVE_HOLD."""
    hold = _pending(locked, item.hold)
    to_account = _receiver(hold, item.to_account)
    amount = hold.remaining if item.amount is None else item.amount
    if amount > hold.remaining:
        raise RefusedError(
            Rule.ABOVE_HOLD, f"the hold still holds {hold.remaining} base units, not {amount}"
        )
    rest = hold.remaining - amount
    kept = rest if item.keep_rest else 0
    movement = Movement(
        hold.account_id,
        to_account,
        amount,
        hold.asset,
        item.reason or hold.reason,
        item.reference_type or hold.reference_type,
        item.reference_id or hold.reference_id,
        item.memo or hold.memo,
    )
    entries = locked.post(
        [caused(movement, Kind.HOLD, hold.id)],
        [hold.asset],
        item.idempotency_key,
        released=hold.remaining - kept,
    )
    after = _moved(hold, Act.POST_PART if kept else Act.POST, entries[0].timestamp, kept)
    locked.put_hold(after)
    locked.event(
        hold.asset,
        "hold_posted",
        hold.account_id,
        hold=hold.number,
        at=after.updated_at,
        amount=str(amount),
        remaining=str(kept),
        seq=entries[0].seq,
    )
    return Receipt(entries, hold=after)


def void_hold(locked: Locked, item: VoidHold) -> Receipt:
    """Release a hold. Raises UNKNOWN_HOLD, HOLD_*."""
    return Receipt(hold=_release(locked, _pending(locked, item.hold), Act.VOID))


def sweep(locked: Locked, due: Iterable[Hold]) -> None:
    """Let the holds that are due expire, in the order given: by expiry, then by creation."""
    for hold in due:
        _release(locked, hold, Act.EXPIRE)


def _release(locked: Locked, hold: Hold, act: Act) -> Hold:
    """Give back what a hold still holds."""
    after = _moved(hold, act, max(locked.time(), hold.updated_at), 0)
    locked.set_staked((hold.asset, hold.account_id), -hold.remaining)
    locked.put_hold(after)
    locked.event(
        hold.asset,
        f"hold_{after.state}",
        hold.account_id,
        hold=hold.number,
        at=after.updated_at,
        amount=str(hold.remaining),
    )
    return after


def _pending(locked: Locked, wanted: Hash32) -> Hold:
    """Return a hold that nothing has resolved. Raises UNKNOWN_HOLD, HOLD_*.

    One that the same run has made is not known yet: what it needs was not read for it.
    """
    hold = locked.holds.get(wanted)
    if hold is None or wanted in locked.new_holds:
        raise NotFoundError(Rule.UNKNOWN_HOLD, f"no hold {wanted}")
    if hold.state != HoldState.PENDING:
        raise RefusedError(_RESOLVED[hold.state], f"hold {wanted} is {hold.state}")
    if hold.expires_at is not None and hold.expires_at <= locked.time():
        raise RefusedError(Rule.HOLD_EXPIRED, f"hold {wanted} has expired")
    return hold


def _moved(hold: Hold, act: Act, now: int, remaining: int) -> Hold:
    """Return `hold` after `act`."""
    state = TRANSITIONS[hold.state, act]
    return replace(hold, state=state, remaining=remaining, updated_at=now)


def _receiver(hold: Hold, named: str) -> str:
    """Return who gets the hold. Raises HOLD_ACCOUNT."""
    if hold.to_account and named and named != hold.to_account:
        raise RefusedError(Rule.HOLD_ACCOUNT, f"the hold is for {hold.to_account!r}, not {named!r}")
    if not hold.to_account and not named:
        raise RefusedError(Rule.HOLD_ACCOUNT, "the hold names nobody; say who gets it")
    return hold.to_account or named


def _check_amount(locked: Locked, place: tuple[str, str], item: PlaceHold) -> None:
    """Check what a debit of that amount would have to pass."""
    if item.to_account == item.account_id:
        raise RefusedError(
            Rule.SAME_ACCOUNT, f"{item.account_id!r} cannot pay itself; name two accounts"
        )
    if item.amount == 0:
        raise RefusedError(Rule.AMOUNT_ZERO, "the amount is zero; name at least one base unit")
    locked.check_debit(place, item.amount)
    available = locked.balances.get(place, NOTHING).available
    if item.amount > available:
        raise RefusedError(
            Rule.INSUFFICIENT_AVAILABLE,
            f"{item.account_id!r} has {available} base units available, {item.amount} are asked",
        )
