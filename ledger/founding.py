"""Founding: a new ledger in a database, an old one opened, an exported one restored."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from ledger import account_store, store
from ledger.addresses import pepper_check, registrar_key
from ledger.amounts import MAX_AMOUNT, check_amount, check_uint, parse_amount
from ledger.dialects import dialect_of
from ledger.encoding import ledger_domain
from ledger.engine import open_engine, sqlite_path
from ledger.errors import DatabaseFileError, FieldError, RefusedError, Rule
from ledger.event_store import write_created
from ledger.formats import DEFAULT_ENDOWMENT, TOKEN_VERSIONS
from ledger.ids import asset_id, first_head, ledger_chain_id
from ledger.keys import address_of_key
from ledger.model import ISSUER, ZERO_ADDRESS, ZERO_HASH, Address, AssetTerms, Hash32
from ledger.restore import write_restore
from ledger.results import Account, Asset, Identity
from ledger.rules import check_clock
from ledger.schema import check_revision, current_revision, lock_schema, migrate
from ledger.tables import assets
from ledger.texts import check_symbol, check_text
from ledger.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from ledger.restore import Restore

POSTGRESQL_TIMEOUT = 10.0
SQLITE_TIMEOUT = 60.0
"""Seconds that a writer waits for another, unless told otherwise."""

SHORTEST_TIMEOUT = 0.001
LONGEST_TIMEOUT = 86_400.0
"""Seconds that a writer may be told to wait."""


def transactions_at(url: str, lock_timeout: float | None, *, create: bool = False) -> Transactions:
    """Return the transactions of the database at `url`."""
    default = POSTGRESQL_TIMEOUT if sqlite_path(url) is None else SQLITE_TIMEOUT
    timeout = default if lock_timeout is None else _checked_timeout(lock_timeout)
    return Transactions(open_engine(url, lock_timeout=timeout, create=create), timeout)


def _checked_timeout(seconds: object) -> float:
    """Return a wait that ends. Raises FieldError (to PostgreSQL, 0 means to wait for ever)."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise FieldError("lock_timeout", f"must be seconds, not {type(seconds).__name__}")
    if not SHORTEST_TIMEOUT <= seconds <= LONGEST_TIMEOUT:
        limits = f"{SHORTEST_TIMEOUT} .. {LONGEST_TIMEOUT:.0f}"
        raise FieldError("lock_timeout", f"must be within {limits} seconds, not {seconds}")
    return float(seconds)


def found(
    url: str,
    *,
    ledger_id: Hash32 | None,
    pepper: Hash32 | None,
    registrar: Address | None,
    clock: Callable[[], int] | None,
    lock_timeout: float | None,
) -> None:
    """Make a new ledger: schema, settings and the issuer, in one transaction.

    Raises:
        DatabaseFileError: the database cannot be used, or holds a ledger.
    """
    pepper = pepper or Hash32(secrets.token_bytes(32))
    with _new_ledger(url, lock_timeout) as connection:
        database_now = dialect_of(connection).now(connection)
        now = check_clock(clock(), database_now) if clock else database_now
        identity = identity_of(ledger_id or Hash32(secrets.token_bytes(32)), pepper, registrar, now)
        _write_settings(connection, identity)
        account_store.write_accounts(connection, [_issuer(now)], with_blind=False)
        write_created(connection)


def founded(url: str, contents: Restore, pepper: Hash32 | None, lock_timeout: float | None) -> None:
    """Make a ledger out of `contents`, in one transaction.

    Raises:
        RestoreError: naming the first row that does not recompute.
        DatabaseFileError: the database cannot be used, or holds a ledger.
    """
    identity = identity_of(contents.ledger_id, pepper, contents.registrar, contents.created_at)
    with _new_ledger(url, lock_timeout) as connection:
        _write_settings(connection, identity)
        write_restore(connection, identity, contents)


def open_founded(url: str, lock_timeout: float | None) -> tuple[Transactions, Identity]:
    """Return the transactions and the identity of the ledger at `url`.

    Raises:
        DatabaseFileError: no database, no ledger, or another schema revision.
    """
    transactions = transactions_at(url, lock_timeout)
    try:
        with transactions.reading() as connection:
            check_revision(connection)
            row = store.read_settings(connection)
    except BaseException:
        transactions.engine.dispose()
        raise
    if row is None:
        transactions.engine.dispose()
        raise DatabaseFileError("the ledger has no settings row; restore it from a backup")
    pepper = None if row.pepper is None else Hash32(row.pepper)
    identity = identity_of(Hash32(row.ledger_id), pepper, Address(row.registrar), row.created_at)
    return transactions, identity


def identity_of(
    ledger_id: Hash32, pepper: Hash32 | None, registrar: Address | None, created_at: int
) -> Identity:
    """Return who a ledger is; without a registrar, its own key is."""
    own = None if pepper is None else address_of_key(registrar_key(pepper))
    chosen = registrar or own
    if chosen is None:
        raise FieldError("registrar", "must be given where there is no pepper")
    return Identity(
        ledger_id=ledger_id,
        domain=Hash32(ledger_domain(ledger_id)),
        chain_id=ledger_chain_id(ledger_id),
        registrar=chosen,
        own_registrar=chosen == own,
        pepper=pepper,
        created_at=created_at,
    )


@contextmanager
def _new_ledger(url: str, lock_timeout: float | None) -> Iterator[Connection]:
    """Give a transaction in which the schema was just made; leave nothing behind on an error."""
    path = sqlite_path(url)
    is_new = path is not None and not path.exists()
    transactions = transactions_at(url, lock_timeout, create=True)
    ours = False  # whether the file holds nothing but what this transaction is writing
    try:
        with transactions.writing("make the ledger") as connection:
            lock_schema(connection)
            _check_empty(connection)
            ours = is_new
            migrate(connection)
            yield connection
        ours = False
        _set_wal(transactions)
    finally:
        transactions.engine.dispose()
        if ours and path is not None:
            for suffix in ("", "-wal", "-shm", "-journal"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)


def _check_empty(connection: Connection) -> None:
    """Refuse a database that holds a ledger. Raises DatabaseFileError."""
    if current_revision(connection) is not None:
        raise DatabaseFileError(
            "this database holds a ledger already; open that, or name another with --database"
        )


def _set_wal(transactions: Transactions) -> None:
    """Let readers and the writer of a SQLite file not wait for each other."""
    if transactions.engine.dialect.name == "sqlite":
        connection = transactions.engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()


def _write_settings(connection: Connection, identity: Identity) -> None:
    """Insert the one row of settings."""
    store.write_settings(
        connection,
        ledger_id=identity.ledger_id,
        domain=identity.domain,
        pepper=identity.pepper,
        pepper_check=None if identity.pepper is None else pepper_check(identity.pepper),
        registrar=identity.registrar,
        created_at=identity.created_at,
    )


def _issuer(now: int) -> Account:
    """Return the account `system`, which is address zero."""
    return Account(ISSUER, ZERO_ADDRESS, ZERO_HASH, ZERO_ADDRESS, derived=False, created_at=now)


def add_asset(
    connection: Connection,
    identity: Identity,
    *,
    symbol: str,
    name: str,
    decimals: int,
    endowment: int | None,
    operator: Address | None,
    token_version: str,
) -> Asset:
    """Insert a new asset and its empty journal.

    Raises:
        FieldError, RefusedError: ASSET_EXISTS.
    """
    terms = AssetTerms(
        check_symbol(symbol), check_text(name, "name"), check_uint(decimals, 8, "decimals")
    )
    if token_version not in TOKEN_VERSIONS:
        raise FieldError("token_version", f"must be one of {', '.join(TOKEN_VERSIONS)}")
    amount = _default_endowment(decimals) if endowment is None else endowment
    connection.execute(text("UPDATE token_settings SET sealed = sealed"))  # one at a time
    store.lock_heads(connection, [0])  # who changes an account for every asset must see them all
    if symbol in store.read_assets(connection):
        raise RefusedError(Rule.ASSET_EXISTS, f"asset {symbol!r} exists; its terms never change")
    number = connection.execute(select(func.coalesce(func.max(assets.c.asset), 0))).scalar_one()
    asset = Asset(
        number=number + 1,
        id=asset_id(terms),
        symbol=symbol,
        name=name,
        decimals=decimals,
        endowment=check_amount(amount, "endowment"),
        operator=operator,
        token_version=token_version,
    )
    now = dialect_of(connection).now(connection)
    store.write_asset(connection, asset, first_head(identity.domain, asset.id), now)
    return asset


def _default_endowment(decimals: int) -> int:
    """Return 1,000 tokens in base units, or refuse where that is above 2**256 - 1."""
    if int(DEFAULT_ENDOWMENT) * 10**decimals > MAX_AMOUNT:
        raise FieldError("endowment", f"1,000 tokens of {decimals} decimals pass 2**256; give one")
    return parse_amount(DEFAULT_ENDOWMENT, decimals, "endowment")
