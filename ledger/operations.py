"""Holds, reversals, and what may be posted to an account: what `Ledger` offers besides entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import CorruptError
from ledger.model import Status
from ledger.movements import Movements
from ledger.requests import PlaceHold, PostHold, Reverse, SetLimits, SetStatus, VoidHold

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.model import Hash32
    from ledger.requests import Item
    from ledger.results import Account, Entry, Hold, Limits, Receipt


class Operations(Movements):
    """Sets amounts aside, undoes entries, freezes, closes and limits accounts."""

    # --- holds --------------------------------------------------------------------------------

    def hold(
        self,
        account_id: str,
        amount: int,
        to_account: str = "",
        *,
        asset: str | None = None,
        expires_at: datetime | None = None,
        reason: str = "",
        reference_type: str = "",
        reference_id: str = "",
        memo: str = "",
        idempotency_key: str = "",
        dry_run: bool = False,
    ) -> Hold:
        """Set `amount` base units of an account aside, until it is posted, voided or expired.

        What is held is in the balance but not available. `to_account` gets it when it is posted;
        left empty, posting names who does. At `expires_at` (aware) it is released by itself.

        Raises:
            FieldError: naming the field of a wrong type, range or form.
            NotFoundError: UNKNOWN_ACCOUNT, UNKNOWN_ASSET.
            RefusedError: INSUFFICIENT_AVAILABLE, EXPIRY_PASSED, ACCOUNT_FROZEN, DEBIT_LIMIT, ...
        """
        item = PlaceHold(
            account_id,
            amount,
            to_account,
            asset,
            expires_at,
            reason,
            reference_type,
            reference_id,
            memo,
            idempotency_key,
        )
        return _hold(self._one(item, dry_run=dry_run))

    def post_hold(
        self,
        hold: Hash32,
        amount: int | None = None,
        *,
        keep_rest: bool = False,
        to_account: str = "",
        reason: str = "",
        reference_type: str = "",
        reference_id: str = "",
        memo: str = "",
        idempotency_key: str = "",
        dry_run: bool = False,
    ) -> Entry:
        """Post a pending hold by its id, whole or `amount` of it, as an entry of kind `hold`.

        The rest is released, or stays held with `keep_rest`. Words left empty are the hold's.

        Raises:
            As `transfer`, and NotFoundError: UNKNOWN_HOLD.
            RefusedError: HOLD_POSTED, HOLD_VOIDED, HOLD_EXPIRED, HOLD_ACCOUNT, ABOVE_HOLD.
        """
        item = PostHold(
            hold,
            amount,
            keep_rest,
            to_account,
            reason,
            reference_type,
            reference_id,
            memo,
            idempotency_key,
        )
        return self._one(item, dry_run=dry_run).entries[0]

    def void_hold(self, hold: Hash32, *, idempotency_key: str = "", dry_run: bool = False) -> Hold:
        """Release a pending hold by its id: what it held is available again.

        Raises:
            NotFoundError: UNKNOWN_HOLD.
            RefusedError: HOLD_POSTED, HOLD_VOIDED, HOLD_EXPIRED.
        """
        return _hold(self._one(VoidHold(hold, idempotency_key), dry_run=dry_run))

    # --- reversals ----------------------------------------------------------------------------

    def reverse(
        self,
        entry: Hash32,
        amount: int | None = None,
        *,
        whole_group: bool = False,
        reason: str = "reversal",
        reference_type: str = "",
        reference_id: str = "",
        memo: str = "",
        idempotency_key: str = "",
        dry_run: bool = False,
    ) -> tuple[Entry, ...]:
        """Undo an entry by its id, whole or `amount` of it, by a new one of kind `reversal`.

        An entry is reversed at most once. One of a group only with `whole_group`, which undoes
        all of it, the last entry first.

        Raises:
            As `transfer`, and NotFoundError: UNKNOWN_ENTRY.
            RefusedError: GROUP_WHOLE, ENTRY_REVERSED, ABOVE_ENTRY.
        """
        item = Reverse(
            entry,
            amount,
            whole_group,
            reason,
            reference_type,
            reference_id,
            memo,
            idempotency_key,
        )
        return self._one(item, dry_run=dry_run).entries

    # --- accounts -----------------------------------------------------------------------------

    def freeze_account(self, account_id: str, *, dry_run: bool = False) -> Account:
        """Let nothing leave an account, of any asset; credits arrive.

        Raises:
            NotFoundError: UNKNOWN_ACCOUNT.
            RefusedError: ACCOUNT_FROZEN, ACCOUNT_CLOSED.
        """
        return self._set_status(account_id, Status.FROZEN, dry_run=dry_run)

    def close_account(self, account_id: str, *, dry_run: bool = False) -> Account:
        """Let nothing be posted to an account that has nothing of any asset.

        Raises:
            NotFoundError: UNKNOWN_ACCOUNT.
            RefusedError: ACCOUNT_CLOSED, ACCOUNT_NOT_EMPTY.
        """
        return self._set_status(account_id, Status.CLOSED, dry_run=dry_run)

    def reopen_account(self, account_id: str, *, dry_run: bool = False) -> Account:
        """Open an account again that was frozen or closed.

        Raises:
            NotFoundError: UNKNOWN_ACCOUNT.
            RefusedError: ACCOUNT_OPEN.
        """
        return self._set_status(account_id, Status.OPEN, dry_run=dry_run)

    def _set_status(self, account_id: str, status: Status, *, dry_run: bool) -> Account:
        """Change what may be posted to an account."""
        receipt = self._one(SetStatus(account_id, status), dry_run=dry_run)
        if receipt.account is None:
            raise CorruptError("a change of status made no account")
        return receipt.account

    def set_limits(
        self,
        account_id: str,
        *,
        asset: str | None = None,
        max_debit: int | None = None,
        max_balance: int | None = None,
        dry_run: bool = False,
    ) -> Limits:
        """Set what an account may do with an asset at most, instead of the limits it has.

        `max_debit` is the largest amount of one debit (a hold counts), `max_balance` the largest
        balance after a credit, in base units; None is any amount. What was posted stays.

        Raises:
            FieldError: naming the field.
            NotFoundError: UNKNOWN_ACCOUNT, UNKNOWN_ASSET.
            RefusedError: ACCOUNT_CLOSED.
        """
        item: Item = SetLimits(account_id, asset, max_debit, max_balance)
        limits = self._one(item, dry_run=dry_run).limits
        if limits is None:
            raise CorruptError("a change of limits made none")
        return limits


def _hold(receipt: Receipt) -> Hold:
    """Return the hold of a receipt."""
    if receipt.hold is None:
        raise CorruptError("the key made something else than a hold")
    return receipt.hold
