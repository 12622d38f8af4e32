"""Reading figures about an asset, all of one moment. Linear in accounts, in flat memory.

Nothing here reads the journal: balances carry the totals, and the volume of every hour is kept.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger import reads, store
from ledger.locked import HOUR
from ledger.measures import Distribution, Hour, Spread, Supply, Velocity, hours_of
from ledger.model import ISSUER
from ledger.tables import balances, volume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from typing import Any

    from sqlalchemy import Connection, Select

    from ledger.results import Asset

PAGE = 1_000
"""Rows taken from the database at once."""

MAX_TOP = 1_000
"""Holders that a distribution names."""


def read_supply(connection: Connection, asset: Asset) -> Supply:
    """Return the totals of `asset`."""
    issuer = store.read_balances(connection, asset.number, [ISSUER]).get(ISSUER)
    total, minted, burned, _ = issuer or (0, 0, 0, 0)
    query = select(
        balances.c.balance,
        balances.c.total_earned,
        balances.c.total_spent,
        balances.c.total_staked,
    ).where(balances.c.asset == asset.number, balances.c.account_id != ISSUER)
    earned = spent = staked = holders = 0
    for row in _streamed(connection, query):
        holders += row.balance > 0
        earned += row.total_earned
        spent += row.total_spent
        staked += row.total_staked
    return Supply(asset.symbol, total, minted, burned, earned, spent, staked, holders)


def read_distribution(connection: Connection, asset: Asset, top: int) -> Distribution:
    """Return how `asset` is spread, and its `top` largest holders."""
    query = (
        select(balances.c.account_id, balances.c.balance)
        .where(balances.c.asset == asset.number, balances.c.account_id != ISSUER)
        .where(balances.c.balance > 0)
        .order_by(balances.c.balance.desc(), balances.c.account_id)
    )
    rows = _streamed(connection, query)
    largest = list(islice(rows, top))
    spread = Spread()
    spread.add(row.balance for row in largest)
    spread.add(row.balance for row in rows)
    found = reads.balances_by_id(connection, asset, [row.account_id for row in largest])
    return Distribution(
        asset.symbol,
        spread.total,
        spread.count,
        spread.gini,
        tuple(found[row.account_id] for row in largest),
    )


def read_velocity(connection: Connection, asset: Asset, window: timedelta, now: int) -> Velocity:
    """Return what changed hands in the hours that began in the `window` before `now`."""
    end = -(-now // HOUR)  # the first hour that has not begun
    query = select(volume.c.entries, volume.c.amount).where(
        volume.c.asset == asset.number,
        volume.c.hour >= end - hours_of(window),
        volume.c.hour < end,
    )
    entries = amount = 0
    for row in _streamed(connection, query):
        entries += row.entries
        amount += int(row.amount)
    supply = store.read_balances(connection, asset.number, [ISSUER]).get(ISSUER)
    return Velocity(asset.symbol, window, entries, amount, supply.balance if supply else 0)


def read_hours(connection: Connection, asset: Asset, count: int) -> list[Hour]:
    """Return the last `count` hours in which something changed hands, in order."""
    query = (
        select(volume.c.hour, volume.c.entries, volume.c.amount)
        .where(volume.c.asset == asset.number)
        .order_by(volume.c.hour.desc())
        .limit(count)
    )
    rows = connection.execute(query).all()
    return [Hour(row.hour * HOUR, row.entries, int(row.amount)) for row in reversed(rows)]


def _streamed(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    """Return the rows of a query, taken from the database a page at a time."""
    return iter(connection.execute(query, execution_options={"yield_per": PAGE}))
