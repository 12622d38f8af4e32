"""Alter anything that an id, a head, a balance or a root depends on: audit names exactly that row.

The alterations are an attacker's who owns the database: no trigger and no check is in the way.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger import Address, FieldError, Group, Hash32, Kind, Ledger, Link, LinkScheme, Movement
from ledger.ids import next_head
from ledger.tables import metadata
from ledger.times import moment_of
from tests.contracts.people import ALICE, BOB
from tests.ledger.support import START, TABLES, Clock, Raw, accepted, attacker, create
from tests.ledger.test_real_addresses import signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ledger import AuditReport
    from tests.support.postgres import PostgresServer

DOC = Path(__file__).parents[2] / "docs" / "audit.md"

KEYS = {
    "token_settings": ("one",),
    "token_assets": ("asset",),
    "token_accounts": ("account_id",),
    "token_balances": ("asset", "account_id"),
    "token_journals": ("asset",),
    "token_ledger": ("asset", "seq"),
    "token_seals": ("number",),
    "token_batches": ("asset", "number"),
    "token_holds": ("asset", "number"),
    "token_events": ("asset", "number"),
    "token_volume": ("asset", "hour"),
}
"""The tables that audit covers, and the columns that name a row."""

NOT_COVERED = {
    "token_settings": {"one", "registrar", "created_at"},
    "token_assets": {"endowment", "operator", "token_version", "created_at"},
    "token_accounts": {"created_at", "updated_at"},
    "token_balances": {"created_at", "updated_at"},
    "token_journals": {"row_version", "closed_seq", "closed_events"},
    "token_ledger": set(),
    "token_seals": set(),
    "token_batches": set(),
    "token_holds": set(),
    "token_events": set(),
    "token_volume": set(),
    "token_keys": {"key", "request", "made", "created_at"},
    "token_submissions": {
        "id", "asset", "chain_id", "contract", "number", "first_seq", "last_seq", "nonce",
        "tx_hash", "raw", "status", "block_number", "created_at", "updated_at", "purpose",
        "sender", "gas", "max_fee", "priority_fee", "replaces", "block_hash", "gas_used",
        "gas_price",
    },
    "token_api_keys": {
        "id", "hash", "name", "scope", "accounts", "max_amount", "created_at", "expires_at",
        "revoked_at",
    },
}  # fmt: skip
"""Columns on which no id, head, balance or root depends, as docs/audit.md lists them."""

COVERED = [
    (table, column.name)
    for table in KEYS
    for column in metadata.tables[table].columns
    if column.name not in NOT_COVERED[table]
]

CAUSE = Hash32(b"\x03" * 32)

LINKED = {
    "erin": signed("erin"),
    "finn": Link(LinkScheme.OPERATOR),
    "gus": Link(LinkScheme.ERC1271, 1, b"\x01\x02"),
    "hal": signed("hal", LinkScheme.EIP191, signer=BOB),
}
ADDRESSES = {
    "erin": Address.parse(ALICE.address),
    "finn": Address(b"\x0f" * 20),
    "gus": Address(b"\x09" * 20),
    "hal": Address.parse(BOB.address),
}


def found(ledger: Ledger, **options: Any) -> tuple[str, str]:  # noqa: ANN401 (of Ledger.audit)
    """Return the table and the row that audit names."""
    finding = ledger.audit(**options).finding
    assert finding is not None, "audit found nothing"
    return finding.table, finding.row


def write_history(url: str) -> None:
    """Make two journals with every kind of row, three seals and a tail that is not sealed."""
    ledger = create(url)
    ledger.create_asset("SCI", "Science", 18)
    ledger.create_asset("B", "Beta", 2, endowment=50)
    for account_id in ("alice", "bob", "0x" + "7f" * 20):
        ledger.create_account(account_id, 1_000, asset="SCI")
    ledger.mint("bob", 77, asset="B")
    ledger.seal()
    ledger.transfer(
        "alice", "bob", 5, asset="SCI",
        reason="r", reference_type="t", reference_id="i", memo="m", idempotency_key="k",
    )  # fmt: skip
    pair = (Movement("alice", "bob", 1, "SCI"), Movement("bob", "alice", 2, "B"))
    ledger.post_many([Group(pair), Movement("bob", "bob", 0, "SCI", kind=Kind.CHAIN, cause=CAUSE)])
    ledger.seal()
    ledger.transfer("bob", "alice", 3, asset="SCI")
    ledger.seal()
    ledger.burn("bob", 1, asset="B")
    write_standing(ledger)
    ledger.close()


def write_standing(ledger: Ledger) -> None:
    """Make what is no plain entry: accounts of every standing, holds in every state, reversals."""
    ledger.create_asset("H", "Held", 0)
    for account_id, link in LINKED.items():
        ledger.create_account(account_id, 0, asset="H", address=ADDRESSES[account_id], link=link)
    for account_id in ("carol", "dave", "ivy"):
        ledger.create_account(account_id, 0, asset="H")
    ledger.freeze_account("carol")
    ledger.close_account("dave")
    ledger.freeze_account("ivy")
    ledger.reopen_account("ivy")
    for account_id in ("alice", "bob", *LINKED):
        ledger.mint(account_id, 10_000, asset="H")
    ledger.set_limits("bob", asset="H", max_debit=9_000)
    ledger.set_limits("bob", asset="H", max_debit=8_000, max_balance=10**9)
    ledger.set_limits("carol", asset="H", max_balance=5)
    kept = ledger.hold("alice", 100, "bob", asset="H", expires_at=at(3_600), idempotency_key="kept",
                       reason="r", reference_type="t", reference_id="i", memo="m")  # fmt: skip
    ledger.post_hold(kept.id, 40, keep_rest=True)
    ledger.post_hold(ledger.hold("alice", 50, asset="H").id, to_account="bob", idempotency_key="p")
    ledger.post_hold(ledger.hold("erin", 30, "bob", asset="H", expires_at=at(9)).id, 10)
    ledger.void_hold(ledger.hold("bob", 7, asset="H").id)
    ledger.hold("bob", 8, "alice", asset="H", expires_at=at(10))
    ledger.hold("gus", 9, asset="H", expires_at=at(7_200))
    paid = ledger.transfer("alice", "bob", 20, asset="H")
    clock = ledger._clock  # time passes, and the next posting lets a hold expire
    assert isinstance(clock, Clock)
    clock.now = START + 60 * 10**6
    ledger.reverse(paid.id, 5)
    one = (Movement("alice", "bob", 1, "H"), Movement("bob", "alice", 2, "H"))
    two = (Movement("alice", "bob", 3, "H"), Movement("bob", "alice", 4, "B"))
    for receipt in map(accepted, ledger.post_many([Group(one), Group(two)])):
        ledger.reverse(receipt.entries[0].id, whole_group=True)
    last = ledger.hold("bob", 3, asset="H")
    ledger.post_hold(last.id, 1, to_account="finn", keep_rest=True)


def at(seconds: int) -> datetime:
    """Return an instant after the history began."""
    return moment_of(START + seconds * 10**6)


@pytest.fixture(scope="session")
def sqlite_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a ledger with the history, to copy."""
    path = tmp_path_factory.mktemp("history") / "ledger.db"
    write_history(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_history(postgres_server: PostgresServer) -> str:
    """Return the name of a database with the history, to copy."""
    name = postgres_server.create_database()
    write_history(postgres_server.url(name))
    return name


@pytest.fixture
def sqlite_url(sqlite_history: Path, tmp_path: Path) -> str:
    """Return a SQLite file with the history, this test's own."""
    shutil.copy(sqlite_history, tmp_path / "ledger.db")
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_history: str) -> Iterator[str]:
    """Return a PostgreSQL database with the history, this test's own."""
    name = postgres_server.create_database(template=postgres_history)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def history(url: str) -> Ledger:
    """Open the copy that a test was given."""
    return Ledger.open(url, clock=Clock(START + 10**9))


# --- one value of one row ---


def row_name(database: Raw, table: str, row: dict[str, Any]) -> str:
    """Return how audit names a row."""
    if table == "token_settings":
        return "1"
    symbols = dict(database.run("SELECT asset, symbol FROM token_assets"))
    if table == "token_assets":
        return str(row["symbol"])
    names = [
        str(symbols.get(row[key], row[key]) if key == "asset" else row[key]) for key in KEYS[table]
    ]
    return "/".join(names)


def altered(value: Any, column: str) -> Any:  # noqa: ANN401 (of any column)
    """Return the value with one bit or one character changed."""
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) + 1)
    return 1 - value if column == "derived" else value + 100


def rows_of(database: Raw, table: str) -> list[dict[str, Any]]:
    columns = [column.name for column in metadata.tables[table].columns]
    listed = ", ".join(f'"{column}"' for column in columns)
    rows = database.run(f"SELECT {listed} FROM {table} ORDER BY {', '.join(KEYS[table])}")  # noqa: S608 (our own names)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def write(database: Raw, table: str, row: dict[str, Any], column: str, value: object) -> None:
    """Change one column of one row, whatever the checks say."""
    if database.postgresql:
        for (name,) in database.run(
            "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = ?::regclass",
            table,
        ):
            database.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    where = " AND ".join(f"{key} = ?" for key in KEYS[table])
    sql = f'UPDATE {table} SET "{column}" = ? WHERE {where}'  # noqa: S608 (our own names)
    database.run(sql, value, *(row[key] for key in KEYS[table]))


def is_amount(table: str, column: str) -> bool:
    return type(metadata.tables[table].columns[column].type).__name__ == "Uint256"


@pytest.mark.parametrize(("table", "column"), COVERED, ids=map("-".join, COVERED))
def test_an_altered_byte_is_named(database_url: str, table: str, column: str) -> None:
    """Of a value one bit; where there is none, a value."""
    with history(database_url) as ledger:
        assert ledger.audit().ok
        with attacker(database_url) as database:
            rows = telling(rows_of(database, table), column)
            names = [row_name(database, table, row) for row in rows]
        for row, name in zip(rows, names, strict=True):
            old = row[column]
            with attacker(database_url) as database:
                new = _fill(database, table, column) if old is None else altered(old, column)
                write(database, table, row, column, new)
                changed = {**row, column: new}
                now = row_name(database, table, changed)
            assert found(ledger) in {(table, name), (table, now)}, (row, new)
            with attacker(database_url) as database:
                write(database, table, changed, column, old)
        assert ledger.audit().ok


def telling(rows: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """Return the last row, the first that has a value and the first that has none."""
    rows = [row for row in rows if is_proved(row, column)]
    some = [row for row in rows if row[column] is not None][:1]
    none = [row for row in rows if row[column] is None][:1]
    return [row for row in rows if row in (*some, *none, rows[-1])]


def is_proved(row: dict[str, Any], column: str) -> bool:
    """Tell whether something proves this value of a column that is covered (docs/audit.md)."""
    if column == "registrar":  # no id depends on the registrar of an account that is an address
        return bool(row["derived"])
    if "link" in row and column in ("address", "link_signature", "link_chain_id"):
        return row["link"] not in ("operator", "erc1271")
    if "details" in row and column == "timestamp":
        return row["hold"] is not None
    return True


def _fill(database: Raw, table: str, column: str) -> object:
    """Return what to put where nothing was."""
    sizes = {"blind": 32, "cause": 32, "group_id": 32, "operator": 20, "link_signature": 65}
    if column in sizes:
        return b"\x01" * sizes[column]
    if is_amount(table, column):
        return database.amount(7)
    return 7 if column in ("hold", "expires_at", "next_expiry") else "x"


NULLABLE = [
    (table, column) for table, column in COVERED if metadata.tables[table].columns[column].nullable
]


@pytest.mark.parametrize(("table", "column"), NULLABLE, ids=map("-".join, NULLABLE))
def test_an_emptied_value_is_named(database_url: str, table: str, column: str) -> None:
    with history(database_url) as ledger:
        with attacker(database_url) as database:
            rows = [row for row in rows_of(database, table) if row[column] is not None]
            names = [row_name(database, table, row) for row in rows]
            assert rows or column == "blind"  # null in this ledger: the pepper gives it
        for row, name in zip(rows, names, strict=True):
            with attacker(database_url) as database:
                write(database, table, row, column, None)
            assert found(ledger) == (table, name)
            with attacker(database_url) as database:
                write(database, table, row, column, row[column])


ROWIDS = {("token_assets", "asset"), ("token_journals", "asset"), ("token_seals", "number")}
"""Columns in which SQLite itself takes nothing but integers."""

LOOSE = [place for place in COVERED if place not in ROWIDS]


@pytest.mark.parametrize(("table", "column"), LOOSE, ids=map("-".join, LOOSE))
def test_a_value_of_another_form_is_a_finding_not_a_crash(
    sqlite_url: str, table: str, column: str
) -> None:
    with history(sqlite_url) as ledger:
        with attacker(sqlite_url) as database:
            row = rows_of(database, table)[-1]
            write(database, table, row, column, b"\xff")
        assert found(ledger)[0] == table


# --- rows that are gone, new or swapped ---

EDGES = {"first": 0, "middle": 1, "last": -1}

DELETED = {
    "token_accounts": 1, "token_balances": 1, "token_journals": 1, "token_ledger": 1,
    "token_seals": 1, "token_holds": 3, "token_events": 3, "token_volume": 3,
}  # fmt: skip
"""The tables, and the asset of whose rows one is deleted."""


def delete(database: Raw, table: str, row: dict[str, Any]) -> None:
    where = " AND ".join(f"{key} = ?" for key in KEYS[table])
    database.run(f"DELETE FROM {table} WHERE {where}", *(row[key] for key in KEYS[table]))  # noqa: S608 (our own names)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("table", DELETED)
def test_a_deleted_row_is_named(database_url: str, table: str, edge: str) -> None:
    with history(database_url) as ledger:
        with attacker(database_url) as database:
            number = DELETED[table]
            rows = [row for row in rows_of(database, table) if row.get("asset", 1) == number]
            row = rows[EDGES[edge] if len(rows) > 1 else 0]
            name = row_name(database, table, row)
            delete(database, table, row)
        assert found(ledger) == (table, name)


@pytest.mark.parametrize(("edge", "where"), [
    ("first", ("token_batches", "SCI/1")),
    ("middle", ("token_batches", "SCI/2")),
    ("last", ("token_seals", "3")),  # what is left does not tell which of its batches is gone
])  # fmt: skip
def test_a_deleted_batch_is_found(database_url: str, edge: str, where: tuple[str, str]) -> None:
    with history(database_url) as ledger:
        with attacker(database_url) as database:
            rows = [row for row in rows_of(database, "token_batches") if row["asset"] == 1]
            delete(database, "token_batches", rows[EDGES[edge]])
        assert found(ledger) == where


def test_deleted_settings_are_named(database_url: str) -> None:
    with history(database_url) as ledger:
        with attacker(database_url) as database:
            delete(database, "token_settings", {"one": 1})
        assert found(ledger) == ("token_settings", "1")


def insert(database: Raw, table: str, row: dict[str, Any]) -> None:
    columns = ", ".join(f'"{column}"' for column in row)
    marks = ", ".join("?" * len(row))
    database.run(f"INSERT INTO {table} ({columns}) VALUES ({marks})", *row.values())  # noqa: S608 (our own names)


INSERTED: dict[str, tuple[dict[str, Any], str]] = {
    "token_assets": ({"asset": 4, "id": b"\x01" * 32, "symbol": "NEW"}, "NEW"),
    "token_accounts": ({"account_id": "zed", "address": b"\x01" * 20}, "zed"),
    "token_balances": ({"account_id": "zed"}, "SCI/zed"),
    "token_journals": ({"asset": 9}, "9"),
    "token_ledger": ({"seq": 8}, "SCI/8"),
    "token_seals": ({"number": 4}, "4"),
    "token_batches": ({"number": 4}, "SCI/4"),
    "token_holds": ({"number": 99}, "H/99"),
    "token_volume": ({"hour": 99}, "H/99"),
}


@pytest.mark.parametrize("table", INSERTED)
def test_an_inserted_row_is_named(database_url: str, table: str) -> None:
    """Append a copy of the last row of an asset, with another key."""
    changes, name = INSERTED[table]
    with history(database_url) as ledger:
        with attacker(database_url) as database:
            number = DELETED.get(table, 1)
            rows = [row for row in rows_of(database, table) if row.get("asset", number) == number]
            insert(database, table, {**rows[-1], **changes})
        assert found(ledger) == (table, name)


@pytest.mark.parametrize(
    "table",
    [
        "token_journals", "token_ledger", "token_balances", "token_batches", "token_holds",
        "token_events", "token_volume",
    ],
)  # fmt: skip
def test_a_row_of_no_asset_is_named(database_url: str, table: str) -> None:
    with history(database_url) as ledger:
        with attacker(database_url) as database:
            row = {**rows_of(database, table)[0], "asset": 7}
            insert(database, table, row)
            name = row_name(database, table, row)
        assert found(ledger) == (table, name)


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 5), (7, 8)])
def test_swapped_rows_are_named(database_url: str, one: int, other: int) -> None:
    with history(database_url) as ledger:
        with attacker(database_url) as database:
            for seq, to in ((one, -1), (other, one), (-1, other)):
                row = {"asset": 1, "seq": seq}
                write(database, "token_ledger", row, "seq", to)
        assert found(ledger) == ("token_ledger", f"SCI/{one}")


# --- what contradicts only something else, each value well-formed ---


FORGED: dict[str, tuple[str, tuple[str, str]]] = {  # amounts as <61>
    "a frozen account is open": (
        "UPDATE token_accounts SET status = 'open' WHERE account_id = 'carol'",
        ("token_accounts", "carol"),
    ),
    "an open account is frozen": (
        "UPDATE token_accounts SET status = 'frozen' WHERE account_id = 'bob'",
        ("token_accounts", "bob"),
    ),
    "a limit is gone": (
        "UPDATE token_balances SET max_debit = NULL WHERE asset = 3 AND account_id = 'bob'",
        ("token_balances", "H/bob"),
    ),
    "a hold has less left": (
        "UPDATE token_holds SET remaining = <1> WHERE number = 4 AND asset = 3",
        ("token_holds", "H/4"),
    ),
    "a voided hold expired": (
        "UPDATE token_holds SET state = 'expired' WHERE state = 'voided'",
        ("token_holds", "H/10"),
    ),
    "a voided hold is pending": (
        "UPDATE token_holds SET state = 'pending', remaining = amount WHERE state = 'voided'",
        ("token_holds", "H/10"),
    ),
    "a pending hold is voided": (
        "UPDATE token_holds SET state = 'voided', remaining = <0> WHERE number = 4",
        ("token_holds", "H/4"),
    ),
    "more is staked": (
        "UPDATE token_balances SET total_staked = <61> WHERE asset = 3 AND account_id = 'alice'",
        ("token_balances", "H/alice"),
    ),
    "nothing is staked": (
        "UPDATE token_balances SET total_staked = <0> WHERE asset = 3 AND account_id = 'gus'",
        ("token_balances", "H/gus"),
    ),
    "no hold expires": (
        "UPDATE token_journals SET next_expiry = NULL WHERE asset = 3",
        ("token_journals", "H"),
    ),
    "holds expire too late": (
        "UPDATE token_journals SET next_expiry = next_expiry + 1 WHERE asset = 3",
        ("token_journals", "H"),
    ),
    "a hold was voided, says its event": (
        "UPDATE token_events SET type = 'hold_voided' WHERE type = 'hold_expired'",
        ("token_events", "H/14"),
    ),
    "another hold was posted": (
        "UPDATE token_events SET hold = 13 WHERE number = 5 AND asset = 3",
        ("token_events", "H/5"),
    ),
    "a limit that never was": (
        (
            'UPDATE token_events SET details = \'{"max_debit":"1","max_balance":null}\' '
            "WHERE asset = 3 AND number = 2"
        ),
        ("token_balances", "H/bob"),
    ),
    "details that are not canonical": (
        "UPDATE token_events SET details = '{ }' WHERE asset = 0 AND number = 2",
        ("token_events", "0/2"),
    ),
    "an event before its time": (
        "UPDATE token_events SET timestamp = 1 WHERE asset = 0 AND number = 2",
        ("token_events", "0/2"),
    ),
    "an event before another's entry": (
        "UPDATE token_events SET after_seq = 0 WHERE asset = 3 AND number = 7",
        ("token_events", "H/7"),
    ),
    "an account created by no event": (
        "UPDATE token_events SET account_id = 'alice' WHERE asset = 0 AND account_id = 'erin'",
        ("token_accounts", "alice"),
    ),
    "an account frozen twice": (
        "UPDATE token_events SET type = 'account_frozen' WHERE type = 'account_closed'",
        ("token_accounts", "dave"),
    ),
    "an account reopened that was open": (
        "UPDATE token_events SET type = 'account_reopened' WHERE type = 'account_closed'",
        ("token_events", "0/13"),
    ),
    "a hold's key is lost": (
        "DELETE FROM token_keys WHERE key = 'kept'",
        ("token_keys", "kept"),
    ),
    "a hold's key made another": (
        (
            "UPDATE token_keys SET made = (SELECT made FROM token_keys WHERE key = 'p') "
            "WHERE key = 'kept'"
        ),
        ("token_keys", "kept"),
    ),
    "the key of a posted hold is lost": (
        "DELETE FROM token_keys WHERE key = 'p'",
        ("token_keys", "p"),
    ),
    "an import that never was": (
        (
            "UPDATE token_events SET type = 'imported', account_id = 'system', details = '{}' "
            "WHERE asset = 3 AND number = 3"
        ),
        ("token_events", "H/1"),
    ),
    "an import from before the first event": (
        (
            "UPDATE token_events SET type = 'imported', account_id = 'system', details = '{}' "
            "WHERE asset = 3 AND number < 3"
        ),
        ("token_events", "H/2"),
    ),
    "an event too many": (
        "INSERT INTO token_events VALUES (3, 17, 18, 0, 'limits_changed', 'bob', NULL, '{}')",
        ("token_events", "H/17"),
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_is_forged_is_named(database_url: str, what: str) -> None:
    sql, name = FORGED[what]
    with history(database_url) as ledger:
        with attacker(database_url) as database:
            amounts = [database.amount(int(found)) for found in re.findall(r"<(\d+)>", sql)]
            database.run(re.sub(r"<\d+>", "?", sql), *amounts)
        assert found(ledger) == name


# --- a tail cut off so well that nothing in the database contradicts it ---


def cut_tail(url: str) -> tuple[int, bytes]:
    """Remove the last entry of SCI and its seal, and rewrite all that depends on it."""
    with attacker(url) as database:
        *_, before, last = [r for r in rows_of(database, "token_ledger") if r["asset"] == 1]
        delete(database, "token_ledger", last)
        for column in ("seq", "head"):
            write(database, "token_journals", {"asset": 1}, column, before[column])
        write(database, "token_journals", {"asset": 1}, "last_time", before["timestamp"])
        for row in rows_of(database, "token_balances"):
            if row["asset"] == 1 and row["account_id"] in ("alice", "bob"):
                _undo(database, row, last)
        [hour] = [row for row in rows_of(database, "token_volume") if row["asset"] == 1]
        write(database, "token_volume", hour, "entries", hour["entries"] - 1)
        write(database, "token_volume", hour, "amount", str(int(hour["amount"]) - 3))
        delete(database, "token_batches", {"asset": 1, "number": 3})
        delete(database, "token_seals", {"number": 3})
        write(database, "token_settings", {"one": 1}, "sealed", 2)
        return last["seq"], bytes(last["head"])


def _undo(database: Raw, row: dict[str, Any], last: dict[str, Any]) -> None:
    """Give the amount of the last entry back to whom it came from."""
    paid = row["account_id"] == last["from_account"]
    number = int if database.postgresql else lambda stored: int.from_bytes(stored, "big")
    amount, balance = number(last["amount"]), number(row["balance"])
    total = "total_spent" if paid else "total_earned"
    new = {"balance": balance + (amount if paid else -amount), total: number(row[total]) - amount}
    for column, value in new.items():
        write(database, "token_balances", row, column, database.amount(value))


def test_a_cut_tail_is_found_by_a_head_kept_elsewhere(database_url: str) -> None:
    with history(database_url) as ledger:
        kept = ledger.audit().heads
        seq, head = cut_tail(database_url)
        assert kept["SCI"] == (seq, head)
        assert ledger.audit().ok  # nothing left contradicts it
        assert found(ledger, expect_heads=kept) == ("token_journals", "SCI")
        assert found(ledger, expect_heads={"SCI": (seq, head)}) == ("token_journals", "SCI")


def test_a_tail_written_anew_is_found_too(database_url: str) -> None:
    with history(database_url) as ledger:
        kept = ledger.audit().heads
        cut_tail(database_url)
        ledger.transfer("bob", "alice", 4, asset="SCI")
        assert ledger.audit().ok
        seq = kept["SCI"][0]
        assert found(ledger, expect_heads=kept) == ("token_ledger", f"SCI/{seq}")


def test_heads_kept_elsewhere_stay_right_as_the_ledger_grows(database_url: str) -> None:
    with history(database_url) as ledger:
        kept = ledger.audit().heads
        first = next(ledger.entries("SCI"))
        start = head_0(ledger)
        ledger.transfer("alice", "bob", 1, asset="SCI")
        assert ledger.audit(expect_heads=kept).ok
        assert ledger.audit(expect_heads={"SCI": (1, first.head)}).ok
        assert ledger.audit(expect_heads={"SCI": (0, start)}).ok
        assert next_head(start, first.id) == first.head
        assert found(ledger, expect_heads={"SCI": (1, bytes(32))}) == ("token_ledger", "SCI/1")
        assert found(ledger, expect_heads={"SCI": (0, bytes(32))}) == ("token_journals", "SCI")


def head_0(ledger: Ledger) -> bytes:
    batches = [batch for sealed in ledger.seals() for batch in sealed.batches]
    return next(b.batch.prev_head for b in batches if b.symbol == "SCI" and b.batch.number == 1)


@pytest.mark.parametrize(
    "expected", [{"SCI": (-1, bytes(32))}, {"SCI": (1, b"")}, {"SCI": (1.0, bytes(32))}], ids=repr
)
def test_what_is_no_head_is_refused(sqlite_url: str, expected: Any) -> None:  # noqa: ANN401 (of any type)
    with history(sqlite_url) as ledger, pytest.raises(FieldError, match="expect_heads"):
        ledger.audit(expect_heads=expected)


# --- what the report says, and what the documentation says ---


def test_the_report_counts_what_was_read(database_url: str) -> None:
    seen: list[int] = []
    with history(database_url) as ledger:
        report = ledger.audit(progress=seen.append)
        assert report.ok
        assert (report.assets, report.accounts, report.entries, report.seals) == (3, 11, 30, 3)
        assert sum(seen) == report.entries
        for symbol, (seq, head) in report.heads.items():
            assert (seq, head) == (ledger.head(symbol).seq, ledger.head(symbol).head)


def test_a_finding_says_what_is_and_what_must_be(sqlite_url: str) -> None:
    with history(sqlite_url) as ledger:
        with attacker(sqlite_url) as database:
            write(database, "token_journals", {"asset": 1}, "seq", 77)
        report: AuditReport = ledger.audit()
        assert not report.ok
        assert str(report.finding) == "token_journals SCI: seq is 77, must be 7"


def test_the_documentation_lists_every_column_once() -> None:
    listed: dict[tuple[str, str], str] = {}
    for line in DOC.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"\| `(token_\w+)` \| (.+) \| (.+) \|", line)
        if match is None:
            continue
        for text, which in ((match[2], "covered"), (match[3], "not covered")):
            for column in re.findall(r"`(\w+)`", text):
                assert (match[1], column) not in listed
                listed[match[1], column] = which
    expected = {
        (table, column.name): "not covered" if column.name in NOT_COVERED[table] else "covered"
        for table in TABLES
        for column in metadata.tables[table].columns
    }
    assert listed == expected
