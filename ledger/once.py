"""Something done once for an idempotency key, with its answer kept in the same commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.canonical import once_hash
from ledger.errors import FieldError, RefusedError, Rule
from ledger.key_store import claim_key, read_keys, write_answer
from ledger.texts import check_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


def checked_key(key: str) -> str:
    """Return `key` if it can be one. Raises FieldError."""
    if not check_text(key, "idempotency_key"):
        raise FieldError("idempotency_key", "must not be empty")
    return key


def run(
    connection: Connection, key: str, request: str, do: Callable[[Connection], str]
) -> tuple[str, bool]:
    """Return what `do` answers, or answered when the key was new, and whether it was known.

    Raises:
        RefusedError: KEY_REUSED.
    """
    wanted = once_hash(request)
    if claim_key(connection, key, wanted):
        answer = do(connection)
        write_answer(connection, key, answer)
        return answer, False
    kept, made = read_keys(connection, [key])[key]
    if kept != wanted:
        raise RefusedError(
            Rule.KEY_REUSED, f"key {key!r} was used for another request; choose a new key"
        )
    return str(made["answer"]), True
