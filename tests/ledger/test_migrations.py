"""The migrations make what `ledger.tables` says, out of nothing and out of every older ledger."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import pytest
from sqlalchemy import create_engine

from ledger.tables import metadata
from tests.ledger.support import Raw, create, raw, rewrite_schema

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import PostgresServer

Parts: TypeAlias = set[tuple[object, ...]]
"""Every column, constraint and index of a schema, each told whole."""

POSTGRESQL = (
    """
    SELECT table_name, column_name, data_type, numeric_precision, numeric_scale, is_nullable,
           column_default, collation_name, ordinal_position
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'token_schema'
    """,
    """
    SELECT conrelid::regclass::text, conname, contype::text, convalidated,
           pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'token_schema'
    """,
    """
    SELECT tablename, indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> 'token_schema'
    """,
)
_TABLE_CONSTRAINT = re.compile(r"(CONSTRAINT|PRIMARY KEY|UNIQUE|CHECK|FOREIGN KEY)\b")


# --- a schema, in parts that do not depend on how they came to be there ---


def parts(database: Raw) -> Parts:
    """Return every column, constraint and index of the ledger's tables."""
    if database.postgresql:
        found = [set(database.run(query)) for query in POSTGRESQL]
        assert all(len(rows) > 10 for rows in found)
        return set().union(*found)
    rows = database.run(
        "SELECT type, name, tbl_name, COALESCE(sql, '') FROM sqlite_schema "
        "WHERE type <> 'trigger' AND tbl_name <> 'token_schema'"
    )
    found = [
        _sqlite_table(database, name, sql) if kind == "table" else {(kind, name, table, _flat(sql))}
        for kind, name, table, sql in rows
    ]
    return set().union(*found)


def _sqlite_table(database: Raw, table: str, sql: str) -> Parts:
    """Return the parts of a SQLite table.

    Its SQL has a column that was added later after the constraints, and that column's constraint
    within it: the database says in which order the columns are.
    """
    body, _, rest = _flat(sql).partition("(")[2].rpartition(")")
    found: Parts = {("rest", table, rest)}
    definitions: dict[str, str] = {}
    for item in _items(body):
        if _TABLE_CONSTRAINT.match(item):
            found.add(("constraint", table, item))
            continue
        definition, inline, constraint = item.partition(" CONSTRAINT ")
        definitions[definition.partition(" ")[0]] = definition
        if inline:
            found.add(("constraint", table, f"CONSTRAINT {constraint}"))
    columns = database.run(f"SELECT * FROM pragma_table_xinfo('{table}')")  # noqa: S608 (our own names)
    assert {str(column[1]) for column in columns} == set(definitions)
    return found | {("column", table, *column, definitions[column[1]]) for column in columns}


def _items(body: str) -> list[str]:
    """Return what the commas outside of parentheses part."""
    found, depth = [""], 0
    for letter in body:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [item.strip() for item in found]


def _flat(sql: str) -> str:
    """Return SQL with white space and quotes as they do not matter."""
    text = " ".join(sql.split()).replace('"', "")
    return text.replace("( ", "(").replace(" )", ")")


def make_from_metadata(url: str) -> None:
    engine = create_engine(url)
    metadata.create_all(engine)
    engine.dispose()


# --- migrations == metadata ---


def test_postgresql_migrations_make_what_the_tables_say(postgres_server: PostgresServer) -> None:
    migrated, made = (postgres_server.create_database() for _ in range(2))
    create(postgres_server.url(migrated)).close()
    make_from_metadata(postgres_server.url(made))
    with raw(postgres_server.url(migrated)) as here, raw(postgres_server.url(made)) as there:
        assert parts(here) == parts(there)
    for name in (migrated, made):
        postgres_server.drop_database(name)


def test_sqlite_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    migrated, made = (f"sqlite:///{tmp_path / name}" for name in ("migrated.db", "made.db"))
    create(migrated).close()
    make_from_metadata(made)
    with raw(migrated) as here, raw(made) as there:
        assert parts(here) == parts(there)


@pytest.mark.parametrize(
    ("name", "here", "there"),
    [
        ("token_accounts", "status TEXT DEFAULT", "status BLOB DEFAULT"),
        ("token_accounts", "DEFAULT 'open' NOT NULL", "DEFAULT 'open'"),
        ("token_accounts", "DEFAULT 'open' NOT NULL", "DEFAULT 'frozen' NOT NULL"),
        ("token_accounts", "DEFAULT 'open' NOT NULL", "NOT NULL"),
        ("token_accounts", "account_id TEXT", "account_id TEXT COLLATE NOCASE"),
        ("token_accounts", "token_accounts_status_known", "token_accounts_status"),
        ("token_accounts", "'frozen', 'closed'", "'frozen'"),
        ("token_balances", "max_debit IS NULL OR ", ""),
        ("token_holds", "remaining <= amount", "remaining < amount"),
        ("token_holds", "token_holds_not_more", "token_holds_more"),
        ("token_holds", "    CONSTRAINT token_holds_not_more CHECK (remaining <= amount),", ""),
        ("token_holds", "PRIMARY KEY (asset, number)", "PRIMARY KEY (number, asset)"),
        ("token_holds", "account_id TEXT NOT NULL,\n    to_account TEXT,",
         "to_account TEXT,\n    account_id TEXT NOT NULL,"),
        ("token_holds", "memo TEXT,", "memo TEXT, note TEXT,"),
        ("token_ledger_reversed", "UNIQUE INDEX", "INDEX"),
        ("token_ledger_reversed", "'reversal'", "'chain'"),
        ("token_holds_account", "account_id, number", "number, account_id"),
    ],
)  # fmt: skip
def test_no_difference_of_sqlite_schemas_is_missed(
    sqlite_url: str, name: str, here: str, there: str
) -> None:
    create(sqlite_url).close()
    with raw(sqlite_url) as database:
        before = parts(database)
        rewrite_schema(database, name, lambda sql: sql.replace(here, there))
        assert parts(database) != before


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE token_volume ALTER entries TYPE INTEGER",
        "ALTER TABLE token_holds ALTER amount TYPE NUMERIC(77, 0)",
        'ALTER TABLE token_holds ALTER memo TYPE TEXT COLLATE "POSIX"',
        "ALTER TABLE token_accounts ALTER status DROP NOT NULL",
        "ALTER TABLE token_accounts ALTER status DROP DEFAULT",
        "ALTER TABLE token_accounts ALTER status SET DEFAULT 'frozen'",
        "ALTER TABLE token_holds RENAME CONSTRAINT token_holds_not_more TO token_holds_more",
        "ALTER TABLE token_holds DROP CONSTRAINT token_holds_not_more",
        "ALTER TABLE token_holds ADD COLUMN note TEXT",
        "DROP INDEX token_holds_due",
        "ALTER INDEX token_holds_due RENAME TO token_holds_expiry",
    ],
)
def test_no_difference_of_postgresql_schemas_is_missed(postgres_url: str, change: str) -> None:
    create(postgres_url).close()
    with raw(postgres_url) as database:
        before = parts(database)
        database.run(change)
        assert parts(database) != before
