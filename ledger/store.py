"""Rows in and out. Is handed a connection; never begins, commits or decides."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from ledger import waits
from ledger.addresses import entry_blind
from ledger.balances import BalanceState
from ledger.dialects import Dialect, Row, dialect_of
from ledger.model import ZERO_ADDRESS, ZERO_HASH, Address, Hash32
from ledger.results import Asset, Entry, JournalHead, Limits
from ledger.tables import assets, journals, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from ledger.locked import Journal

ENTRY_COLUMNS = (
    "asset", "seq", "id", "timestamp", "from_account", "to_account", "amount", "reason",
    "reference_type", "reference_id", "memo", "balance_after_from", "balance_after_to", "origin",
    "kind", "cause", "idempotency_key", "group_id", "head", "blind",
)  # fmt: skip
_STATE = ("balance", "total_earned", "total_spent", "total_staked")
_BALANCE_COLUMNS = ("asset", "account_id", *_STATE, "created_at", "updated_at")
_AMOUNT_COLUMNS = (*_STATE, "max_debit", "max_balance")


# --- settings and assets ---------------------------------------------------------------------


_MARKS = 500
"""Values in one list of a query."""


def read_settings(connection: Connection) -> Any:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the ledger's one row of settings, or None."""
    return connection.execute(select(settings)).one_or_none()


def write_settings(connection: Connection, **values: object) -> None:
    """Insert the ledger's one row of settings."""
    connection.execute(insert(settings).values(one=1, sealed=0, **values))


def read_assets(connection: Connection) -> dict[str, Asset]:
    """Return every asset by symbol, in order of creation."""
    rows = connection.execute(select(assets).order_by(assets.c.asset))
    return {row.symbol: _asset(row) for row in rows}


def write_asset(connection: Connection, asset: Asset, head: Hash32, created_at: int) -> None:
    """Insert an asset and its empty journal."""
    connection.execute(
        insert(assets).values(
            asset=asset.number,
            id=asset.id,
            symbol=asset.symbol,
            name=asset.name,
            decimals=asset.decimals,
            endowment=asset.endowment,
            operator=asset.operator,
            token_version=asset.token_version,
            created_at=created_at,
        )
    )
    connection.execute(
        insert(journals).values(asset=asset.number, seq=0, head=head, last_time=0, row_version=0)
    )


def write_operator(connection: Connection, asset: Asset, operator: Address) -> int:
    """Set the operator of `asset` if it has none; return how many rows that changed."""
    unset = (assets.c.asset == asset.number) & assets.c.operator.is_(None)
    return connection.execute(update(assets).where(unset).values(operator=operator)).rowcount


def _asset(row: Any) -> Asset:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the asset that a row is."""
    return Asset(
        number=row.asset,
        id=Hash32(row.id),
        symbol=row.symbol,
        name=row.name,
        decimals=row.decimals,
        endowment=row.endowment,
        operator=None if row.operator is None else Address(row.operator),
        token_version=row.token_version,
    )


# --- journals --------------------------------------------------------------------------------


def lock_heads(connection: Connection, numbers: Sequence[int]) -> dict[int, Row]:
    """Lock the journals of the assets `numbers`, sorted; return what `Journal` has of each.

    That is (seq, head, version, last time, events, next expiry). Its own statement: one that locks
    and reads more would read rows from before its wait. SQLite has taken the one write lock with
    BEGIN IMMEDIATE.
    """
    dialect = dialect_of(connection)
    if dialect.name == "postgresql":
        waits.check_not_own(
            lambda: waits.home_of(connection), numbers, connection.get_transaction()
        )
    sql = (
        "SELECT asset, seq, head, row_version, last_time, events, next_expiry FROM token_journals "  # noqa: S608 (constant)
        f"WHERE {dialect.any_of('asset')} ORDER BY asset"
    )
    if dialect.name == "postgresql":
        sql += " FOR UPDATE"
    rows = dialect.rows(connection, sql, dialect.values(sorted(numbers)))
    return {row[0]: row[1:] for row in rows}


def lock_holders(connection: Connection) -> list[str]:
    """Say which sessions hold a journal or the seals, on PostgreSQL, which knows it.

    A row that is locked or changed by a transaction under way names it in its xmax; where it names
    a savepoint, which nobody can look up, those who write the table and do not wait are meant.
    """
    if connection.dialect.name != "postgresql":
        return []
    dialect = dialect_of(connection)
    exact = (
        "(SELECT xmax FROM token_journals UNION SELECT xmax FROM token_settings) AS row "
        "JOIN pg_locks l ON l.locktype = 'transactionid' AND l.transactionid = row.xmax "
        "AND l.granted JOIN pg_stat_activity a ON a.pid = l.pid"
    )
    likely = (
        "pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid AND a.wait_event_type IS DISTINCT "
        "FROM 'Lock' WHERE l.granted AND l.mode IN ('RowShareLock', 'RowExclusiveLock') AND "
        "l.relation IN ('token_journals'::regclass, 'token_settings'::regclass) AND "
        "a.pid <> pg_backend_pid()"
    )
    sql = (
        "SELECT DISTINCT a.pid, COALESCE(NULLIF(a.application_name, ''), 'unnamed'), a.state, "
        "EXTRACT(epoch FROM clock_timestamp() - a.xact_start)::int FROM {} ORDER BY 1"
    )
    rows = dialect.rows(connection, sql.format(exact)) or dialect.rows(
        connection, sql.format(likely)
    )
    return [f"pid {pid} ({name}), {state} for {age} s" for pid, name, state, age in rows]


def read_head(connection: Connection, number: int) -> JournalHead:
    """Return where the journal of an asset stands."""
    row = connection.execute(select(journals).where(journals.c.asset == number)).one()
    closed = row.closed_seq is not None
    return JournalHead(row.seq, Hash32(row.head), row.last_time, closed)


def read_timestamp(connection: Connection, number: int, seq: int) -> int:
    """Return the time of the entry at `seq` of an asset."""
    dialect = dialect_of(connection)
    sql = "SELECT timestamp FROM token_ledger WHERE asset = ? AND seq = ?"
    return int(dialect.rows(connection, sql, number, seq)[0][0])


def write_heads(connection: Connection, moved: Iterable[Journal]) -> None:
    """Store where the journals that changed stand now."""
    dialect = dialect_of(connection)
    sql = (
        "UPDATE token_journals SET seq = ?, head = ?, row_version = ?, last_time = ?, events = ?, "
        "next_expiry = ? WHERE asset = ?"
    )
    for journal in moved:
        dialect.run(
            connection,
            sql,
            journal.seq,
            bytes(journal.head),
            journal.version,
            journal.last_time,
            journal.events,
            journal.next_expiry,
            journal.asset.number,
        )


# --- balances ---------------------------------------------------------------------------------


def read_balances(
    connection: Connection, number: int, account_ids: Iterable[str]
) -> dict[str, BalanceState]:
    """Return what those of `account_ids` have of the asset that ever had any."""
    return read_balances_limits(connection, number, account_ids)[0]


def read_balances_limits(
    connection: Connection, number: int, account_ids: Iterable[str]
) -> tuple[dict[str, BalanceState], dict[str, Limits]]:
    """Return what those of `account_ids` have of the asset, and the limits of those with any."""
    dialect = dialect_of(connection)
    amounts = ", ".join(dialect.amount_of(column) for column in _AMOUNT_COLUMNS)
    sql = (
        f"SELECT account_id, {amounts} FROM token_balances "  # noqa: S608 (constant)
        f"WHERE asset = ? AND {dialect.any_of('account_id')}"
    )
    rows = dialect.rows(connection, sql, number, dialect.values(account_ids))
    amount = dialect.to_amount
    limited = [row for row in rows if row[5] is not None or row[6] is not None]
    return (
        {row[0]: BalanceState(*map(amount, row[1:5])) for row in rows},
        {
            row[0]: Limits(*(None if each is None else amount(each) for each in row[5:]))
            for row in limited
        },
    )


def write_balances(
    connection: Connection, states: Mapping[tuple[int, str], BalanceState], now: int
) -> None:
    """Store each touched balance once."""
    if states:
        dialect = dialect_of(connection)
        rows = balance_rows(dialect, states, now)
        dialect.upsert(
            connection, "token_balances", _BALANCE_COLUMNS, ("asset", "account_id"), rows
        )


def balance_rows(
    dialect: Dialect, states: Mapping[tuple[int, str], BalanceState], now: int
) -> list[Row]:
    """Return the rows that balances are, sorted: neighbours are stored side by side."""
    return [
        (number, account_id, *map(dialect.from_amount, state), now, now)
        for (number, account_id), state in sorted(states.items())
    ]


# --- entries ---------------------------------------------------------------------------------


def write_entries(
    connection: Connection,
    entries: Iterable[Entry],
    numbers: Mapping[str, int],
    *,
    with_blind: bool = False,
) -> None:
    """Insert entries; `with_blind` where no pepper could give their blinds again."""
    dialect = dialect_of(connection)
    rows = entry_rows(dialect, entries, numbers, with_blind=with_blind)
    dialect.insert(connection, "token_ledger", ENTRY_COLUMNS, rows)


def entry_rows(
    dialect: Dialect,
    entries: Iterable[Entry],
    numbers: Mapping[str, int],
    *,
    with_blind: bool = False,
) -> Iterator[Row]:
    """Return the rows that entries are."""
    amount = dialect.from_amount
    return (
        (
            numbers[entry.asset],
            entry.seq,
            bytes(entry.id),
            entry.timestamp,
            entry.from_account,
            entry.to_account,
            amount(entry.amount),
            entry.reason or None,
            entry.reference_type or None,
            entry.reference_id or None,
            entry.memo or None,
            amount(entry.balance_after_from),
            amount(entry.balance_after_to),
            entry.origin,
            str(entry.kind) or None,
            None if entry.cause == ZERO_HASH else bytes(entry.cause),
            entry.idempotency_key or None,
            None if entry.group == ZERO_HASH else bytes(entry.group),
            bytes(entry.head),
            bytes(entry.blind) if with_blind else None,
        )
        for entry in entries
    )


_ENTRY_SELECT = (
    f"SELECT {', '.join(f'e.{column}' for column in ENTRY_COLUMNS)}, f.address, t.address "  # noqa: S608 (constant)
    "FROM token_ledger e "
    "LEFT JOIN token_accounts f ON f.account_id = e.from_account "
    "LEFT JOIN token_accounts t ON t.account_id = e.to_account "
)


def select_entries(
    connection: Connection,
    asset: Asset,
    pepper: bytes | None,
    where: str,
    *values: object,
) -> list[Entry]:
    """Return entries of `asset` for the rest of a query, `where`, which names them `e`."""
    dialect = dialect_of(connection)
    sql = f"{_ENTRY_SELECT} WHERE e.asset = ? {where}"
    rows = dialect.rows(connection, sql, asset.number, *values)
    return [_entry(row, asset, pepper, dialect.to_amount) for row in rows]


def entries_at(
    connection: Connection, asset: Asset, pepper: bytes | None, seqs: Sequence[int]
) -> list[Entry]:
    """Return the entries of `asset` at `seqs` that exist."""
    dialect = dialect_of(connection)
    rest = f"AND {dialect.any_of('e.seq')} ORDER BY e.seq"
    return select_entries(connection, asset, pepper, rest, dialect.values(seqs))


def find_entry(connection: Connection, id_: bytes) -> list[tuple[int, int]]:
    """Return (asset number, seq) of the entry with that id."""
    sql = "SELECT asset, seq FROM token_ledger WHERE id = ?"
    rows = dialect_of(connection).rows(connection, sql, bytes(id_))
    return [(int(asset), int(seq)) for asset, seq in rows]


def read_causes(connection: Connection, kind: str, causes: Sequence[bytes]) -> set[bytes]:
    """Return those of `causes` that an entry of `kind`, which has each once, has."""
    condition = "origin = 'chain'" if kind == "chain" else "kind = 'reversal'"
    found: set[bytes] = set()
    for start in range(0, len(causes), _MARKS):
        part = causes[start : start + _MARKS]
        marks = ", ".join("?" * len(part))
        sql = f"SELECT cause FROM token_ledger WHERE {condition} AND cause IN ({marks})"  # noqa: S608 (constants)
        found |= {bytes(row[0]) for row in dialect_of(connection).rows(connection, sql, *part)}
    return found


def wrong_origins(connection: Connection, asset: Asset, after: int, most: int) -> dict[int, str]:
    """Return by seq the origins that contradict their kind, of `most` entries after `after`."""
    dialect = dialect_of(connection)
    sql = (
        "SELECT seq, origin FROM token_ledger WHERE asset = ? AND seq > ? AND seq <= ? "
        "AND origin <> CASE WHEN kind = 'chain' THEN 'chain' ELSE 'local' END"
    )
    return dict(dialect.rows(connection, sql, asset.number, after, after + most))


@lru_cache(maxsize=65_536)
def address_of(stored: bytes | None) -> Address:
    """Return an account's address; zero where there is no such account. Cached: they repeat."""
    return ZERO_ADDRESS if stored is None else Address(stored)


def lost_keys(connection: Connection, asset: Asset, after: int, last: int) -> list[str]:
    """Return the first key of the entries after `after` up to `last` that is not kept as theirs."""
    dialect = dialect_of(connection)
    place = "'[' || e.asset || ',' || e.seq || ']'"
    sql = (
        "SELECT e.idempotency_key FROM token_ledger e "  # noqa: S608 (our own names)
        "LEFT JOIN token_keys k ON k.key = e.idempotency_key "
        "WHERE e.asset = ? AND e.seq > ? AND e.seq <= ? AND e.idempotency_key IS NOT NULL "
        f"AND ({dialect.position}(k.made, {place}) = 0 OR k.key IS NULL) ORDER BY e.seq LIMIT 1"
    )
    return [str(row[0]) for row in dialect.rows(connection, sql, asset.number, after, last)]


def _entry(row: Row, asset: Asset, pepper: bytes | None, to_amount: Any) -> Entry:  # noqa: ANN401 (a dialect's function)
    """Return the entry that a row is, as stored: nothing is recomputed but the blind."""
    blind = row[19] if row[19] is not None else ZERO_HASH
    if row[19] is None and pepper is not None:
        blind = entry_blind(pepper, asset.id, row[1])
    return Entry(
        asset=asset.symbol,
        seq=row[1],
        id=Hash32(row[2]),
        head=Hash32(row[18]),
        timestamp=row[3],
        from_account=row[4],
        to_account=row[5],
        from_address=address_of(row[20]),
        to_address=address_of(row[21]),
        amount=to_amount(row[6]),
        balance_after_from=to_amount(row[11]),
        balance_after_to=to_amount(row[12]),
        reason=row[7] or "",
        reference_type=row[8] or "",
        reference_id=row[9] or "",
        memo=row[10] or "",
        idempotency_key=row[16] or "",
        group=Hash32(row[17]) if row[17] is not None else ZERO_HASH,
        kind=row[14] or "",
        cause=Hash32(row[15]) if row[15] is not None else ZERO_HASH,
        blind=Hash32(blind),
    )
