"""What differs between SQLite and PostgreSQL in the few statements of the hot path.

Statements are written once, with `?` for values; each dialect says how a list of values is
passed, how many rows go in at once, and how an amount travels.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar, cast

from psycopg.rows import tuple_row

from ledger.arrays import array_literal
from ledger.engine import driven

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

Row = tuple[Any, ...]


class Dialect(ABC):
    """One kind of database, as the hot path sees it."""

    name: ClassVar[str]
    position: ClassVar[str]
    """The function that says where a text is in another: 0 if it is not."""

    @abstractmethod
    def rows(self, connection: Connection, sql: str, *values: object) -> list[Row]:
        """Return the rows of a query."""

    @abstractmethod
    def run(self, connection: Connection, sql: str, *values: object) -> int:
        """Run a statement that gives no rows; return how many it changed."""

    def marked(self, sql: str) -> str:
        """Return `sql` with the marks that the driver takes."""
        return sql

    @abstractmethod
    def add_volume(
        self, connection: Connection, number: int, hour: int, entries: int, amount: int
    ) -> None:
        """Add transfers and their sum to an hour's volume; the sum may pass 2**256."""

    @abstractmethod
    def any_of(self, column: str) -> str:
        """Return the condition that `column` is one of a list passed as one value."""

    @abstractmethod
    def values(self, values: Iterable[str] | Iterable[int]) -> object:
        """Return the one value that `any_of` takes."""

    @abstractmethod
    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]
    ) -> None:
        """Insert many rows."""

    @abstractmethod
    def upsert(
        self,
        connection: Connection,
        table: str,
        columns: Sequence[str],
        key: Sequence[str],
        rows: Sequence[Row],
    ) -> None:
        """Insert rows or, where `key` exists, replace all other columns but created_at."""

    @abstractmethod
    def amount_of(self, column: str) -> str:
        """Return an amount column as it is read fastest, for `to_amount`."""

    @abstractmethod
    def to_amount(self, stored: Any) -> int:  # noqa: ANN401 (what the driver gives)
        """Return the amount that a column holds."""

    @abstractmethod
    def from_amount(self, amount: int) -> object:
        """Return what an amount column takes."""

    @abstractmethod
    def now(self, connection: Connection) -> int:
        """Return the database's clock in microseconds, as of this statement."""


def _upsert_sql(table: str, columns: Sequence[str], key: Sequence[str], source: str) -> str:
    """Return INSERT ... ON CONFLICT DO UPDATE, from `source`."""
    updates = ", ".join(
        f"{column} = excluded.{column}"
        for column in columns
        if column not in key and column != "created_at"
    )
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) {source} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
    )


class Sqlite(Dialect):
    """SQLite through the standard library's driver."""

    name = "sqlite"
    position = "instr"

    def rows(self, connection: Connection, sql: str, *values: object) -> list[Row]:
        with driven(connection, sql) as driver, closing(driver.cursor()) as cursor:
            cursor.row_factory = None
            return cast("list[Row]", cursor.execute(sql, values).fetchall())

    def run(self, connection: Connection, sql: str, *values: object) -> int:
        with driven(connection, sql) as driver, closing(driver.cursor()) as cursor:
            return int(cursor.execute(sql, values).rowcount)

    def _many(self, connection: Connection, sql: str, rows: Iterable[Row]) -> None:
        """Run a statement once for each of `rows`."""
        with driven(connection, sql) as driver, closing(driver.cursor()) as cursor:
            cursor.executemany(sql, rows)

    def any_of(self, column: str) -> str:
        return f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608 (our own names)

    def values(self, values: Iterable[str] | Iterable[int]) -> object:
        return json.dumps(list(values))

    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]
    ) -> None:
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 (our own names)
        self._many(connection, sql, rows)

    def upsert(
        self,
        connection: Connection,
        table: str,
        columns: Sequence[str],
        key: Sequence[str],
        rows: Sequence[Row],
    ) -> None:
        source = f"VALUES ({', '.join('?' * len(columns))})"
        self._many(connection, _upsert_sql(table, columns, key, source), rows)

    def add_volume(
        self, connection: Connection, number: int, hour: int, entries: int, amount: int
    ) -> None:
        """Read, add in Python, write: SQLite has no integers of that size."""
        place = "asset = ? AND hour = ?"
        sql = f"SELECT entries, amount FROM token_volume WHERE {place}"  # noqa: S608 (our own names)
        for known, total in self.rows(connection, sql, number, hour):
            entries, amount = entries + known, amount + int(total)
        sql = (
            "INSERT OR REPLACE INTO token_volume (asset, hour, entries, amount) VALUES (?, ?, ?, ?)"
        )
        self.run(connection, sql, number, hour, entries, str(amount))

    def amount_of(self, column: str) -> str:
        return column

    def to_amount(self, stored: bytes) -> int:
        return int.from_bytes(stored, "big")

    def from_amount(self, amount: int) -> object:
        return amount.to_bytes(32, "big")

    def now(self, connection: Connection) -> int:  # noqa: ARG002 (SQLite's clock is the host's)
        return time.time_ns() // 1_000


class Postgresql(Dialect):
    """PostgreSQL through psycopg 3."""

    name = "postgresql"
    position = "strpos"
    _upsert_types: ClassVar[dict[str, str]] = {
        "asset": "int[]",
        "account_id": "text[]",
        "balance": "numeric[]",
        "total_earned": "numeric[]",
        "total_spent": "numeric[]",
        "total_staked": "numeric[]",
        "created_at": "bigint[]",
        "updated_at": "bigint[]",
    }

    def rows(self, connection: Connection, sql: str, *values: object) -> list[Row]:
        with driven(connection, sql) as driver, driver.cursor(row_factory=tuple_row) as found:
            return cast("list[Row]", found.execute(self.marked(sql), values).fetchall())

    def run(self, connection: Connection, sql: str, *values: object) -> int:
        with driven(connection, sql) as driver, driver.cursor() as cursor:
            return int(cursor.execute(self.marked(sql), values).rowcount)

    def marked(self, sql: str) -> str:
        return sql.replace("?", "%s")

    def add_volume(
        self, connection: Connection, number: int, hour: int, entries: int, amount: int
    ) -> None:
        """One statement: NUMERIC without a precision adds exactly."""
        sql = (
            "INSERT INTO token_volume AS v (asset, hour, entries, amount) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (asset, hour) DO UPDATE SET entries = v.entries + excluded.entries, "
            "amount = (v.amount::numeric + excluded.amount::numeric)::text"
        )
        self.run(connection, sql, number, hour, entries, str(amount))

    def any_of(self, column: str) -> str:
        return f"{column} = ANY(?)"

    def values(self, values: Iterable[str] | Iterable[int]) -> object:
        return array_literal(values)

    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]
    ) -> None:
        """COPY, which is twice as fast as any INSERT for whole rows."""
        sql = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with (
            driven(connection, sql) as driver,
            driver.cursor() as cursor,
            cursor.copy(sql) as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def upsert(
        self,
        connection: Connection,
        table: str,
        columns: Sequence[str],
        key: Sequence[str],
        rows: Sequence[Row],
    ) -> None:
        """Update, which takes half the time, and insert only if that did not find all of them."""
        arrays = ", ".join(f"?::{self._upsert_types[column]}" for column in columns)
        values = [array_literal(column) for column in zip(*rows, strict=True)]
        sets = ", ".join(
            f"{it} = new.{it}" for it in columns if it not in key and it != "created_at"
        )
        same = " AND ".join(f"old.{column} = new.{column}" for column in key)
        sql = (
            f"UPDATE {table} old SET {sets} "  # noqa: S608 (our own names)
            f"FROM unnest({arrays}) AS new ({', '.join(columns)}) WHERE {same}"
        )
        if self.run(connection, sql, *values) < len(rows):
            sql = _upsert_sql(table, columns, key, f"SELECT * FROM unnest({arrays})")  # noqa: S608 (our own types)
            self.run(connection, sql, *values)

    def amount_of(self, column: str) -> str:
        return f"{column}::text"

    def to_amount(self, stored: Any) -> int:  # noqa: ANN401 (text or int, or Decimal by a caller's driver)
        return int(stored)

    def from_amount(self, amount: int) -> object:
        return amount

    def now(self, connection: Connection) -> int:
        """Ask the clock itself, because the time that SQL calls now is when we began to wait."""
        sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text"
        return int(self.rows(connection, sql)[0][0])


_DIALECTS: dict[str, Dialect] = {"sqlite": Sqlite(), "postgresql": Postgresql()}


def dialect_of(connection: Connection) -> Dialect:
    """Return the dialect of `connection`."""
    return _DIALECTS[connection.dialect.name]
