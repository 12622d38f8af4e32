"""Arrays as PostgreSQL reads them, asked of PostgreSQL itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import Movement, OpenAccount
from ledger.amounts import MAX_AMOUNT
from ledger.arrays import array_literal
from tests.ledger.support import accepted, economy, libpq

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.arrays import Value
    from tests.support.postgres import PostgresServer

AWKWARD = "\"\\,{} \n\t\rNULnul'%é"

elements: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.one_of(st.sampled_from(AWKWARD), st.characters(codec="utf-8"))).filter(
        lambda text: "\0" not in text
    ),
    "bytea": st.binary(max_size=33),
    "bigint": st.integers(0, 2**63 - 1),
    "numeric": st.integers(0, MAX_AMOUNT),
}
arrays = st.sampled_from(sorted(elements)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.lists(st.one_of(st.none(), elements[kind])))
)


@pytest.fixture(scope="module")
def driver(postgres_server: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    """The driver alone, on a database of its own."""
    name = postgres_server.create_database()
    with psycopg.connect(libpq(postgres_server.url(name)), autocommit=True) as connection:
        yield connection
    postgres_server.drop_database(name)


@given(arrays)
@example(("text", ["NULL", None, "", " ", "\\", '"', '\\"', "{}", "a,b"]))
@example(("bytea", [b"", None, b"\\x", bytes(range(256))]))
def test_postgresql_reads_what_was_written(
    driver: psycopg.Connection[Any], array: tuple[str, list[Value]]
) -> None:
    kind, values = array
    sql = f"SELECT %s::{kind}[]"
    assert driver.execute(sql, (array_literal(values),)).fetchone() == (values,)


def test_a_run_may_meet_balances_that_are_not_there_yet(database_url: str) -> None:
    with economy(database_url, "alice") as ledger:
        ledger.post_many([OpenAccount(name, 0) for name in (AWKWARD[0], "a\\b", "bob")])
        payments = [Movement("alice", name, 3) for name in (AWKWARD[0], "a\\b", "bob", "bob")]
        for _ in range(2):
            for result in ledger.post_many(payments):
                accepted(result)
        assert [ledger.get_balance(name) for name in ("a\\b", "bob", "alice")] == [6, 12, 976]
        assert ledger.audit().ok
