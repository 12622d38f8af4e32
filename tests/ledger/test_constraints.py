"""The schema is law by itself, the rules are law by themselves: each is shown without the other."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ledger import ISSUER, MAX_AMOUNT, CorruptError, Kind, Ledger, Movement, RefusedError, Rule
from ledger.tables import metadata
from tests.ledger.support import Raw, dump, economy, place, raw, rewrite_schema, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED = (
    sqlite3.IntegrityError,
    psycopg.errors.CheckViolation,
    psycopg.errors.NumericValueOutOfRange,
)
FORBIDDEN = (sqlite3.IntegrityError, psycopg.errors.RestrictViolation)
APPEND_ONLY = ("token_ledger", "token_seals", "token_batches", "token_events")
AMOUNTS = [
    (table.name, column.name)
    for table in metadata.tables.values()
    for column in table.columns
    if type(column.type).__name__ == "Uint256"
]
OF_ANY_SIZE = {("token_batches", "frontier"), ("token_accounts", "link_signature")}
SIZES = [
    (table.name, column.name)
    for table in metadata.tables.values()
    for column in table.columns
    if column.type.python_type is bytes
    and (table.name, column.name) not in {*OF_ANY_SIZE, *AMOUNTS}
    and table.name not in {"token_submissions", "token_api_keys"}  # written by the bridge
]


def set_column(database: Raw, table: str, column: str, value: object) -> None:
    """Write one value past the triggers, but not past the checks."""
    if database.postgresql:
        database.run("SET session_replication_role = replica")
    else:
        database.run(f"DROP TRIGGER IF EXISTS {table}_no_update")
    database.run(f'UPDATE {table} SET "{column}" = ?', value)  # noqa: S608 (our own names)


@pytest.fixture
def url(database_url: str) -> str:
    """Return a database with a row in every table that the ledger writes."""
    with economy(database_url, "alice", "bob") as ledger:
        ledger.transfer("alice", "bob", 1, idempotency_key="k")
        ledger.void_hold(ledger.hold("alice", 1).id)
        ledger.seal()
    return database_url


# --- the database alone ---


@pytest.mark.parametrize(("table", "column"), AMOUNTS, ids=map("-".join, AMOUNTS))
def test_the_database_takes_no_number_that_is_no_uint256(url: str, table: str, column: str) -> None:
    before = dump(url)
    with raw(url) as database:
        wrong: list[Any] = [
            b"", b"\x00" * 31, b"\x00" * 33, 1, -1, 1.5, "1", "\x00" * 32, None,
        ] if not database.postgresql else [
            -1, MAX_AMOUNT + 1, float("nan"), float("inf"), 10**78,
        ]  # fmt: skip
        for value in wrong:
            if value is None and metadata.tables[table].columns[column].nullable:
                continue
            with pytest.raises(REFUSED):
                set_column(database, table, column, value)
    assert dump(url) == before


@pytest.mark.parametrize(("table", "column"), SIZES, ids=map("-".join, SIZES))
def test_the_database_takes_no_bytes_of_another_size(url: str, table: str, column: str) -> None:
    before = dump(url)
    with raw(url) as database:
        for value in (b"", b"\x00" * 19, b"\x00" * 21, b"\x00" * 31, b"\x00" * 33):
            with pytest.raises(REFUSED):
                set_column(database, table, column, value)
        if not database.postgresql:
            with pytest.raises(REFUSED):
                set_column(database, table, column, "a" * 32)
    assert dump(url) == before


def test_the_database_takes_no_balance_below_what_is_staked(url: str) -> None:
    before = dump(url)
    with raw(url) as database:
        for balance, staked in ((0, 1), (5, 6), (MAX_AMOUNT - 1, MAX_AMOUNT)):
            with pytest.raises(REFUSED, match="token_balances_not_negative"):
                database.run(
                    "UPDATE token_balances SET balance = ?, total_staked = ?",
                    database.amount(balance),
                    database.amount(staked),
                )
    assert dump(url) == before


ENTRIES = [
    ({"origin": "elsewhere"}, "token_ledger_origin_known"),
    ({"origin": "chain"}, "token_ledger_origin_known"),
    ({"kind": "chain"}, "token_ledger_origin_known"),
    ({"to_account": "alice", "from_account": "alice"}, "token_ledger_two_accounts"),
    ({"amount": 0}, "token_ledger_amount_positive"),
    ({"seq": 0}, "token_ledger_seq_range"),
]


@pytest.mark.parametrize(("changes", "constraint"), ENTRIES, ids=[name for _, name in ENTRIES])
def test_the_database_takes_no_entry_against_the_rules(
    url: str, changes: dict[str, Any], constraint: str
) -> None:
    before = dump(url)
    columns = [column.name for column in metadata.tables["token_ledger"].columns]
    with raw(url) as database:
        [last] = database.run(
            f"SELECT {', '.join(columns)} FROM token_ledger ORDER BY seq DESC LIMIT 1"  # noqa: S608 (our own names)
        )
        row = {**dict(zip(columns, last, strict=True)), "seq": 4, **changes}
        if "amount" in changes:
            row["amount"] = database.amount(changes["amount"])
        with pytest.raises(REFUSED, match=constraint):
            database.run(
                f"INSERT INTO token_ledger ({', '.join(columns)}) "  # noqa: S608 (our own names)
                f"VALUES ({', '.join('?' * len(columns))})",
                *row.values(),
            )
    assert dump(url) == before


HOLDS = [
    ("state = 'gone'", "token_holds_state_known"),
    ("state = 'pending'", "token_holds_pending_holds"),
    ("remaining = amount", "token_holds_pending_holds"),
    ("state = 'pending', remaining = ?", "token_holds_not_more"),
]


@pytest.mark.parametrize(("change", "constraint"), HOLDS, ids=[change for change, _ in HOLDS])
def test_the_database_takes_no_hold_against_the_rules(
    url: str, change: str, constraint: str
) -> None:
    before = dump(url)
    with raw(url) as database:
        amounts = [database.amount(2)] * change.count("?")
        with pytest.raises(REFUSED, match=constraint):
            database.run(f"UPDATE token_holds SET {change}", *amounts)  # noqa: S608 (our own words)
    assert dump(url) == before


def test_a_hold_is_never_deleted(url: str) -> None:
    before = dump(url)
    with raw(url) as database, pytest.raises(FORBIDDEN, match="append-only: no DELETE"):
        database.run("DELETE FROM token_holds")
    assert dump(url) == before


def test_an_address_belongs_to_one_account(url: str) -> None:
    with (
        raw(url) as database,
        pytest.raises((sqlite3.IntegrityError, psycopg.errors.UniqueViolation)),
    ):
        database.run(
            "INSERT INTO token_accounts SELECT 'other', address, blind, registrar, derived, "
            "created_at, updated_at, status, link, link_chain_id, link_signature "
            "FROM token_accounts WHERE account_id = 'alice'"
        )


# --- append-only ---

CHANGES = [
    "UPDATE {table} SET {column} = {column}",
    "UPDATE {table} SET {column} = {column} WHERE {column} = -1 OR 1 = 1",
    "DELETE FROM {table}",
    "DELETE FROM {table} WHERE {column} = 1",
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_what_is_written_is_not_changed(url: str, table: str, change: str) -> None:
    column = {"token_ledger": "seq"}.get(table, "number")
    before = dump(url)
    with raw(url) as database, pytest.raises(FORBIDDEN, match=f"{table} is append-only: no "):
        database.run(change.format(table=table, column=column))
    assert dump(url) == before


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_postgresql_refuses_truncate(postgres_url: str, table: str) -> None:
    economy(postgres_url, "alice").close()
    before = dump(postgres_url)
    with raw(postgres_url) as database:
        for sql in (
            f"TRUNCATE {table}",
            f"TRUNCATE {table} CASCADE",
            f"TRUNCATE token_keys, {table}",
        ):
            with pytest.raises(FORBIDDEN, match="append-only: no TRUNCATE"):
                database.run(sql)
    assert dump(postgres_url) == before


def test_postgresql_refuses_on_conflict_do_update(postgres_url: str) -> None:
    economy(postgres_url, "alice").close()
    before = dump(postgres_url)
    with raw(postgres_url) as database, pytest.raises(FORBIDDEN, match="append-only: no UPDATE"):
        database.run(
            "INSERT INTO token_ledger SELECT * FROM token_ledger "
            "ON CONFLICT (asset, seq) DO UPDATE SET memo = 'x'"
        )
    assert dump(postgres_url) == before


REPLACE = (
    "INSERT OR REPLACE INTO token_ledger SELECT asset, seq, id, timestamp, from_account, "
    "to_account, amount, 'forged', reference_type, reference_id, memo, balance_after_from, "
    "balance_after_to, origin, kind, cause, idempotency_key, group_id, head, blind "
    "FROM token_ledger WHERE seq = 1"
)


def test_the_ledgers_own_connections_refuse_replace(sqlite_url: str) -> None:
    with economy(sqlite_url, "alice") as ledger:
        before = dump(sqlite_url)
        with pytest.raises(CorruptError, match="append-only"), ledger.connection() as connection:
            connection.exec_driver_sql(REPLACE)
        assert dump(sqlite_url) == before


def test_what_another_connection_replaces_is_found_by_audit(sqlite_url: str) -> None:
    """REPLACE passes the triggers of a connection without `recursive_triggers`."""
    with economy(sqlite_url, "alice") as ledger:
        with raw(sqlite_url) as database:
            database.run(REPLACE)
        finding = ledger.audit().finding
        assert finding is not None
        assert (finding.table, finding.row, finding.what) == ("token_ledger", "SCI/1", "id")


# --- the rules alone: the overdraft is refused without any constraint ---


def without_constraints(url: str) -> None:
    """Drop every check of balances and entries."""
    with raw(url) as database:
        for table in ("token_balances", "token_ledger"):
            if database.postgresql:
                for (name,) in database.run(
                    "SELECT conname FROM pg_constraint "
                    "WHERE contype = 'c' AND conrelid = ?::regclass",
                    table,
                ):
                    database.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            else:
                rewrite_schema(database, table, _without_checks)


def _without_checks(sql: str) -> str:
    """Return the SQL of a table without its checks, those of the table and those of columns."""
    while found := re.search(r",?\s*CONSTRAINT \w+ CHECK (?=\()", sql):
        end, depth = found.end(), 0
        while True:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
            if depth == 0:
                break
        sql = sql[: found.start()] + sql[end:]
    return sql


ALONE: list[tuple[Callable[[Ledger], object], Rule]] = [
    (lambda it: it.transfer("alice", "bob", 1_000), Rule.INSUFFICIENT_AVAILABLE),
    (lambda it: it.burn("alice", 1_000), Rule.INSUFFICIENT_AVAILABLE),
    (lambda it: it.hold("alice", 1_000), Rule.INSUFFICIENT_AVAILABLE),
    (lambda it: it.transfer("alice", "alice", 1), Rule.SAME_ACCOUNT),
    (lambda it: it.transfer("alice", "bob", 0), Rule.AMOUNT_ZERO),
    (lambda it: it.mint("alice", MAX_AMOUNT), Rule.SUPPLY_OVERFLOW),
]


@pytest.mark.parametrize(("ask", "rule"), ALONE, ids=[rule for _, rule in ALONE])
def test_the_rules_refuse_without_the_database(
    url: str, ask: Callable[[Ledger], object], rule: Rule
) -> None:
    without_constraints(url)
    with raw(url) as database:  # now it takes what it refused above
        database.run(
            "UPDATE token_balances SET total_staked = ? WHERE account_id = 'bob'",
            database.amount(MAX_AMOUNT),
        )
        database.run(
            "UPDATE token_balances SET total_staked = ? WHERE account_id = 'bob'",
            database.amount(0),
        )
    before = dump(url)
    with Ledger.open(url) as ledger, pytest.raises(RefusedError) as refusal:
        ask(ledger)
    assert refusal.value.rule == rule
    assert dump(url) == before


def test_what_is_staked_cannot_be_spent(url: str) -> None:
    without_constraints(url)
    with raw(url) as database:
        database.run(
            "UPDATE token_balances SET total_staked = ? WHERE account_id = 'alice'",
            database.amount(900),
        )
    with Ledger.open(url) as ledger:
        with unchanged(url), pytest.raises(RefusedError) as refusal:
            ledger.transfer("alice", "bob", 100)
        assert refusal.value.rule == Rule.INSUFFICIENT_AVAILABLE
        assert ledger.transfer("alice", "bob", 99).balance_after_from == 900


# --- a violated constraint that is reached through the API becomes a refusal by name ---

STRICTER = {
    "token_balances_not_negative": (
        "token_balances", "balance >= total_staked", "account_id <> 'bob'",
        Rule.INSUFFICIENT_AVAILABLE,
    ),
    "token_ledger_two_accounts": (
        "token_ledger", "origin = 'chain' OR from_account <> to_account", "to_account <> 'bob'",
        Rule.SAME_ACCOUNT,
    ),
}  # fmt: skip
"""Each constraint made stricter than its rule: as if the check in Python were missing."""


def tighten(url: str, name: str) -> Rule:
    table, was, extra, rule = STRICTER[name]
    with raw(url) as database:
        if database.postgresql:
            database.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            database.run(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({extra}) NOT VALID")
        else:
            rewrite_schema(
                database,
                table,
                lambda sql: sql.replace(f"{name} CHECK ({was})", f"{name} CHECK ({extra})"),
            )
    return rule


@pytest.mark.parametrize("name", STRICTER)
def test_a_violated_constraint_is_a_refusal_by_name(url: str, name: str) -> None:
    rule = tighten(url, name)
    before = dump(url)
    with Ledger.open(url) as ledger, pytest.raises(RefusedError, match=name) as refusal:
        ledger.transfer("alice", "bob", 1)
    assert refusal.value.rule == rule
    assert dump(url) == before


@pytest.mark.parametrize("name", STRICTER)
def test_of_a_run_the_database_refuses_only_the_row_it_is_against(url: str, name: str) -> None:
    """The run is rolled back and posted again item by item, each with its own answer."""
    rule = tighten(url, name)
    with Ledger.open(url) as ledger:
        ledger.create_account("carol", 5)
        results = ledger.post_many(
            [
                Movement("alice", "carol", 1, idempotency_key="1"),
                Movement("alice", "bob", 1, idempotency_key="2"),
                Movement("carol", ISSUER, 6, idempotency_key="3"),
            ]
        )
        assert [isinstance(result, RefusedError) for result in results] == [False, True, False]
        [refusal] = [result for result in results if isinstance(result, RefusedError)]
        assert refusal.rule == rule
        assert ledger.get_balance("carol") == 0
        assert ledger.audit().ok


def test_chain_entries_pass_the_constraints(url: str) -> None:
    with Ledger.open(url) as ledger:
        results = ledger.post_many(
            [
                Movement("alice", "alice", 1, kind=Kind.CHAIN, cause=place()),
                Movement("alice", "bob", 0, kind=Kind.CHAIN, cause=place()),
            ]
        )
        assert not any(isinstance(result, RefusedError) for result in results)
