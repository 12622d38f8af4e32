"""How a run is posted, whoever commits; and posting within a transaction that another commits."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from ledger.constraints import RACES, refusal_of
from ledger.engine import translated_errors, violated_constraint
from ledger.errors import BusyError, ConflictError, LedgerError
from ledger.posting import post
from ledger.store import lock_holders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from ledger.errors import RefusedError
    from ledger.results import Receipt
    from ledger.runs import Run

MAX_ATTEMPTS = 16
"""Times that a run which the database ended in favour of another is run again."""


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

    def glance(self) -> AbstractContextManager[Connection]:
        """Give a connection for one statement that changes nothing."""
        return self.reading()

    @abstractmethod
    def moment(self) -> AbstractContextManager[None]:
        """Let whatever this thread reads until the end see one moment."""

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

    def moment(self) -> AbstractContextManager[None]:
        """Do nothing: all of it reads through one connection."""
        return nullcontext()

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
