"""The two kinds of database: where a new ledger goes, and a driver's own bare connection to it."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from sqlalchemy import make_url

from benchmarks.loads import SYMBOL
from ledger import Ledger
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.guardian import Guardian

Row = tuple[Any, ...]

PAGE = 1_000
"""Rows that the bare connection reads at once."""


class Bare(ABC):
    """A driver's connection to one ledger's database, without any of the ledger's code."""

    columns: list[str]

    @abstractmethod
    def rows(self, first: int, last: int) -> list[Row]:
        """Return the entries from seq `first` to `last` as whole rows."""

    @abstractmethod
    def bulk(self, rows: Sequence[Row]) -> None:
        """Write whole rows in one commit, the fastest way the driver has."""

    @abstractmethod
    def many(self, rows: Sequence[Row]) -> None:
        """Write whole rows in one commit with executemany."""

    @abstractmethod
    def one(self, row: Row) -> None:
        """Write one whole row in a commit of its own."""

    @abstractmethod
    def sizes(self) -> tuple[int, int, int]:
        """Return the bytes of the table of entries, of its indexes, and of everything."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def one_by_one(self, rows: Sequence[Row]) -> None:
        """Write rows one a commit."""
        for row in rows:
            self.one(row)

    def all_rows(self, last: int) -> Iterator[Row]:
        """Return every row up to seq `last`, page by page."""
        for first in range(1, last + 1, PAGE):
            yield from self.rows(first, min(first + PAGE - 1, last))


class Database(ABC):
    """One kind of database."""

    name: ClassVar[str]
    bulk_name: ClassVar[str]
    """What `Bare.bulk` is called."""
    durable: ClassVar[dict[str, str]]
    """The settings of a posting connection that make a commit reach the disk."""

    @abstractmethod
    def new_url(self) -> str:
        """Return the URL of a new, empty database."""

    @abstractmethod
    def bare(self, url: str) -> Bare:
        """Open the database at `url` with the driver alone."""

    @abstractmethod
    def setting(self, ledger: Ledger, name: str) -> str:
        """Return a setting of the connections through which `ledger` posts."""

    def mirror(self, source: Bare, last: int) -> Bare:
        """Return a bare connection to another ledger's table with the rows of `source` so far."""
        url = self.new_url()
        with Ledger.create(url) as ledger:
            ledger.create_asset(SYMBOL, "Benchmark")
        target = self.bare(url)
        for first in range(1, last + 1, PAGE):
            target.bulk(source.rows(first, min(first + PAGE - 1, last)))
        return target

    def check_durable(self, ledger: Ledger) -> None:
        """Stop unless every commit of `ledger` reaches the disk before it is acknowledged."""
        for name, wanted in self.durable.items():
            found = self.setting(ledger, name)
            if found != wanted:
                raise RuntimeError(f"{self.name}: {name} is {found}, must be {wanted}")


# --- SQLite ----------------------------------------------------------------------------------


_PRAGMAS = (
    "synchronous", "recursive_triggers", "foreign_keys", "cache_size", "wal_autocheckpoint",
    "mmap_size", "temp_store",
)  # fmt: skip
"""What the bare connection takes over from the ledger's, so that none has the better settings."""


class BareSqlite(Bare):
    """The standard library's driver, with the settings that the ledger's own connections have."""

    def __init__(self, url: str) -> None:
        path = str(make_url(url).database)
        self._driver = sqlite3.connect(path, timeout=60, isolation_level=None)
        with Ledger.open(url) as ledger, ledger.connection() as connection:
            for pragma in _PRAGMAS:
                value = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
                self._driver.execute(f"PRAGMA {pragma} = {value}")
        cursor = self._driver.execute("SELECT * FROM token_ledger LIMIT 0")
        self.columns = [column[0] for column in cursor.description]
        marks = ", ".join("?" * len(self.columns))
        self._insert = f"INSERT INTO token_ledger ({', '.join(self.columns)}) VALUES ({marks})"  # noqa: S608 (the schema's names)

    def rows(self, first: int, last: int) -> list[Row]:
        """Return the entries from seq `first` to `last` as whole rows."""
        sql = "SELECT * FROM token_ledger WHERE asset = 1 AND seq BETWEEN ? AND ? ORDER BY seq"
        return self._driver.execute(sql, (first, last)).fetchall()

    def bulk(self, rows: Sequence[Row]) -> None:
        """Write whole rows in one commit."""
        self.many(rows)

    def many(self, rows: Sequence[Row]) -> None:
        """Write whole rows in one commit with executemany."""
        self._driver.execute("BEGIN IMMEDIATE")
        self._driver.executemany(self._insert, rows)
        self._driver.execute("COMMIT")

    def one(self, row: Row) -> None:
        """Write one whole row in a commit of its own."""
        self._driver.execute(self._insert, row)

    def sizes(self) -> tuple[int, int, int]:
        """Return the bytes of the table, of its indexes, and of the file."""
        owners = dict(
            self._driver.execute(
                "SELECT name, type FROM sqlite_schema WHERE tbl_name = 'token_ledger'"
            )
        )
        pages = dict(self._driver.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
        table = sum(size for name, size in pages.items() if owners.get(name) == "table")
        indexes = sum(size for name, size in pages.items() if owners.get(name) == "index")
        return table, indexes, sum(pages.values())

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()


class Sqlite(Database):
    """SQLite files in one folder, WAL, synchronous FULL."""

    name = "SQLite"
    bulk_name = "executemany"
    durable: ClassVar[dict[str, str]] = {"journal_mode": "wal", "synchronous": "2"}

    def __init__(self, guardian: Guardian) -> None:
        self._folder: Path = guardian.folder("benchmarks")
        self._numbers = count(1)

    def new_url(self) -> str:
        """Return the URL of a file that is not there yet."""
        return f"sqlite:///{self._folder / f'{next(self._numbers)}.db'}"

    def bare(self, url: str) -> Bare:
        """Open the file at `url` with the driver alone."""
        return BareSqlite(url)

    def setting(self, ledger: Ledger, name: str) -> str:
        """Return a pragma of the connections through which `ledger` posts."""
        with ledger.connection() as connection:
            return str(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


# --- PostgreSQL ------------------------------------------------------------------------------


def connect(url: str) -> psycopg.Connection[Row]:
    """Return psycopg's own connection to the database at `url`; each statement commits."""
    parsed = make_url(url)
    return psycopg.connect(
        host=str(parsed.query["host"]),
        user=parsed.username,
        dbname=parsed.database,
        autocommit=True,
    )


class BarePostgresql(Bare):
    """Psycopg, one round trip a statement."""

    def __init__(self, url: str) -> None:
        self._driver = connect(url)
        cursor = self._driver.execute("SELECT * FROM token_ledger LIMIT 0")
        self.columns = [column.name for column in cursor.description or ()]
        names, marks = ", ".join(self.columns), ", ".join(["%s"] * len(self.columns))
        self._copy = f"COPY token_ledger ({names}) FROM STDIN"
        self._insert = f"INSERT INTO token_ledger ({names}) VALUES ({marks})"  # noqa: S608 (the schema's names)

    def rows(self, first: int, last: int) -> list[Row]:
        """Return the entries from seq `first` to `last` as whole rows, amounts as ints."""
        sql = "SELECT * FROM token_ledger WHERE asset = 1 AND seq BETWEEN %s AND %s ORDER BY seq"
        found = self._driver.execute(sql, (first, last)).fetchall()
        return [tuple(int(it) if isinstance(it, Decimal) else it for it in row) for row in found]

    def bulk(self, rows: Sequence[Row]) -> None:
        """COPY whole rows, which is a transaction of its own."""
        with self._driver.cursor() as cursor, cursor.copy(self._copy) as copy:
            for row in rows:
                copy.write_row(row)

    def many(self, rows: Sequence[Row]) -> None:
        """Write whole rows in one commit with executemany."""
        with self._driver.transaction(), self._driver.cursor() as cursor:
            cursor.executemany(self._insert, rows)

    def one(self, row: Row) -> None:
        """Write one whole row: a prepared statement, one round trip, its own commit."""
        self._driver.execute(self._insert, row, prepare=True)

    def sizes(self) -> tuple[int, int, int]:
        """Return the bytes of the table, of its indexes, and of every table of the ledger."""
        sql = (
            "SELECT pg_table_size('token_ledger'), pg_indexes_size('token_ledger'), "
            "sum(pg_total_relation_size(oid)) FROM pg_class "
            r"WHERE relkind = 'r' AND relname LIKE 'token\_%'"
        )
        table, indexes, everything = self._driver.execute(sql).fetchall()[0]
        return int(table), int(indexes), int(everything)

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()


class Postgresql(Database):
    """Databases of one durable server."""

    name = "PostgreSQL"
    bulk_name = "COPY"
    durable: ClassVar[dict[str, str]] = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
    }

    def __init__(self, guardian: Guardian) -> None:
        self.server = PostgresServer(guardian, durable=True)

    def new_url(self) -> str:
        """Return the URL of a new database."""
        return self.server.url(self.server.create_database())

    def bare(self, url: str) -> Bare:
        """Open the database at `url` with the driver alone."""
        return BarePostgresql(url)

    def setting(self, ledger: Ledger, name: str) -> str:
        """Return a setting of the sessions through which `ledger` posts."""
        with ledger.connection() as connection:
            return str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())

    def version(self) -> str:
        """Return the server's version."""
        with connect(self.new_url()) as driver:
            return str(driver.execute("SHOW server_version").fetchall()[0][0])

    def stop(self) -> None:
        """Stop the server."""
        self.server.stop()
