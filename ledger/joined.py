"""The ledger inside the application's own transaction: `Ledger.on`. Never commits or rolls it back.

Each call is a savepoint. The first thing that a call which posts does is to lock every journal
that was named, in order; it holds them until the application's transaction ends.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from ledger import store, waits
from ledger.engine import is_missing, translated_errors
from ledger.errors import (
    BusyError,
    CorruptError,
    DatabaseFileError,
    FieldError,
    NotFoundError,
    RefusedError,
    Rule,
)
from ledger.locked import ACCOUNTS
from ledger.nested import Nested
from ledger.operations import Operations
from ledger.posting import post
from ledger.transactions import journal_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from weakref import ReferenceType

    from sqlalchemy import RootTransaction

    from ledger.model import Hash32
    from ledger.results import Asset, Receipt
    from ledger.runs import Run

_DRIVERS = {("sqlite", "pysqlite"), ("postgresql", "psycopg")}
"""(database, driver) of the connections that a ledger posts through."""

_OPTIONS = {"schema_translate_map", "stream_results", "yield_per"}
"""What a connection must not be told for all statements: the ledger's would go elsewhere."""

_SET = """
SELECT timeout, seqscan, isolation,
    set_config('lock_timeout', :timeout, true), set_config('enable_seqscan', 'off', true)
FROM (
    SELECT current_setting('lock_timeout') AS timeout,
        current_setting('enable_seqscan') AS seqscan,
        current_setting('transaction_isolation') AS isolation
    OFFSET 0
) AS before
"""
"""What is set on PostgreSQL while a call posts (OFFSET 0: after what it was has been read)."""

_PUT_BACK = """
SELECT set_config('lock_timeout', :timeout, true), set_config('enable_seqscan', :seqscan, true)
"""

_TO_OURS = "to the database of this ledger"
_SYNC = "a connection of an engine made with `create_engine`, in a thread of its own"
_AUTOCOMMIT = (
    "the connection commits each statement by itself, and would leave halves behind; begin a "
    "transaction: an engine without AUTOCOMMIT"
)


class Joined(Operations):
    """Posts to a ledger, and reads it, in the application's own transaction.

    It never commits and never rolls back. Each call is whole or leaves nothing, and leaves the
    transaction usable. From the first call that posts to the end of the transaction no other
    writer gets at the assets that were named: post last, and commit soon. It belongs to its
    connection and is no more shared between threads than that is; after a commit or a rollback
    the next call joins the next transaction. Assets, seals and the audit are the ledger's own.

    Besides what `Ledger` raises:
        RefusedError: LOCK_ORDER, where something is posted to what was not named at the start;
            ISOLATION, where the transaction is not READ COMMITTED, or there is none.
        ConflictError: the database preferred another transaction. Roll back, and run yours again.
    """


class JoinedTransactions(Nested):
    """One connection of the application, and what its transaction locks."""

    def __init__(
        self,
        connection: Connection,
        ledger_id: Hash32,
        assets: tuple[str, ...],
        *,
        accounts: bool,
        lock_timeout: float,
    ) -> None:
        """Take a checked connection; nothing is asked of it before the first call."""
        super().__init__(connection)
        self._ledger_id = ledger_id
        self._assets = assets
        self._accounts = accounts
        self._milliseconds = int(lock_timeout * 1000)
        self._named: frozenset[str] = frozenset()
        self._numbers: frozenset[int] = frozenset()
        self._home: waits.Home = ()
        self._known: ReferenceType[RootTransaction] | None = None

    @contextmanager
    def call(self) -> Iterator[None]:
        """Take back all that the call posts if it fails; let the transaction go on."""
        held = self._held()
        try:
            with _usable(self.connection), translated_errors("post"):
                sqlite = self.connection.dialect.name == "sqlite"
                if sqlite:
                    self._lock_sqlite()
                    held = self._held()
                with self.connection.begin_nested(), nullcontext() if sqlite else self._settings():
                    self._check_ledger()
                    self._check_order()
                    yield
        except BusyError as busy:
            self._let_go(held)
            raise self._told(busy) from busy.__cause__
        except BaseException:
            self._let_go(held)
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection, once it is known to be the ledger's."""
        with _usable(self.connection), super().reading() as connection:
            self._check_ledger()
            yield connection

    def post(self, run: Run) -> list[Receipt | RefusedError]:
        """Post `run`, if all that it needs was named.

        Raises:
            RefusedError: LOCK_ORDER, and as `Nested.post`.
        """
        unnamed = [symbol for symbol in run.symbols if symbol not in self._named]
        if ACCOUNTS in unnamed:
            raise RefusedError(
                Rule.LOCK_ORDER,
                "accounts are created or change: say so at the start, "
                "`Ledger.on(connection, ..., accounts=True)`",
            )
        if unnamed:
            names = ", ".join(map(repr, unnamed))
            raise RefusedError(
                Rule.LOCK_ORDER,
                f"{names} must be named at the start: `Ledger.on(connection, {names}, ...)`",
            )
        return super().post(run)

    # --- what every transaction is asked first ------------------------------------------------

    def _check_ledger(self) -> None:
        """Refuse a connection to anything but this ledger; asked once in a transaction."""
        transaction = self.connection.get_transaction()
        if transaction is not None and self._known is not None and self._known() is transaction:
            return
        try:
            settings = store.read_settings(self.connection)
            self._home = waits.home_of(self.connection)
        except DBAPIError as error:
            if not is_missing(error):
                raise
            raise FieldError("connection", f"holds no ledger; pass one {_TO_OURS}") from error
        if settings is None or bytes(settings.ledger_id) != bytes(self._ledger_id):
            raise FieldError("connection", f"is to another ledger; pass one {_TO_OURS}")
        if self.connection.dialect.name == "sqlite":
            self._check_main()
        self._known = ref(self._transaction)

    def _check_main(self) -> None:
        """Refuse a ledger in an attached file: SQLite does not commit two files as one (WAL)."""
        sql = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'token_settings'"
        if not self.connection.exec_driver_sql(sql).scalar_one():
            raise FieldError("connection", "has the ledger attached; open the ledger's own file")

    @property
    def _transaction(self) -> RootTransaction:
        """The application's transaction."""
        transaction = self.connection.get_transaction()
        if transaction is None:
            raise CorruptError("SQLAlchemy began no transaction; report it as a bug")
        return transaction

    def _numbers_named(self) -> frozenset[int]:
        """Return the numbers of the journals that were named; which they are, never changes."""
        if not self._numbers:
            known = store.read_assets(self.connection)
            for symbol in self._assets:
                if symbol not in known:
                    raise NotFoundError(
                        Rule.UNKNOWN_ASSET, f"no asset {symbol!r}; name those that exist"
                    )
            named = self._assets or self._only(known)
            self._named = frozenset((*named, ACCOUNTS) if self._accounts else named)
            self._numbers = frozenset(journal_numbers(self._named, known))
        return self._numbers

    def _only(self, known: Mapping[str, Asset]) -> tuple[str, ...]:
        """Return the ledger's only asset; none where there is none yet, if accounts are meant."""
        if len(known) > 1 or not (known or self._accounts):
            raise RefusedError(
                Rule.ASSET_REQUIRED,
                f"the ledger has {len(known)} assets; name those that are posted to: "
                "`Ledger.on(connection, 'SYMBOL', ...)`",
            )
        return tuple(known)

    # --- locks --------------------------------------------------------------------------------

    def _posted(self, run: Run) -> list[Receipt | RefusedError]:
        """Lock the journals that were named, in order, and post in the same savepoint.

        Row locks of one savepoint and updates of another would be counted together by PostgreSQL,
        which costs more, and hides who holds them.
        """
        with self.connection.begin_nested():
            numbers = self._numbers_named()
            if len(store.lock_heads(self.connection, sorted(numbers))) != len(numbers):
                raise CorruptError("an asset has no journal; run `evm-ledger audit`")
            waits.hold(self._transaction, self._home, numbers)
            return post(self.connection, run).results

    def _check_order(self) -> None:
        """Refuse to lock more than another `Ledger.on` has locked in the same transaction."""
        held = self._held()
        if held and not self._numbers_named() <= held:
            raise RefusedError(
                Rule.LOCK_ORDER,
                "this transaction has locked its assets before; name all of them, and whether "
                "accounts change, in the first `Ledger.on`",
            )
        self._numbers_named()

    def _held(self) -> frozenset[int] | None:
        """Return the journals that the transaction has locked, or None."""
        transaction = self.connection.get_transaction()
        return None if transaction is None else waits.held_in(transaction)

    def _let_go(self, before: frozenset[int] | None) -> None:
        """Forget what a failed call locked: its savepoint gave it back, unless it was held before.

        SQLite's one lock is taken before the savepoint, and stays.
        """
        transaction = self.connection.get_transaction()
        if transaction is not None and before is None:
            waits.release(transaction)

    def _lock_sqlite(self) -> None:
        """Take the one write lock, whatever the engine: most begin no transaction before a write.

        Outside any savepoint: the outermost one would be a transaction that ends with the call.
        """
        home = partial(waits.home_of, self.connection)
        waits.check_not_own(home, None, self.connection.get_transaction())
        [(before,)] = self.connection.exec_driver_sql("PRAGMA busy_timeout").fetchall()
        self.connection.exec_driver_sql(f"PRAGMA busy_timeout = {self._milliseconds}").close()
        try:
            self.connection.exec_driver_sql("UPDATE token_journals SET seq = seq WHERE asset = 0")
        except DBAPIError as error:
            if not is_missing(error):
                raise
            raise FieldError("connection", f"holds no ledger; pass one {_TO_OURS}") from error
        finally:
            self.connection.exec_driver_sql(f"PRAGMA busy_timeout = {before}").close()
        driver: Any = self.connection.connection.driver_connection
        if not driver.in_transaction:
            raise RefusedError(Rule.ISOLATION, _AUTOCOMMIT)
        waits.hold(self._transaction, home(), ())

    @contextmanager
    def _settings(self) -> Iterator[None]:
        """Wait no longer than the ledger does, and put back what was set; PostgreSQL only.

        Where the block fails, the savepoint around it puts it back.
        """
        row = self.connection.execute(text(_SET), {"timeout": f"{self._milliseconds}ms"}).one()
        if row.isolation != "read committed":
            raise RefusedError(
                Rule.ISOLATION,
                f"the transaction is {row.isolation.upper()}, and would read what is too old; "
                "begin it at READ COMMITTED",
            )
        yield
        self.connection.execute(text(_PUT_BACK), {"timeout": row.timeout, "seqscan": row.seqscan})


@contextmanager
def _usable(connection: Connection) -> Iterator[None]:
    """Say what to do where SQLAlchemy does not let the transaction go on.

    Raises:
        FieldError: the connection is closed, or set to run statements in another way.
        RefusedError: ISOLATION; each statement would be committed by itself.
        DatabaseFileError: the transaction has ended, or its connection was lost.
    """
    if connection.closed:
        raise FieldError("connection", "is closed; pass an open one")
    for option in _OPTIONS & connection.get_execution_options().keys():
        raise FieldError("connection", f"has {option}; set it on statements of your own")
    try:
        driver: Any = connection.connection.driver_connection
        if connection.dialect.name == "postgresql" and driver.autocommit:
            raise RefusedError(Rule.ISOLATION, _AUTOCOMMIT)
        yield
    except InvalidRequestError as error:
        raise DatabaseFileError(
            f"the application's transaction cannot go on; roll it back ({error})"
        ) from error


def checked_connection(value: object) -> Connection:
    """Return `value` if it is a connection that a ledger can post through.

    Raises:
        FieldError: saying what to pass.
    """
    if not isinstance(value, Connection):
        raise FieldError("connection", f"{_named(value)}; pass {_instead_of(value)}")
    dialect = value.dialect
    if dialect.is_async:
        raise FieldError("connection", f"is asynchronous; pass {_SYNC}")
    if (dialect.name, dialect.driver) not in _DRIVERS:
        raise FieldError(
            "connection", f"uses {dialect.name}+{dialect.driver}; use sqlite3 or psycopg 3"
        )
    return value


def _named(value: object) -> str:
    """Say what was passed."""
    return f"is a {type(value).__module__}.{type(value).__qualname__}"


def _instead_of(value: object) -> str:
    """Say what to pass instead of something that is no connection."""
    module = type(value).__module__
    if module.startswith("sqlalchemy.ext.asyncio"):
        return _SYNC
    if module.startswith("sqlalchemy.orm"):
        return "session.connection()"
    if isinstance(value, Engine):
        return "a connection of it: `with engine.begin() as connection`"
    return "a connection of SQLAlchemy: `with engine.begin() as connection`"
