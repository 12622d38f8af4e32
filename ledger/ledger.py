"""The ledger: what applications call. Every method is whole or did nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from ledger import store
from ledger.errors import FieldError, RefusedError, Rule
from ledger.founding import add_asset, found, founded, open_founded
from ledger.model import ISSUER, Address
from ledger.operations import Operations
from ledger.requests import Movement, OpenAccount
from ledger.sealing import seal_next

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from ledger.links import Link
    from ledger.model import Hash32
    from ledger.restore import Restore
    from ledger.results import (
        Account,
        Asset,
        Entry,
        Sealed,
    )


class Ledger(Operations):
    """A double-entry ledger in a SQL database; safe to share between threads.

    Open one with `Ledger.create` or `Ledger.open`, close it with `close` or `with`. Amounts are
    ints in base units (`asset.parse("12.5")`, `asset.format(...)`). Calls without an asset work
    while the ledger has exactly one. Every error is a `LedgerError`, and after a `RefusedError`
    nothing has changed.
    """

    # --- opening and closing ------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        url: str,
        *,
        ledger_id: Hash32 | None = None,
        pepper: Hash32 | None = None,
        registrar: Address | None = None,
        clock: Callable[[], int] | None = None,
        lock_timeout: float | None = None,
    ) -> Self:
        """Make a new ledger in the database at `url` and open it.

        Args:
            url: `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`. Tables of other programs
                in the same database are left alone.
            ledger_id: the ledger's 32 bytes; random unless given.
            pepper: the 32 secret bytes behind blinds; random unless given. Back it up.
            registrar: who may authorise claims on chain; the ledger's own key unless given.
            clock: microseconds since 1970 UTC; the database's clock unless given.
            lock_timeout: seconds to wait for another writer (10; 60 on SQLite).

        Raises:
            DatabaseFileError: the database cannot be used, or holds a ledger already.
            FieldError: `url` names no supported database.
        """
        found(
            url,
            ledger_id=ledger_id,
            pepper=pepper,
            registrar=registrar,
            clock=clock,
            lock_timeout=lock_timeout,
        )
        return cls.open(url, clock=clock, lock_timeout=lock_timeout)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Callable[[], int] | None = None,
        lock_timeout: float | None = None,
    ) -> Self:
        """Open the ledger in the database at `url`.

        Raises:
            DatabaseFileError: there is no database or no ledger, or its schema is another's.
        """
        return cls(*open_founded(url, lock_timeout), clock)

    @classmethod
    def restore(
        cls,
        url: str,
        contents: Restore,
        *,
        pepper: Hash32 | None = None,
        lock_timeout: float | None = None,
    ) -> Self:
        """Make a ledger from the contents of an export, in one transaction, and open it.

        Without its pepper it can be read, audited and verified, but not posted to. `lock_timeout`
        is as for `open`.

        Raises:
            RestoreError: an id, head, balance, root or address does not recompute.
            DatabaseFileError: the database cannot be used, or holds a ledger already.
        """
        founded(url, contents, pepper, lock_timeout)
        return cls.open(url, lock_timeout=lock_timeout)

    def close(self) -> None:
        """Close every connection."""
        self._transactions.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a SQLAlchemy connection in a transaction that commits at the end of the block.

        For the bridge's own tables. Never write the ledger's tables through it: `audit` would
        find it.
        """
        with self._transactions.writing("write") as connection:
            yield connection

    @property
    def retries(self) -> int:
        """How often a posting was run again because the database preferred another."""
        return self._transactions.retries

    # --- assets -------------------------------------------------------------------------------

    def create_asset(
        self,
        symbol: str,
        name: str,
        decimals: int = 18,
        *,
        endowment: int | None = None,
        operator: Address | None = None,
    ) -> Asset:
        """Create an asset. Its symbol, name and decimals never change.

        `endowment` is what a new account gets, in base units (1,000 tokens unless given);
        `operator` may replay it on a chain, and is part of the token's address there.

        Raises:
            FieldError, RefusedError: ASSET_EXISTS, READ_ONLY.
        """
        self._check_writable()
        with self._transactions.writing("create the asset") as connection:
            asset = add_asset(
                connection,
                self.identity,
                symbol=symbol,
                name=name,
                decimals=decimals,
                endowment=endowment,
                operator=operator,
            )
        self._assets = {}
        return asset

    def set_operator(self, symbol: str | None, operator: Address) -> Asset:
        """Set who may replay the asset, once: the token's address depends on it.

        Raises:
            FieldError: it has another operator already.
        """
        asset = self.asset(symbol)
        with self._transactions.writing("set the operator") as connection:
            store.write_operator(connection, asset, operator)
            asset = store.read_assets(connection)[asset.symbol]
        if asset.operator != operator:
            raise FieldError("operator", f"{asset.symbol} has operator {asset.operator} for good")
        self._assets = {}
        return asset

    # --- posting ------------------------------------------------------------------------------

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

    # --- sealing ------------------------------------------------------------------------------

    def seal(self) -> Sealed | None:
        """Cut the next batch of every asset that has new entries; None if there is none.

        A seal has at most 4,000 entries of an asset; call again until it returns None.
        """
        with self._transactions.writing("seal") as connection:
            return seal_next(connection, self.identity, self._clock)
