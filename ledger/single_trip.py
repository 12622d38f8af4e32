"""A guess written in one statement, one round trip, and one flush (PostgreSQL).

The statement begins with the head: an UPDATE that finds no row if the journal does not stand where
it was remembered (after a wait, PostgreSQL looks at the row again). Everything else is inserted
from what that UPDATE returns, so that no row is written, and no other lock is taken, before the
head is ours, and nothing at all where it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.arrays import array_literal
from ledger.dialects import dialect_of
from ledger.key_store import key_rows
from ledger.store import ENTRY_COLUMNS, balance_rows, entry_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from ledger.dialects import Row
    from ledger.guesses import Guess

_ENTRY_TYPES = (
    "int", "bigint", "bytea", "bigint", "text", "text", "numeric", "text", "text", "text", "text",
    "numeric", "numeric", "text", "text", "bytea", "text", "bytea", "bytea", "bytea",
)  # fmt: skip
_BALANCE_TYPES = ("int", "text", "numeric", "numeric", "numeric", "numeric", "bigint", "bigint")
_KEY_TYPES = ("text", "bytea", "text", "bigint")
_VOLUME_TYPES = ("int", "bigint", "bigint", "text")


def _unnest(types: Sequence[str]) -> str:
    """Return as many arrays as rows, a row for each place in them."""
    return f"unnest({', '.join(f'?::{kind}[]' for kind in types)})"


_STATEMENT = f"""
WITH head AS (
    UPDATE token_journals SET seq = ?, head = ?, row_version = ?, last_time = ?
    WHERE asset = ? AND seq = ? AND head = ? AND row_version = ? AND events = ?
        AND (NOT ? OR (SELECT count(*) FROM token_assets) = 1)
    RETURNING asset
), entries AS (
    INSERT INTO token_ledger ({", ".join(ENTRY_COLUMNS)})
    SELECT e.* FROM head, {_unnest(_ENTRY_TYPES)} AS e
), keys AS (
    INSERT INTO token_keys (key, request, made, created_at)
    SELECT k.* FROM head, {_unnest(_KEY_TYPES)} AS k
), balances AS (
    INSERT INTO token_balances (asset, account_id, balance, total_earned, total_spent,
        total_staked, created_at, updated_at)
    SELECT b.* FROM head, {_unnest(_BALANCE_TYPES)} AS b
    ON CONFLICT (asset, account_id) DO UPDATE SET balance = excluded.balance,
        total_earned = excluded.total_earned, total_spent = excluded.total_spent,
        total_staked = excluded.total_staked, updated_at = excluded.updated_at
), volume AS (
    INSERT INTO token_volume AS v (asset, hour, entries, amount)
    SELECT n.* FROM head, {_unnest(_VOLUME_TYPES)} AS n
    ON CONFLICT (asset, hour) DO UPDATE SET entries = v.entries + excluded.entries,
        amount = (v.amount::numeric + excluded.amount::numeric)::text
) SELECT asset FROM head
"""  # noqa: S608 (our own names)


def write_guess(connection: Connection, guess: Guess) -> bool:
    """Write all that `guess` makes, in the one statement of its own transaction.

    Tell whether the journal stood where it was remembered; if not, nothing was written.

    Raises:
        DBAPIError: a key is known, or the database refused a row; nothing was written.
    """
    decisions, before = guess.decisions, guess.known.journal
    after = decisions.journals[guess.symbol]
    number = before.asset.number
    numbers = {guess.symbol: number}
    states = {(number, name): decisions.balances[place, name] for place, name in decisions.touched}
    dialect = dialect_of(connection)
    now = max(decisions.last_time, decisions.now)
    volume = [(number, hour, n, str(total)) for (_, hour), (n, total) in decisions.volume.items()]
    rows = dialect.rows(
        connection,
        _STATEMENT,
        str(after.seq),
        bytes(after.head),
        str(after.version),
        str(after.last_time),
        number,
        str(before.seq),
        bytes(before.head),
        str(before.version),
        str(before.events),
        guess.relies_on_one_asset,
        *_columns(entry_rows(dialect, decisions.new_entries, numbers), len(_ENTRY_TYPES)),
        *_columns(key_rows(decisions.new_keys, numbers, decisions.now), len(_KEY_TYPES)),
        *_columns(balance_rows(dialect, states, now), len(_BALANCE_TYPES)),
        *_columns(volume, len(_VOLUME_TYPES)),
    )
    return bool(rows)


def _columns(rows: Iterable[Row], width: int) -> list[str]:
    """Return the columns of `rows`, each as an array; `width` empty ones where there are none."""
    columns = [array_literal(column) for column in zip(*rows, strict=True)]
    return columns or ["{}"] * width
