"""Closing an asset: its journal ends, because its token lives on without it.

Nothing is checked when something is posted: the schema does not let the journal's head move on
(`token_journals_closed`), which costs the postings of open journals nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from ledger.dialects import dialect_of
from ledger.errors import ConflictError
from ledger.store import lock_heads
from ledger.tables import journals

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.results import Asset

_PENDING = "SELECT 1 FROM token_holds WHERE asset = ? AND state = 'pending' LIMIT 1"


def close_journal(connection: Connection, asset: Asset, seq: int) -> None:
    """End the journal of `asset` with its entry `seq`, which must be its last.

    Raises:
        ConflictError: it has another last entry, or a hold is pending.
    """
    locked = lock_heads(connection, [asset.number])
    last, events = locked[asset.number][0], locked[asset.number][4]
    if last != seq:
        raise ConflictError(
            f"{asset.symbol}: the last entry is {last}, not {seq}: somebody posted meanwhile; look "
            "again at what is to end"
        )
    dialect = dialect_of(connection)
    if dialect.rows(connection, _PENDING, asset.number):
        raise ConflictError(f"{asset.symbol}: a hold is pending: post or void it, then try again")
    _write(connection, asset, closed_seq=last, closed_events=events)


def reopen_journal(connection: Connection, asset: Asset) -> None:
    """Let the journal of `asset` go on."""
    lock_heads(connection, [asset.number])
    _write(connection, asset, closed_seq=None, closed_events=None)


def _write(connection: Connection, asset: Asset, **columns: int | None) -> None:
    """Change the head of a journal; its version tells those who remember it to read it again."""
    changed = update(journals).where(journals.c.asset == asset.number)
    connection.execute(changed.values(row_version=journals.c.row_version + 1, **columns))
