"""Rows of idempotency keys: what each made, and for which request. Decides nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ledger.dialects import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from ledger.dialects import Row
    from ledger.results import Receipt
    from ledger.rules import KeyState


def read_keys(connection: Connection, wanted: Iterable[str]) -> dict[str, tuple[bytes, Any]]:
    """Return (request hash, what it made) of those of the keys that are known."""
    dialect = dialect_of(connection)
    sql = f"SELECT key, request, made FROM token_keys WHERE {dialect.any_of('key')}"  # noqa: S608 (constant)
    rows = dialect.rows(connection, sql, dialect.values(wanted))
    return {row[0]: (bytes(row[1]), json.loads(row[2])) for row in rows}


def write_keys(
    connection: Connection, new: Mapping[str, KeyState], numbers: Mapping[str, int], now: int
) -> None:
    """Insert keys, sorted, so that two processes with the same keys wait in the same order."""
    rows = key_rows(new, numbers, now)
    dialect_of(connection).insert(
        connection, "token_keys", ("key", "request", "made", "created_at"), rows
    )


def key_rows(new: Mapping[str, KeyState], numbers: Mapping[str, int], now: int) -> list[Row]:
    """Return the rows that keys are, sorted."""
    return [
        (key, state.request, _made(state.receipt, numbers), now)
        for key, state in sorted(new.items())
    ]


def _made(receipt: Receipt, numbers: Mapping[str, int]) -> str:
    """Return as JSON what a key made: the account, the (asset, seq) of each entry, the hold.

    A hold goes on changing, so that what it was then is kept: (asset, number, state, remaining).
    """
    entries = ",".join(f"[{numbers[entry.asset]},{entry.seq}]" for entry in receipt.entries)
    account = json.dumps(receipt.account.account_id) if receipt.account else "null"
    made = f'"account":{account},"entries":[{entries}]'
    if receipt.hold is not None:
        hold = receipt.hold
        then = [numbers[hold.asset], hold.number, str(hold.state), str(hold.remaining)]
        made += f',"hold":{json.dumps(then)}'
    return f"{{{made}}}"
