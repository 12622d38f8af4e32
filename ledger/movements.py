"""Accounts and the entries between them: what every application calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import FieldError, RefusedError, Rule
from ledger.model import ISSUER
from ledger.poster import Poster
from ledger.requests import Movement, OpenAccount

if TYPE_CHECKING:
    from ledger.links import Link
    from ledger.model import Address
    from ledger.results import Account, Entry


class Movements(Poster):
    """Creates accounts, and moves, creates and destroys amounts."""

    def create_account(
        self,
        account_id: str,
        initial_balance: int | None = None,
        *,
        asset: str | None = None,
        idempotency_key: str = "",
        address: Address | None = None,
        link: Link | None = None,
        dry_run: bool = False,
    ) -> Account:
        """Create an account, endowed with 1,000 tokens unless `initial_balance` says otherwise.

        The endowment is a mint with reason `endowment`, in the same commit. An id of 0x and 40
        lower-case hex digits is that address; every other id gets a derived one, or `address`,
        for good, if `link` proves that its owner wants it.

        Raises:
            FieldError, RefusedError: ACCOUNT_EXISTS, ADDRESS_TAKEN, ASSET_REQUIRED, LINK_INVALID...
        """
        item = OpenAccount(account_id, initial_balance, asset, idempotency_key, address, link)
        receipt = self._one(item, dry_run=dry_run)
        if receipt.account is None:
            raise RefusedError(Rule.KEY_REUSED, "the key made something else than an account")
        return receipt.account

    def transfer(
        self,
        from_account: str,
        to_account: str,
        amount: int,
        *,
        asset: str | None = None,
        reason: str = "",
        reference_type: str = "",
        reference_id: str = "",
        memo: str = "",
        idempotency_key: str = "",
        dry_run: bool = False,
    ) -> Entry:
        """Move `amount` base units; return the entry with both balances after it.

        Raises:
            FieldError: naming the field of a wrong type, range or form.
            FieldError: an account is the issuer: use `mint` and `burn`, so that a name which came
                from outside can never create tokens.
            NotFoundError: UNKNOWN_ACCOUNT, UNKNOWN_ASSET.
            RefusedError: INSUFFICIENT_AVAILABLE, SAME_ACCOUNT, AMOUNT_ZERO, KEY_REUSED, ...
            BusyError: another writer held the journal for too long.
        """
        for field, account_id in (("from_account", from_account), ("to_account", to_account)):
            if account_id == ISSUER:
                raise FieldError(field, f"is the issuer {ISSUER!r}; use mint or burn")
        item = Movement(
            from_account,
            to_account,
            amount,
            asset,
            reason,
            reference_type,
            reference_id,
            memo,
            idempotency_key,
        )
        return self._one(item, dry_run=dry_run).entries[0]

    def mint(
        self,
        account_id: str,
        amount: int,
        *,
        asset: str | None = None,
        reason: str = "mint",
        reference_type: str = "",
        reference_id: str = "",
        memo: str = "",
        idempotency_key: str = "",
        dry_run: bool = False,
    ) -> Entry:
        """Create `amount` base units for an account: an entry from `system`.

        Raises:
            As `transfer`, and RefusedError: SUPPLY_OVERFLOW.
        """
        item = Movement(
            ISSUER,
            account_id,
            amount,
            asset,
            reason,
            reference_type,
            reference_id,
            memo,
            idempotency_key,
        )
        return self._one(item, dry_run=dry_run).entries[0]

    def burn(
        self,
        account_id: str,
        amount: int,
        *,
        asset: str | None = None,
        reason: str = "burn",
        reference_type: str = "",
        reference_id: str = "",
        memo: str = "",
        idempotency_key: str = "",
        dry_run: bool = False,
    ) -> Entry:
        """Destroy `amount` base units of an account: an entry to `system`.

        Raises:
            As `transfer`.
        """
        item = Movement(
            account_id,
            ISSUER,
            amount,
            asset,
            reason,
            reference_type,
            reference_id,
            memo,
            idempotency_key,
        )
        return self._one(item, dry_run=dry_run).entries[0]
