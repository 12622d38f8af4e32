"""What begins and ends transactions: reading, writing, and posting."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import IsolationLevel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger import waits
from ledger.constraints import RACES
from ledger.engine import (
    is_conflict,
    is_lost,
    translated_errors,
    violated_constraint,
)
from ledger.errors import (
    BusyError,
    DatabaseFileError,
    RefusedError,
)
from ledger.event_store import read_event
from ledger.guesses import guess
from ledger.locked import ACCOUNTS, ACCOUNTS_STREAM
from ledger.memory import Memory
from ledger.nested import Nested, Posting
from ledger.pauses import no_collection
from ledger.posting import Outcome, lesson, outcome_of, post, steady
from ledger.single_trip import write_guess
from ledger.store import lock_heads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine

    from ledger.results import Asset, Receipt
    from ledger.runs import Run

GUESSES_LEFT_OUT = 8
"""Runs that are decided under the lock at once after a wrong guess."""

_READ_COMMITTED = (None, IsolationLevel.READ_COMMITTED)


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
    _shared: threading.local = field(default_factory=threading.local)
    """The connection of the `moment` that a thread is in."""

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
        shared = self._moment()
        if shared is not None:
            with translated_errors("read"):
                yield shared
            return
        with translated_errors("read"), self._connected() as connection, connection.begin():
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """Give a connection for one statement that changes nothing: one round trip, not three."""
        if self._file is not None or self._moment() is not None:
            with self.reading() as connection:
                yield connection
            return
        with translated_errors("read"), self._alone() as connection:
            yield connection

    def _moment(self) -> Connection | None:
        """Return the connection of the `moment` that this thread is in, if it is in one."""
        connection, process = getattr(self._shared, "it", (None, 0))
        return connection if process == os.getpid() else None

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Let whatever this thread reads until the end see one moment, through one connection."""
        if self._moment() is not None:
            yield
            return
        with self.snapshot() as connection:
            self._shared.it = (connection, os.getpid())
            try:
                yield
            finally:
                del self._shared.it

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection whose every statement sees the same moment, and changes nothing."""
        shared = self._moment()
        if shared is not None:
            with translated_errors("read"):
                yield shared
            return
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
