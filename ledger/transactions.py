"""The one module that begins and commits: reading, writing, and posting with its retries."""

from __future__ import annotations

import os
import random
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from ledger.engine import (
    is_conflict,
    is_lost,
    translated_errors,
    violated_constraint,
)
from ledger.errors import (
    BusyError,
    ConflictError,
    CorruptError,
    DatabaseFileError,
    LedgerError,
    RefusedError,
    Rule,
)
from ledger.event_store import read_event
from ledger.posting import Outcome, post
from ledger.store import lock_heads, lock_holders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection, Engine

    from ledger.results import Receipt
    from ledger.runs import Run

MAX_ATTEMPTS = 16
"""Times that a run which the database ended in favour of another is run again."""

_RACES = {"token_keys_pkey", "token_keys.key", "token_accounts_pkey", "token_accounts.account_id",
          "token_accounts_address", "token_accounts.address"}  # fmt: skip
"""Constraints that another process can make us violate between our read and our write."""

_RULES = {
    "token_balances_not_negative": Rule.INSUFFICIENT_AVAILABLE,
    "token_balances_balance_range": Rule.INSUFFICIENT_AVAILABLE,
    "token_balances_earned_range": Rule.TOTAL_OVERFLOW,
    "token_balances_spent_range": Rule.TOTAL_OVERFLOW,
    "token_ledger_two_accounts": Rule.SAME_ACCOUNT,
    "token_ledger_amount_positive": Rule.AMOUNT_ZERO,
    "token_ledger_amount_range": Rule.INVALID_FIELD,
    "token_ledger_chain_cause": Rule.CAUSE_REUSED,
    "token_ledger_reversed": Rule.ENTRY_REVERSED,
    "token_ledger.cause": Rule.CAUSE_REUSED,
}
"""What a violated constraint of this name says, should a check in Python ever be missing."""


@dataclass(slots=True)
class Transactions:
    """Begins and commits on one engine; counts what had to be run again."""

    engine: Engine
    retries: int = 0
    _process: int = field(default_factory=os.getpid)

    def _connected(self) -> Connection:
        """Return a connection of this process: a fork must not share its parent's sockets."""
        if self._process != os.getpid():
            self.engine.dispose(close=False)
            self._process = os.getpid()
        return self.engine.connect()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction that changes nothing."""
        with translated_errors("read"), self._connected() as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection whose every statement sees the same moment, and changes nothing."""
        with translated_errors("read"), self._connected() as plain:
            postgresql = plain.dialect.name == "postgresql"
            level = {"isolation_level": "REPEATABLE READ"} if postgresql else {}
            connection = plain.execution_options(**level)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self, what: str) -> Iterator[Connection]:
        """Give a connection in a transaction that commits at the end of the block."""
        try:
            with translated_errors(what), self._begun() as connection:
                yield connection
        except BusyError as busy:
            raise self._told(busy) from busy.__cause__

    def _told(self, busy: BusyError) -> BusyError:
        """Return the error with the sessions that hold what was waited for, where known."""
        try:
            with self.reading() as connection:
                holders = lock_holders(connection)
        except LedgerError:
            return busy
        return BusyError(f"{busy}; held by {', '.join(holders)}") if holders else busy

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        """Give a connection that may write, without translating errors."""
        with self._connected() as plain:
            connection = plain.execution_options(ledger_writes=True)
            with connection.begin():
                _check_isolation(connection)
                yield connection

    def post(self, run: Run) -> list[Receipt | RefusedError]:
        """Post `run` and return one result an item, whatever else writes meanwhile.

        Raises:
            BusyError, ConflictError, CorruptError, DatabaseFileError: see `ledger.errors`.
            RefusedError: CLOCK_AHEAD.
        """
        for attempt in range(MAX_ATTEMPTS):
            try:
                return self._posted(run)
            except DBAPIError as error:
                if not self._again(error):
                    return self._settled(run, error)
                self.retries += 1
                time.sleep(random.uniform(0, 0.002 * attempt))  # noqa: S311 (spreads retries; no secret)
        raise ConflictError("post: other writers won 16 times; run it again")

    def rehearse(self, runs: Iterable[Run]) -> list[Receipt | RefusedError]:
        """Post `runs` one after the other in one transaction, and take everything back.

        Raises:
            As `post`.
        """
        with self.writing("rehearse") as connection:
            results = [result for run in runs for result in self._tried(connection, run)]
            connection.rollback()
        return results

    def _tried(self, connection: Connection, run: Run) -> list[Receipt | RefusedError]:
        """Post `run` within a transaction that others go on with: item by item if need be."""
        savepoint = connection.begin_nested()
        try:
            results = post(connection, run).results
        except (IntegrityError, DataError) as error:
            savepoint.rollback()
            if len(run.items) == 1:
                return [_refusal(error)]
            parts = (replace(run, items=(item,)) for item in run.items)
            return [result for part in parts for result in self._tried(connection, part)]
        savepoint.commit()
        return results

    def _again(self, error: DBAPIError) -> bool:
        """Tell whether the same run can succeed when run again from its start."""
        return is_conflict(error) or violated_constraint(error) in _RACES

    def _posted(self, run: Run) -> list[Receipt | RefusedError]:
        """Post in one transaction; where its COMMIT got no answer, find out what it did."""
        outcome: Outcome | None = None
        try:
            with self._begun() as connection:
                outcome = post(connection, run)
                if not outcome.wrote:
                    connection.rollback()
        except DBAPIError as error:
            if outcome is None or not is_lost(error):
                raise
            if not self._committed(outcome):
                raise
        return outcome.results

    def _committed(self, outcome: Outcome) -> bool:
        """Tell whether a transaction that ended without an answer was committed.

        Locking the head waits for the old backend to end, so that the answer is final.
        """
        with self.writing("find out what the last commit did") as connection:
            if outcome.first_entry is not None:
                number, seq, id_ = outcome.first_entry
                lock_heads(connection, [number])
                found = connection.execute(
                    text("SELECT id FROM token_ledger WHERE asset = :asset AND seq = :seq"),
                    {"asset": number, "seq": seq},
                ).scalar_one_or_none()
                return found is not None and bytes(found) == id_
            if outcome.first_event is None:
                return False
            number, place = outcome.first_event[:2]
            lock_heads(connection, [number])
            return read_event(connection, number, place) == outcome.first_event

    def _settled(self, run: Run, error: DBAPIError) -> list[Receipt | RefusedError]:
        """Answer for a run that the database refused: item by item, then by the constraint."""
        refused = isinstance(error, IntegrityError | DataError)
        if refused and len(run.items) > 1 and not run.times:
            return [
                result for item in run.items for result in self.post(replace(run, items=(item,)))
            ]
        if refused:
            return [_refusal(error)]
        try:
            with translated_errors("post"):
                raise error
        except BusyError as busy:
            raise self._told(busy) from error


def _refusal(error: DBAPIError) -> RefusedError:
    """Return the refusal that a violated constraint means. Raises CorruptError for any other."""
    name = violated_constraint(error)
    if name in _RULES:
        return RefusedError(_RULES[name], f"the database refused it ({name})")
    raise CorruptError(
        f"post: the database refused a row ({name}); run `evm-ledger audit`"
    ) from error


def _check_isolation(connection: Connection) -> None:
    """Refuse any isolation but READ COMMITTED on PostgreSQL: a snapshot would be too old."""
    if connection.dialect.name != "postgresql":
        return
    level = connection.get_isolation_level()
    if level != "READ COMMITTED":
        raise DatabaseFileError(f"posting needs READ COMMITTED, this connection has {level}")
