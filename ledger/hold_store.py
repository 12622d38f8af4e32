"""Rows of holds, limits and hourly volumes, in and out. Decides nothing."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger.addresses import hold_blind
from ledger.arrays import array_literal
from ledger.dialects import Row, dialect_of
from ledger.engine import driven
from ledger.model import ZERO_HASH, Hash32, HoldState
from ledger.results import Hold, Limits
from ledger.store import address_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from ledger.results import Asset

HOLD_COLUMNS = (
    "asset", "number", "id", "account_id", "to_account", "amount", "remaining", "state",
    "expires_at", "reason", "reference_type", "reference_id", "memo", "idempotency_key", "blind",
    "created_at", "updated_at",
)  # fmt: skip

_HELD = {
    "remaining": "numeric", "state": "text", "updated_at": "bigint", "asset": "int",
    "number": "bigint",
}  # fmt: skip
_LIMITED = {"max_debit": "numeric", "max_balance": "numeric", "asset": "int", "account_id": "text"}

_SELECT = (
    f"SELECT {', '.join(f'h.{column}' for column in HOLD_COLUMNS)}, f.address, t.address "  # noqa: S608 (constant)
    "FROM token_holds h "
    "LEFT JOIN token_accounts f ON f.account_id = h.account_id "
    "LEFT JOIN token_accounts t ON t.account_id = h.to_account "
)


def select_holds(
    connection: Connection,
    assets: Iterable[Asset],
    pepper: bytes | None,
    rest: str,
    *values: object,
) -> list[Hold]:
    """Return holds for the rest of a query, from its WHERE on, which names them `h`."""
    dialect = dialect_of(connection)
    by_number = {asset.number: asset for asset in assets}
    return [
        _hold(row, by_number[row[0]], pepper, dialect.to_amount)
        for row in dialect.rows(connection, f"{_SELECT} {rest}", *values)
    ]


def find_holds(
    connection: Connection,
    assets: Iterable[Asset],
    pepper: bytes | None,
    wanted: Sequence[Hash32],
) -> list[Hold]:
    """Return those of the holds with the ids `wanted` that exist."""
    if not wanted:
        return []
    ids: list[object] = [bytes(each) for each in wanted]
    found = ", ".join("?" * len(ids))
    if connection.dialect.name == "postgresql":  # looks for each by the index, however many
        ids, found = [array_literal(map(bytes, wanted))], "SELECT unnest(?::bytea[])"
    return select_holds(connection, assets, pepper, f"WHERE h.id IN ({found})", *ids)


def read_due(
    connection: Connection, asset: Asset, pepper: bytes | None, now: int, most: int
) -> list[Hold]:
    """Return at most `most` pending holds that expire until `now`, by (expiry, creation)."""
    rest = (
        "WHERE h.asset = ? AND h.state = 'pending' AND h.expires_at <= ? "
        "ORDER BY h.expires_at, h.number LIMIT ?"
    )
    return select_holds(connection, [asset], pepper, rest, asset.number, now, most)


def due_before_last_of(
    connection: Connection, asset: Asset, now: int, account_ids: Iterable[str]
) -> int:
    """Return how many pending holds expire until `now`, up to the last one of the accounts."""
    dialect = dialect_of(connection)
    due = "asset = ? AND state = 'pending' AND expires_at <= ?"
    sql = (
        f"SELECT count(*) FROM token_holds WHERE {due} AND (expires_at, number) <= "  # noqa: S608 (our own names)
        f"(SELECT expires_at, number FROM token_holds WHERE {due} AND "
        f"{dialect.any_of('account_id')} ORDER BY expires_at DESC, number DESC LIMIT 1)"
    )
    values = (asset.number, now, asset.number, now, dialect.values(sorted(account_ids)))
    return int(dialect.rows(connection, sql, *values)[0][0])


def read_next_expiry(connection: Connection, asset: Asset, now: int) -> int | None:
    """Return when the first pending hold expires that does so after `now`; None if none does."""
    sql = (
        "SELECT expires_at FROM token_holds WHERE asset = ? AND state = 'pending' "
        "AND expires_at > ? ORDER BY expires_at LIMIT 1"
    )
    rows = dialect_of(connection).rows(connection, sql, asset.number, now)
    return int(rows[0][0]) if rows else None


def write_holds(
    connection: Connection,
    holds: Iterable[Hold],
    numbers: Mapping[str, int],
    *,
    with_blind: bool = False,
) -> None:
    """Insert new holds; `with_blind` where no pepper could give their blinds again."""
    dialect = dialect_of(connection)
    rows = (
        (
            numbers[hold.asset],
            hold.number,
            bytes(hold.id),
            hold.account_id,
            hold.to_account or None,
            dialect.from_amount(hold.amount),
            dialect.from_amount(hold.remaining),
            str(hold.state),
            hold.expires_at,
            hold.reason or None,
            hold.reference_type or None,
            hold.reference_id or None,
            hold.memo or None,
            hold.idempotency_key or None,
            bytes(hold.blind) if with_blind else None,
            hold.created_at,
            hold.updated_at,
        )
        for hold in holds
    )
    dialect.insert(connection, "token_holds", HOLD_COLUMNS, rows)


def update_holds(connection: Connection, holds: Iterable[Hold], numbers: Mapping[str, int]) -> None:
    """Store the state of holds that exist."""
    amount = dialect_of(connection).from_amount
    rows = [
        (amount(hold.remaining), str(hold.state), hold.updated_at, numbers[hold.asset], hold.number)
        for hold in holds
    ]
    _update(connection, "token_holds", _HELD, rows)


def read_limits(connection: Connection, number: int) -> dict[str, Limits]:
    """Return the limits of every account that has any in an asset, by account id."""
    dialect = dialect_of(connection)
    sql = (
        "SELECT account_id, max_debit, max_balance FROM token_balances WHERE asset = ? "
        "AND (max_debit IS NOT NULL OR max_balance IS NOT NULL) ORDER BY account_id"
    )
    return {
        account_id: Limits(*(None if each is None else dialect.to_amount(each) for each in both))
        for account_id, *both in dialect.rows(connection, sql, number)
    }


def write_limits(connection: Connection, changed: Mapping[tuple[int, str], Limits]) -> None:
    """Store limits beside balances, whose rows exist."""
    amount = dialect_of(connection).from_amount
    rows = [
        (*(None if it is None else amount(it) for it in (each.max_debit, each.max_balance)), *place)
        for place, each in changed.items()
    ]
    _update(connection, "token_balances", _LIMITED, rows)


def _update(
    connection: Connection, table: str, types: Mapping[str, str], rows: Sequence[Row]
) -> None:
    """Update one row for each of `rows`, whose last two values are its key.

    `types` are PostgreSQL's, by column.
    """
    if not rows:
        return
    *changed, asset, place = types
    if connection.dialect.name == "postgresql":
        sets = ", ".join(f"{column} = new.{column}" for column in changed)
        arrays = ", ".join(f"?::{kind}[]" for kind in types.values())
        sql = (
            f"UPDATE {table} old SET {sets} FROM unnest({arrays}) AS new ({', '.join(types)}) "  # noqa: S608 (our own names)
            f"WHERE old.{asset} = new.{asset} AND old.{place} = new.{place}"
        )
        columns = (array_literal(column) for column in zip(*rows, strict=True))
        dialect_of(connection).run(connection, sql, *columns)
        return
    sets = ", ".join(f"{column} = ?" for column in changed)
    sql = f"UPDATE {table} SET {sets} WHERE {asset} = ? AND {place} = ?"  # noqa: S608 (our own names)
    with driven(connection, sql) as driver, closing(driver.cursor()) as cursor:
        cursor.executemany(sql, rows)


def add_volume(connection: Connection, volume: Mapping[tuple[int, int], tuple[int, int]]) -> None:
    """Add (entries, amount) to the volumes of (asset number, hour)."""
    dialect = dialect_of(connection)
    for (number, hour), (entries, amount) in volume.items():
        dialect.add_volume(connection, number, hour, entries, amount)


def as_it_was(hold: Hold, state: str, remaining: str, posted_at: int | None) -> Hold:
    """Return `hold` as it was when a key made, posted or voided it.

    `posted_at` is the time of the entry that posted it, if one did; voiding is its last change.
    """
    then = HoldState(state)
    changed = hold.created_at if then == HoldState.PENDING else hold.updated_at
    at = changed if posted_at is None else posted_at
    return replace(hold, state=then, remaining=int(remaining), updated_at=at)


def _hold(row: Row, asset: Asset, pepper: bytes | None, to_amount: Any) -> Hold:  # noqa: ANN401 (a dialect's function)
    """Return the hold that a row is, as stored."""
    blind = row[14] if row[14] is not None else ZERO_HASH
    if row[14] is None and pepper is not None:
        blind = hold_blind(pepper, asset.id, row[1])
    return Hold(
        asset=asset.symbol,
        number=row[1],
        id=Hash32(bytes(row[2])),
        account_id=row[3],
        to_account=row[4] or "",
        from_address=address_of(row[17]),
        to_address=address_of(row[18]),
        amount=to_amount(row[5]),
        remaining=to_amount(row[6]),
        state=HoldState(row[7]),
        created_at=row[15],
        updated_at=row[16],
        expires_at=row[8],
        reason=row[9] or "",
        reference_type=row[10] or "",
        reference_id=row[11] or "",
        memo=row[12] or "",
        idempotency_key=row[13] or "",
        blind=Hash32(bytes(blind)),
    )
