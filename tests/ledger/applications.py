"""An application with rows of its own in the ledger's database, as tests of `Ledger.on` need it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url, text

from tests.ledger.support import economy, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from ledger import Ledger


def three_assets(url: str) -> Ledger:
    """Make a ledger with the assets SCI, GEM and ORE, of each of which alice has 1,000."""
    ledger = economy(url, "alice", "bob")
    for symbol in ("GEM", "ORE"):
        ledger.create_asset(symbol, symbol, 0)
        ledger.mint("alice", 1_000, asset=symbol)
    return ledger


@contextmanager
def application(url: str, *, begins: bool = False, **options: Any) -> Iterator[Engine]:  # noqa: ANN401 (whatever create_engine takes)
    """Give an engine as an application makes it, and a table `orders`.

    With `begins`, SQLite transactions begin with BEGIN, as SQLAlchemy's documentation advises;
    by default they begin with the first write, as the driver does it.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, **options)
    if begins and engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _: object) -> None:  # noqa: ANN401 (the driver's)
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    with raw(url) as database:
        database.run("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, note TEXT)")
    yield engine
    engine.dispose()


def order(connection: Connection, number: int) -> None:
    """Write a row of the application."""
    connection.execute(text("INSERT INTO orders (id, note) VALUES (:id, 'new')"), {"id": number})


def orders(url: str) -> list[int]:
    """Return the rows of the application, as any other program sees them."""
    with raw(url) as database:
        return [number for (number,) in database.run("SELECT id FROM orders ORDER BY id")]
