"""The ledger: what applications call. Every method is whole or did nothing."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from ledger import once, store
from ledger.alone import alone
from ledger.amounts import check_amount
from ledger.audit import AuditReport, ExpectedHead, run_audit
from ledger.carrying import hold_keys_after, read_carried
from ledger.closing import close_journal, reopen_journal
from ledger.errors import FieldError
from ledger.formats import TOKEN_VERSION
from ledger.founding import add_asset, found, founded, open_founded
from ledger.joined import Joined, JoinedTransactions, checked_connection
from ledger.needs import needs_of, weight_of
from ledger.operations import Operations
from ledger.sealing import seal_next
from ledger.texts import check_symbol
from ledger.transactions import Transactions, journal_numbers
from ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from ledger.errors import RefusedError
    from ledger.model import Address, Hash32
    from ledger.requests import Item
    from ledger.restore import Restore
    from ledger.results import Asset, Carried, HoldKey, Identity, Receipt, Sealed
    from ledger.writer import Symbols


class Ledger(Operations):
    """A double-entry ledger in a SQL database; safe to share between threads.

    Open one with `Ledger.create` or `Ledger.open`, close it with `close` or `with`. Amounts are
    ints in base units (`asset.parse("12.5")`, `asset.format(...)`). Calls without an asset work
    while the ledger has exactly one. Every error is a `LedgerError`, and after a `RefusedError`
    nothing has changed.
    """

    _transactions: Transactions

    def __init__(
        self, transactions: Transactions, identity: Identity, clock: Callable[[], int] | None
    ) -> None:
        """Use `Ledger.create` or `Ledger.open` instead."""
        super().__init__(transactions, identity, clock)
        self._writer = Writer(self._post)

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

    def once(self, key: str, request: str, do: Callable[[Connection], str]) -> tuple[str, bool]:
        """Do something in a transaction of its own, at most once for an idempotency key.

        For what has no key of its own: `do` may post through `Ledger.on`, create assets and seal
        on the connection that it gets, and write the application's own tables. What it returns is
        kept in the same commit: the same key with the same `request` again does nothing, and
        gives that answer and True. Keys of postings and these are one space. A `do` that raises
        leaves nothing, not even its key.

        Raises:
            FieldError: the key is empty or too long.
            RefusedError: KEY_REUSED; and what `do` raises.
        """
        named = once.checked_key(key)
        with self.connection() as connection:
            return once.run(connection, named, request, do)

    def alone(self, name: str, what: str) -> AbstractContextManager[None]:
        """Return a context in which no other process that has this ledger open is in `name`.

        It ends with the process, however that ends. Two threads are kept apart as well. Another
        copy of the ledger, in another database, is not.

        Raises:
            BusyError: on entering: another one is in it, of whom is said that it does `what`.
        """
        return alone(self._transactions.engine, name, what)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a SQLAlchemy connection that changes nothing, and waits for no writer."""
        with self._transactions.reading() as connection:
            yield connection

    @property
    def retries(self) -> int:
        """How often a posting was run again because the database preferred another."""
        return self._transactions.retries

    # --- posting ------------------------------------------------------------------------------

    def on(self, connection: Connection, *assets: str, accounts: bool = False) -> Joined:
        """Return what posts and reads in the application's own transaction on `connection`.

        What is posted through it is committed, or rolled back, with the application's own rows,
        by the application; see `Joined`.

        Args:
            connection: SQLAlchemy's (of an ORM session: `session.connection()`), to the ledger's
                database, over sqlite3 or psycopg 3; on PostgreSQL at READ COMMITTED.
            assets: every asset that will be posted to; the ledger's only one unless given.
            accounts: whether accounts will be created, frozen, closed or reopened.

        Raises:
            FieldError: `connection` is something else; the message says what to pass.
        """
        joined = JoinedTransactions(
            checked_connection(connection),
            self.identity.ledger_id,
            tuple(check_symbol(symbol) for symbol in assets),
            accounts=accounts,
            lock_timeout=self._transactions.lock_timeout,
        )
        return Joined(joined, self.identity, self._clock)

    def _together(self, items: Sequence[Item]) -> list[Receipt | RefusedError]:
        """Post `items` in one commit, with whatever else waits for the same journals."""
        symbols = self._journals(needs_of(items, self._targets(items)))
        self._transactions.check_not_own(journal_numbers(symbols, self._known_assets()))
        return self._writer.post(symbols, items, sum(map(weight_of, items)))

    def _post(self, symbols: Symbols, items: Sequence[Item]) -> list[Receipt | RefusedError]:
        """Post `items` of several callers, while the journals of `symbols` are locked."""
        run = replace(self._prepared(items), symbols=symbols)
        return self._transactions.post(run)

    # --- assets -------------------------------------------------------------------------------

    def create_asset(
        self,
        symbol: str,
        name: str,
        decimals: int = 18,
        *,
        endowment: int | None = None,
        operator: Address | None = None,
        token_version: str = TOKEN_VERSION,
        connection: Connection | None = None,
    ) -> Asset:
        """Create an asset. Its symbol, name and decimals never change.

        `endowment` is what a new account gets, in base units (1,000 tokens unless given);
        `operator` may replay it on a chain, and is part of the token's address there; so is
        `token_version`, the contract that it becomes. On a `connection` of `once` or of
        `connection()` it is committed with what else is done there.

        Raises:
            FieldError, RefusedError: ASSET_EXISTS, READ_ONLY.
        """
        self._check_writable()
        with self._on(connection, "create the asset") as own:
            asset = add_asset(
                own,
                self.identity,
                symbol=symbol,
                name=name,
                decimals=decimals,
                endowment=endowment,
                operator=operator,
                token_version=token_version,
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

    def close_asset(self, symbol: str | None, seq: int) -> None:
        """End the journal of an asset with entry `seq`, which must be its last.

        From then on whatever posts to it, holds of it or limits it is refused (ASSET_CLOSED);
        reading, sealing and accounts go on. For an asset whose token takes over
        (`bridge.finalize`): what was posted here afterwards would be in no token.

        Raises:
            ConflictError: it has another last entry, or a hold is pending.
            NotFoundError: UNKNOWN_ASSET.
        """
        asset = self.asset(symbol)
        with self._transactions.writing("close the asset") as connection:
            close_journal(connection, asset, seq)

    def reopen_asset(self, symbol: str | None) -> None:
        """Let the journal of an asset go on, where nothing took over after all.

        Raises:
            NotFoundError: UNKNOWN_ASSET.
        """
        asset = self.asset(symbol)
        with self._transactions.writing("reopen the asset") as connection:
            reopen_journal(connection, asset)

    # --- sealing ------------------------------------------------------------------------------

    def seal(self, *, connection: Connection | None = None) -> Sealed | None:
        """Cut the next batch of every asset that has new entries; None if there is none.

        A seal has at most 4,000 entries of an asset; call again until it returns None. On a
        `connection` of `once` or of `connection()` it is committed with what else is done there.
        """
        with self._on(connection, "seal") as own:
            return seal_next(own, self.identity, self._clock)

    def _on(self, connection: Connection | None, what: str) -> AbstractContextManager[Connection]:
        """Give the connection of a transaction that is under way, or of a new one."""
        return self._transactions.writing(what) if connection is None else nullcontext(connection)

    def carried(self, asset: str | None, seq: int) -> Carried:
        """Return what an export of the entries of an asset up to `seq` carries besides them.

        Of its holds, `amount` is what was held first; what is left follows from the entries.
        """
        found_asset = self.asset(asset)
        with self._transactions.snapshot() as connection:
            return read_carried(connection, found_asset, self.identity.pepper, seq)

    def hold_keys(self) -> Iterator[HoldKey]:
        """Return every idempotency key that made a hold, in order, with the hold's number."""
        assets = self.assets()
        after: str | None = ""
        while after is not None:
            with self._transactions.reading() as connection:
                keys, after = hold_keys_after(connection, assets, after)
            yield from keys

    def audit(
        self,
        expect_heads: Mapping[str, ExpectedHead] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> AuditReport:
        """Recompute everything that is stored; the report names the first wrong row, if any.

        `expect_heads` maps symbols to (seq, head) kept outside the database: with them a tail
        that was cut off is found too.

        Raises:
            FieldError: an expected head is not (seq, 32 bytes).
        """
        for symbol, (seq, head) in (expect_heads or {}).items():
            self.asset(symbol)
            check_amount(seq, "expect_heads.seq")
            if len(head) != len(self.identity.domain):
                raise FieldError("expect_heads.head", f"must be 32 bytes, not {len(head)}")
        return run_audit(self._transactions, expect_heads, progress)
