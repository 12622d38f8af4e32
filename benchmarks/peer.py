"""pgledger, a double-entry ledger of PostgreSQL functions, on the same server in the same run.

It is not part of this repository. `--pgledger` names a copy of its `pgledger.sql`; the function
`uuid_to_ulid` that it needs is in `uuid-to-ulid.sql` of scoville/pgsql-ulid, which its own
repository has below `vendor/`: it must lie in the same folder, or below it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks import threads
from benchmarks.databases import connect
from benchmarks.loads import Load, account, populated, post, shares
from benchmarks.measure import Result, Watch, bar, together

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from psycopg import Connection

    from benchmarks.databases import Postgresql, Row
    from benchmarks.sizes import Sizes
    from ledger import Movement

RUN: Final = 500
"""Payments in a batch call."""

_SINGLE: Final = "SELECT * FROM pgledger_create_transfer(%s, %s, %s)"
_BATCH: Final = (
    "SELECT * FROM pgledger_create_transfers((SELECT array_agg(ROW(f, t, a)::transfer_request) "
    "FROM unnest(%s::text[], %s::text[], %s::numeric[]) AS x (f, t, a)))"
)


class Pgledger:
    """A pgledger with as many endowed accounts as the ledger beside it; none may go below zero."""

    def __init__(self, url: str, source: Path, accounts: int) -> None:
        self._url = url
        self._connections: list[Connection[Row]] = []
        driver = self._connection(0)
        for path in (ulid(source), source):
            driver.execute(path.read_bytes())
        create = "SELECT id FROM pgledger_create_account(%s, 'BEN', allow_negative_balance => %s)"
        issuer = driver.execute(create, ("system", True)).fetchall()[0][0]
        self._ids = {
            account(number): driver.execute(create, (account(number), False)).fetchall()[0][0]
            for number in range(accounts)
        }
        for id_ in self._ids.values():
            driver.execute(_SINGLE, (issuer, id_, 10**21))

    def _connection(self, number: int) -> Connection[Row]:
        """Return a worker's own connection."""
        while len(self._connections) <= number:
            self._connections.append(connect(self._url))
        return self._connections[number]

    def batch(self, items: Sequence[Movement]) -> None:
        """Post `items` in one call and one commit."""
        payers = [self._ids[item.from_account] for item in items]
        payees = [self._ids[item.to_account] for item in items]
        amounts = [item.amount for item in items]
        made = self._connection(0).execute(_BATCH, (payers, payees, amounts), prepare=True)
        assert len(made.fetchall()) == len(items)

    def singly(self, worker: int, items: Sequence[Movement]) -> None:
        """Post `items` one a call, each in its own commit."""
        driver = self._connections[worker]
        for item in items:
            ids = self._ids[item.from_account], self._ids[item.to_account]
            driver.execute(_SINGLE, (*ids, item.amount), prepare=True).fetchall()

    def together(self, items: Sequence[Movement], workers: int) -> float:
        """Return the seconds that as many threads need for `items`, one a call."""
        self._connection(workers - 1)
        return together(
            [
                partial(self.singly, number, share)
                for number, share in enumerate(shares(items, workers))
            ]
        )

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()


def ulid(source: Path) -> Path:
    """Return the file with `uuid_to_ulid`."""
    found = next(source.resolve().parent.rglob("uuid-to-ulid.sql"), None)
    if found is None:
        raise FileNotFoundError(
            f"pgledger needs uuid-to-ulid.sql of scoville/pgsql-ulid beside {source.name} or below"
        )
    return found


def measure(database: Postgresql, sizes: Sizes, source: Path) -> Iterator[Result]:
    """Measure the batch call and singles of both, in turns."""
    accounts = sizes.accounts[0]
    ledger, load = populated(database.new_url(), accounts), Load(accounts)
    peer = Pgledger(database.new_url(), source, accounts)
    what = f"{database.name}: post_many, {RUN} a call, {accounts:,} accounts"
    entries = dict(sizes.batches)[RUN]
    ours, theirs = Watch(), Watch()
    for items in bar(load.runs(entries, RUN), what, total=entries // RUN):
        with ours.running():
            post(ledger, items)
        with theirs.running():
            peer.batch(items)
    beside = "pgledger's batch call"
    yield Result(what, entries / ours.seconds, beside, entries / theirs.seconds, "entries/s")

    for workers in threads.THREADS[database.name]:
        for name, hot in threads.LOADS:
            what = f"{database.name}: singles, {workers} threads, {name}"
            mine = others = 0.0
            threads.posted(ledger, load, workers, workers, hot)  # connects, outside the clock
            peer.together(load.take(workers, hot=hot), workers)
            for _ in bar(range(sizes.rounds), what):
                mine += threads.posted(ledger, load, sizes.round, workers, hot)
                others += peer.together(load.take(sizes.round, hot=hot), workers)
            count = sizes.rounds * sizes.round
            yield Result(what, count / mine, "pgledger", count / others, "entries/s")
    ledger.close()
    peer.close()
