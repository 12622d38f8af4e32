"""Rows of idempotency keys: what each made, and for which request. Decides nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ledger.canonical import spent_hash
from ledger.dialects import dialect_of
from ledger.model import HoldState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from ledger.dialects import Row
    from ledger.results import HoldKey, Receipt
    from ledger.rules import KeyState


def read_keys(connection: Connection, wanted: Iterable[str]) -> dict[str, tuple[bytes, Any]]:
    """Return (request hash, what it made) of those of the keys that are known."""
    dialect = dialect_of(connection)
    sql = f"SELECT key, request, made FROM token_keys WHERE {dialect.any_of('key')}"  # noqa: S608 (constant)
    rows = dialect.rows(connection, sql, dialect.values(wanted))
    return {row[0]: (bytes(row[1]), json.loads(row[2])) for row in rows}


def claim_key(connection: Connection, key: str, request: bytes) -> bool:
    """Insert a key that has made nothing yet; False if it is known.

    Another transaction that has just inserted it is waited for.
    """
    dialect = dialect_of(connection)
    sql = (
        "INSERT INTO token_keys (key, request, made, created_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (key) DO NOTHING"
    )
    now = dialect.now(connection)
    return dialect.run(connection, sql, key, request, _answered(""), now) == 1


def write_answer(connection: Connection, key: str, answer: str) -> None:
    """Keep what is answered to whoever uses the key again."""
    sql = "UPDATE token_keys SET made = ? WHERE key = ?"
    dialect_of(connection).run(connection, sql, _answered(answer), key)


def _answered(answer: str) -> str:
    """Return as JSON that a key made no entry, account or hold, but has an answer."""
    return f'{{"answer":{json.dumps(answer)},"account":null,"entries":[]}}'


def read_hold_keys(
    connection: Connection, after: str, most: int
) -> list[tuple[str, tuple[int, int] | None]]:
    """Return at most `most` keys after `after`, in order, that made no entry and no account.

    With (asset number, number) of the hold that each made; None for one that voided a hold.
    """
    sql = "SELECT key, made FROM token_keys WHERE key > ? AND made LIKE ? ORDER BY key LIMIT ?"
    pattern = '{"account":null,"entries":[],%'
    rows = dialect_of(connection).rows(connection, sql, after, pattern, most)
    return [(key, _held(json.loads(made))) for key, made in rows]


def _held(made: Any) -> tuple[int, int] | None:  # noqa: ANN401 (JSON)
    """Return (asset number, number) of the hold that was made, before an import or since."""
    if "spent" in made:
        number, place = made["spent"]
        return number, place
    number, place, state, _ = made["hold"]
    return (number, place) if state == HoldState.PENDING else None


def write_spent(
    connection: Connection, spent: Iterable[HoldKey], numbers: Mapping[str, int], now: int
) -> None:
    """Insert keys of holds that were resolved before an import: no request has their hash."""
    rows = [
        (
            each.idempotency_key,
            spent_hash(each.idempotency_key),
            f'{{"account":null,"entries":[],"spent":[{numbers[each.asset]},{each.number}]}}',
            now,
        )
        for each in spent
    ]
    dialect_of(connection).insert(
        connection, "token_keys", ("key", "request", "made", "created_at"), rows
    )


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
