"""What begins and ends transactions: reading, writing, and posting with its retries.

`Transactions` begins and commits its own. `Nested` goes on within a transaction that another
commits: each run is a savepoint.
"""

from __future__ import annotations

import os
import random
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from psycopg import IsolationLevel
from sqlalchemy import text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from ledger import waits
from ledger.constraints import RACES, refusal_of
from ledger.engine import (
    is_conflict,
    is_lost,
    translated_errors,
    violated_constraint,
)
from ledger.errors import (
    BusyError,
    ConflictError,
    DatabaseFileError,
    LedgerError,
    RefusedError,
)
from ledger.event_store import read_event
from ledger.guesses import guess
from ledger.locked import ACCOUNTS, ACCOUNTS_STREAM
from ledger.memory import Memory
from ledger.pauses import no_collection
from ledger.posting import Outcome, lesson, outcome_of, post, steady
from ledger.single_trip import write_guess
from ledger.store import lock_heads, lock_holders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine

    from ledger.results import Asset, Receipt
    from ledger.runs import Run

GUESSES_LEFT_OUT = 8
"""Runs that are decided under the lock at once after a wrong guess."""

MAX_ATTEMPTS = 16
"""Times that a run which the database ended in favour of another is run again."""

_READ_COMMITTED = (None, IsolationLevel.READ_COMMITTED)


class Posting(ABC):
    """How a run is posted, whoever commits."""

    retries: int
    """How often a run was posted again because the database preferred another."""

    @abstractmethod
    def call(self) -> AbstractContextManager[None]:
        """Go round all that one call of the application posts."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection in a transaction that changes nothing."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Connection]:
        """Give a connection that changes nothing, for several statements about one moment."""

    @abstractmethod
    def rehearse(self, runs: Iterable[Run]) -> list[Receipt | RefusedError]:
        """Post `runs` one after the other, and take everything back.

        Raises:
            As `post`.
        """

    @abstractmethod
    def _posted(self, run: Run) -> list[Receipt | RefusedError]:
        """Post once, whole or not at all. Raises DBAPIError."""

    @abstractmethod
    def _again(self, error: DBAPIError) -> bool:
        """Tell whether the same run can succeed when run again from its start."""

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

    def _settled(self, run: Run, error: DBAPIError) -> list[Receipt | RefusedError]:
        """Answer for a run that the database refused: item by item, then by the constraint."""
        refused = isinstance(error, IntegrityError | DataError)
        if refused and len(run.items) > 1 and not run.times:
            return [
                result for item in run.items for result in self.post(replace(run, items=(item,)))
            ]
        if refused:
            return [refusal_of(error)]
        try:
            with translated_errors("post"):
                raise error
        except BusyError as busy:
            raise self._told(busy) from error

    def _told(self, busy: BusyError) -> BusyError:
        """Return the error with the sessions that hold what was waited for, where known."""
        try:
            with self.reading() as connection:
                holders = lock_holders(connection)
        except LedgerError:
            return busy
        return BusyError(f"{busy}; held by {', '.join(holders)}") if holders else busy


@dataclass(slots=True)
class Nested(Posting):
    """Posts within the transaction of a connection, which another began and will end."""

    connection: Connection
    retries: int = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Take back all that one call of the application posts, if it fails."""
        with translated_errors("post"), self.connection.begin_nested():
            yield

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection; a statement that fails does not end its transaction.

        On SQLite no statement does, and a savepoint outside a transaction would begin one.
        """
        nested = self.connection.dialect.name == "postgresql"
        with translated_errors("read"), self.connection.begin_nested() if nested else nullcontext():
            yield self.connection

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Give the connection: what has been posted never changes, whenever it is read."""
        return self.reading()

    def rehearse(self, runs: Iterable[Run]) -> list[Receipt | RefusedError]:
        """Post `runs` one after the other, and take everything back.

        Raises:
            As `post`.
        """
        with translated_errors("rehearse"):
            savepoint = self.connection.begin_nested()
            try:
                return [result for run in runs for result in self.post(run)]
            finally:
                savepoint.rollback()

    def _posted(self, run: Run) -> list[Receipt | RefusedError]:
        """Post in a savepoint."""
        with self.connection.begin_nested():
            return post(self.connection, run).results

    def _again(self, error: DBAPIError) -> bool:
        """Tell whether the same run can succeed: only where the transaction can go on."""
        return violated_constraint(error) in RACES


@dataclass(slots=True)
class Transactions(Posting):
    """Begins and commits on one engine; counts what had to be run again."""

    engine: Engine
    lock_timeout: float = 10.0
    """Seconds that a writer waits for another."""
    retries: int = 0
    memory: Memory = field(default_factory=Memory)
    """What this process's last postings left, good while nobody else has posted."""
    _unlucky: int = 0
    """Guesses to leave out, after one was wrong: others post too."""
    _process: int = field(default_factory=os.getpid)

    def _connected(self) -> Connection:
        """Return a connection of this process: a fork must not share its parent's sockets."""
        if self._process != os.getpid():
            self.engine.dispose(close=False)
            self._process = os.getpid()
        return self.engine.connect()

    def call(self) -> AbstractContextManager[None]:
        """Do nothing: every run of a call is committed on its own."""
        return nullcontext()

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

    def check_not_own(self, numbers: Collection[int]) -> None:
        """Refuse to wait for a journal of `numbers` that this thread itself holds (`Ledger.on`).

        SQLite has one lock for all of them. Raises BusyError.
        """
        waits.check_not_own(self._home, None if self._file else numbers)

    @property
    def _file(self) -> str | None:
        """The SQLite file, or None on PostgreSQL."""
        return self.engine.url.database if self.engine.dialect.name == "sqlite" else None

    def _home(self) -> waits.Home:
        """Return which database this is."""
        if self._file is not None:
            return waits.file_home(self._file)
        with self.reading() as connection:
            return waits.home_of(connection)

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        """Give a connection that may write, without translating errors."""
        if self._file is not None:
            self.check_not_own(())
        with self._connected() as plain:
            connection = plain.execution_options(ledger_writes=True)
            with connection.begin():
                _check_isolation(connection)
                yield connection

    def rehearse(self, runs: Iterable[Run]) -> list[Receipt | RefusedError]:
        """Post `runs` one after the other in one transaction, and take everything back.

        All their journals are locked at first, sorted: a later run may need a lower one.

        Raises:
            As `post`.
        """
        together = list(runs)
        with self.writing("rehearse") as connection:
            lock_heads(
                connection,
                sorted({n for run in together for n in journal_numbers(run.symbols, run.assets)}),
            )
            results = Nested(connection).rehearse(together)
            connection.rollback()
        return results

    def _again(self, error: DBAPIError) -> bool:
        """Tell whether the same run can succeed when run again from its start."""
        return is_conflict(error) or violated_constraint(error) in RACES

    def _posted(self, run: Run) -> list[Receipt | RefusedError]:
        """Post in one transaction, in one round trip where a guess is right."""
        return self._guessed(run) or self._decided(run)

    def _guessed(self, run: Run) -> list[Receipt | RefusedError] | None:
        """Post by a guess on what is remembered; None if there is none, or it was wrong."""
        if self.engine.dialect.name != "postgresql":
            return None
        if self._unlucky > 0:
            self._unlucky -= 1
            return None
        with no_collection(len(run.items)):
            made = guess(run, self.memory, steady())
        if made is None:
            return None
        outcome = outcome_of(
            made.results, made.decisions, {made.symbol: made.known.journal.asset.number}
        )
        self.check_not_own({made.known.journal.asset.number})
        try:
            with self._alone() as connection:
                right = write_guess(connection, made)
        except DBAPIError as error:
            right = self._is_committed(outcome, error)
            if not right and not isinstance(error, IntegrityError):
                raise
        if not right:
            self._unlucky = GUESSES_LEFT_OUT
            return None
        lesson(self.memory, {made.symbol: made.known}, made.decisions)()
        return outcome.results

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """Give a connection on which every statement is a transaction."""
        with self._connected() as plain:
            yield plain.execution_options(isolation_level="AUTOCOMMIT")

    def _decided(self, run: Run) -> list[Receipt | RefusedError]:
        """Post under the lock."""
        outcome: Outcome | None = None
        try:
            with self._begun() as connection:
                outcome = post(connection, run, self.memory)
                if not outcome.wrote:
                    connection.rollback()
        except DBAPIError as error:
            if outcome is None or not self._is_committed(outcome, error):
                raise
        else:
            outcome.learn()
        return outcome.results

    def _is_committed(self, outcome: Outcome, error: DBAPIError) -> bool:
        """Tell whether a transaction that ended without an answer was committed.

        Locking the head waits for the old backend to end, so that the answer is final.
        """
        if not is_lost(error):
            return False
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


def _check_isolation(connection: Connection) -> None:
    """Refuse any isolation but READ COMMITTED on PostgreSQL: a snapshot would be too old.

    That is the default of every session of ours: asking the driver costs no round trip.
    """
    driver: Any = connection.connection.driver_connection
    level = getattr(driver, "isolation_level", None)
    if connection.dialect.name == "postgresql" and level not in _READ_COMMITTED:
        name = level.name.replace("_", " ")
        raise DatabaseFileError(f"posting needs READ COMMITTED, this connection has {name}")


def journal_numbers(symbols: Iterable[str], assets: Mapping[str, Asset]) -> set[int]:
    """Return the numbers of the journals of `symbols`, one of which may be the accounts' stream."""
    return {ACCOUNTS_STREAM.number if s == ACCOUNTS else assets[s].number for s in symbols}
