"""What an export carries besides entries: pending holds, limits, keys. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger import check_store, hold_store, key_store
from ledger.dialects import dialect_of
from ledger.results import Carried, CarriedHold, HoldKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

    from ledger.results import Asset

PAGE = 1_000
"""Keys read in one short transaction."""

PENDING_THEN = (
    "SELECT c.number, c.after_seq FROM token_holds h JOIN token_events c "
    "ON c.asset = h.asset AND c.number = h.number "
    "WHERE h.asset = ? AND c.after_seq <= ? AND (h.state = 'pending' OR h.number IN "
    "(SELECT r.hold FROM token_events r WHERE r.asset = ? AND r.after_seq > ? "
    "AND r.hold IS NOT NULL)) ORDER BY c.number"
)
"""The holds that no event up to a seq had resolved; each has one event that made it."""


def read_carried(connection: Connection, asset: Asset, pepper: bytes | None, seq: int) -> Carried:
    """Return what an export of entries up to `seq` carries of `asset`, in one snapshot.

    A hold counts as it was right before the next entry: what was held later, or of tokens that
    came later, is left out with them. Limits are those of now.
    """
    return Carried(
        holds=tuple(_holds(connection, asset, pepper, seq)),
        limits=hold_store.read_limits(connection, asset.number),
        last_hold=_last_hold(connection, asset, seq),
    )


def _holds(
    connection: Connection, asset: Asset, pepper: bytes | None, seq: int
) -> Iterator[CarriedHold]:
    """Return the holds that were pending after the entry `seq`, ascending by number."""
    rows = dialect_of(connection).rows(
        connection, PENDING_THEN, asset.number, seq, asset.number, seq
    )
    holds = check_store.read_holds(connection, asset, pepper, [number for number, _ in rows])
    for number, after_seq in rows:
        yield CarriedHold(holds[number], after_seq)


def _last_hold(connection: Connection, asset: Asset, seq: int) -> int:
    """Return the greatest number of a hold up to `seq`, also before an import; 0 if none was."""
    sql = (
        "SELECT COALESCE(max(h.number), 0) FROM token_holds h JOIN token_events c "
        "ON c.asset = h.asset AND c.number = h.number WHERE h.asset = ? AND c.after_seq <= ?"
    )
    [(last,)] = dialect_of(connection).rows(connection, sql, asset.number, seq)
    imported = check_store.read_imported(connection, asset)
    return max(int(last), 0 if imported is None else imported.number - 1)


def hold_keys_after(
    connection: Connection, assets: Iterable[Asset], after: str
) -> tuple[list[HoldKey], str | None]:
    """Return the next keys that made holds, and after which key to go on; None at the end."""
    symbols = {asset.number: asset.symbol for asset in assets}
    rows = key_store.read_hold_keys(connection, after, PAGE)
    keys = [HoldKey(key, symbols[held[0]], held[1]) for key, held in rows if held is not None]
    return keys, rows[-1][0] if len(rows) == PAGE else None
