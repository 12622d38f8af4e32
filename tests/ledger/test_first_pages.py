"""A first page looks at a bounded number of rows, however long the journal: no clock is needed.

On PostgreSQL the server tells the plan it used for each statement and how many rows it looked at
(auto_explain); SQLite tells its plan and counts its steps. The account that is asked for has half
of the entries, the older ones, so that any way but its own index is long.
"""

from __future__ import annotations

import json
import tracemalloc
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from ledger import Filters, Hash32, HoldState, Ledger, Reverse, reader, reads, statements
from ledger.times import moment_of
from tests.ledger.bulk import EVERY, HOT, START, account, fill, found, id_of
from tests.ledger.support import create, raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.ledger.support import Raw

ENTRIES = 20_000
ACCOUNTS = 5_000
MOST_ROWS = 2_000
MOST_STEPS = 60_000
TABLES = {"token_ledger", "token_holds", "token_events", "token_accounts"}
QUIET = account(7)
MIDDLE = moment_of(START + ENTRIES // 4 * EVERY)

FILTERS = {
    "all": None,
    "since": Filters(since=MIDDLE),
    "until": Filters(until=MIDDLE),
    "reason": Filters(reason_prefix="earn:1"),
    "no reason": Filters(reason_prefix="never"),
    "reference": Filters(reference_type="job", reference_id="1"),
    "no reference": Filters(reference_type="job", reference_id="never"),
    "counterparty": Filters(counterparty=QUIET),
    "no counterparty": Filters(counterparty="never"),
}


def first(read: Callable[..., Iterable[object]], *values: object) -> list[object]:
    """Return the first rows of a long read, as a caller does who shows a page."""
    return list(islice(read(*values), 50))


def balance_now(ledger: Ledger, own: str) -> int:
    """Return what an account has after the last entry."""
    return ledger.balance_at(own, ledger.head().seq)


def first_pages(ledger: Ledger) -> dict[str, Callable[[], object]]:
    """Return every read that has a first page, by name."""
    all_reads: dict[str, Callable[[], object]] = {}
    for own in (HOT, QUIET):
        for newest in (False, True):
            for name, filters in FILTERS.items():
                all_reads[f"statement of {own}, {name}, {'newest' if newest else 'oldest'}"] = (
                    partial(ledger.statement_page, own, newest_first=newest, filters=filters)
                )
        all_reads |= {
            f"all of a statement of {own}": partial(first, ledger.statement, own, MIDDLE),
            f"balance of {own}": partial(ledger.balance, own),
            f"balance of {own} at the start": partial(ledger.balance_at, own, 0),
            f"balance of {own} now": partial(balance_now, ledger, own),
            f"balance of {own} at an instant": partial(ledger.balance_at, own, MIDDLE),
            f"holds of {own}": partial(first, ledger.holds, own),
        }
    return all_reads | {
        "holds": partial(first, ledger.holds),
        "holds after": partial(first, partial(ledger.holds, after=ENTRIES // 20)),
        "changes": partial(ledger.changes_page, limit=50),
        "accounts": partial(first, ledger.accounts),
        "accounts by prefix": partial(first, ledger.accounts, "account-04"),
        "accounts by no prefix": partial(first, ledger.accounts, "never"),
        "velocity": partial(ledger.velocity, window=timedelta(days=365)),
        "total supply": ledger.get_total_supply,
        "supply": ledger.supply,
        "distribution": ledger.distribution,
        "entries": partial(first, ledger.entries),
    }


def by_id(ledger: Ledger) -> dict[str, Callable[[], object]]:
    """Return the reads of what is there only once the ledger is large."""
    return {
        "entry": lambda: ledger.entry(Hash32(id_of(ENTRIES // 2))),
        "group": lambda: ledger._targets([Reverse(Hash32(id_of(1)), whole_group=True)]),
        "hold": lambda: ledger.find_hold(Hash32(id_of(-5))),
        "no state": lambda: next(ledger.holds(HOT, state=HoldState.VOIDED), None),
    }


class Watch:
    """What the database did for the ledger's statements since it was last asked."""

    def __init__(self, ledger: Ledger, database: Raw) -> None:
        self._database = database
        self._plans: list[str] = []
        self._statements: list[str] = []
        self._steps = 0
        engine = ledger._transactions.engine
        engine.dispose()
        start = self._start_postgresql if database.postgresql else self._start_sqlite
        event.listen(engine, "connect", start)

    def _start_postgresql(self, connection: Any, _: object) -> None:  # noqa: ANN401 (a driver's connection)
        settings = {"min_duration": "0", "analyze": "on", "format": "json", "level": "notice"}
        connection.execute("LOAD 'auto_explain'")
        for name, value in {**settings, "timing": "off"}.items():
            connection.execute(f"SET auto_explain.log_{name} = {value}")
        connection.commit()
        connection.add_notice_handler(lambda it: self._plans.append(it.message_primary or ""))

    def _start_sqlite(self, connection: Any, _: object) -> None:  # noqa: ANN401 (a driver's connection)
        def step() -> int:
            self._steps += 100
            return 0

        connection.set_progress_handler(step, 100)
        connection.set_trace_callback(self._statements.append)

    def forget(self) -> None:
        """Begin anew."""
        self._plans.clear()
        self._statements.clear()
        self._steps = 0

    def check(self, name: str, most_steps: int) -> None:
        """Fail if more was looked at than a first page may."""
        assert self._plans or self._statements, f"{name}: nothing was seen"
        seen = sum(examined(message) for message in self._plans)
        assert seen <= MOST_ROWS, f"{name}: {seen} rows\n" + "\n".join(self._plans)
        assert self._steps <= most_steps, f"{name}: {self._steps} steps\n{self._statements}"
        for sql in self._statements:
            if sql.startswith("SELECT"):
                plan = [str(row[3]) for row in self._database.run(f"EXPLAIN QUERY PLAN {sql}")]
                assert not any(map(is_scan, plan)), f"{name}: {sql}\n{plan}"


def is_scan(step: str) -> bool:
    """Tell whether a step of SQLite's plan reads the whole of a table that grows."""
    words = step.split()
    return words[0] == "SCAN" and words[1] in TABLES | {"h"}


def examined(message: str) -> int:
    """Return how many rows of tables that grow a plan looked at, and how often it began to."""
    _, _, plan = message.partition("plan:\n")
    todo: list[dict[str, Any]] = [json.loads(plan)["Plan"]] if plan else []
    seen = 0
    for node in todo:
        todo += node.get("Plans", [])
        if node.get("Relation Name") in TABLES:
            assert node["Node Type"] != "Seq Scan", message
            rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            seen += int(rows * node["Actual Loops"]) + node.get("Index Searches", 0)
    return seen


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ledger be small, too: what counts is that the bounds are kept."""
    monkeypatch.setattr(statements, "MAX_EXAMINED", 300)
    monkeypatch.setattr(reads, "MAX_EXAMINED", 600)
    monkeypatch.setattr(reads, "PAGE", 100)
    monkeypatch.setattr(reader, "MAX_CHANGES", 100)


@pytest.mark.parametrize("analyzed", [False, True], ids=["no statistics", "statistics"])
def test_no_first_page_walks_the_journal(database_url: str, *, analyzed: bool) -> None:
    """On a connection that prepared its plans when the ledger was empty, and on a new one."""
    with create(database_url, clock=None) as ledger, raw(database_url) as database:
        found(ledger, ACCOUNTS)
        watch = Watch(ledger, database)
        reads_all = first_pages(ledger)
        for _ in range(12):  # psycopg prepares what it sees six times, the server plans five
            for read in reads_all.values():
                read()
        with Ledger.open(database_url) as other:
            fill(other, ENTRIES, ACCOUNTS)
        if analyzed:
            database.run("ANALYZE")
        for turn in ("old", "new"):
            for name, read in {**reads_all, **by_id(ledger)}.items():
                watch.forget()
                read()
                linear = name in {"supply", "distribution"}
                watch.check(f"{turn} connection, {name}", 10 * MOST_STEPS if linear else MOST_STEPS)
            ledger._transactions.engine.dispose()


@pytest.mark.parametrize(
    "read",
    [
        lambda ledger: ledger.statement(HOT),
        lambda ledger: ledger.entries(),
        lambda ledger: ledger.changes(),
        lambda ledger: ledger.holds(),
        lambda ledger: ledger.accounts(),
        lambda ledger: ledger.balances(),
    ],
    ids=["statement", "entries", "changes", "holds", "accounts", "balances"],
)
def test_a_long_read_needs_the_memory_of_a_page(
    database_url: str, read: Callable[[Ledger], Iterable[object]]
) -> None:
    with create(database_url, clock=None) as ledger:
        found(ledger, 2_000)
        fill(ledger, 6_000, 2_000)
        peaks = []
        for most in (300, 300, 100_000):  # the first fills the caches
            tracemalloc.start()
            for _ in islice(read(ledger), most):
                pass
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[2] <= 1.5 * peaks[1] + 500_000, peaks


def test_a_distribution_needs_the_memory_of_a_page(database_url: str) -> None:
    with create(database_url, clock=None) as ledger:
        found(ledger, 8_000)
        ledger.distribution()
        tracemalloc.start()
        assert ledger.distribution().holders == 8_001
        assert ledger.supply().holders == 8_001
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_500_000
