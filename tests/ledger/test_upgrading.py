"""Ledgers of every earlier schema move forward with what is in them, whatever comes in between."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from ledger import BusyError, DatabaseFileError, Ledger, SchemaUpgrade, upgrade_schema
from ledger.schema import NEWEST_REVISION, migrations_folder
from ledger.upgrading import schema_revision
from tests.ledger.schema_dumps import Hours, dump_file, restore
from tests.ledger.support import Raw, create, economy, raw, unchanged
from tests.ledger.test_migrations import parts

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer


def revisions() -> list[str]:
    """Return every revision, the oldest first."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    scripts = ScriptDirectory.from_config(config)
    return [script.revision for script in scripts.walk_revisions()][::-1]


EARLIER = revisions()[:-1]
HOUR = 3_600_000_000

Rows = dict[str, set[tuple[Any, ...]]]


@pytest.fixture
def old_url(database_url: str) -> str:
    """Return the URL of a ledger of the revision before the newest."""
    restore(EARLIER[-1], database_url)
    return database_url


@pytest.fixture
def first_url(database_url: str) -> str:
    """Return the URL of a ledger of the first revision."""
    restore(EARLIER[0], database_url)
    return database_url


def path_of(url: str) -> Path:
    return Path(str(make_url(url).database))


def columns(database: Raw) -> dict[str, list[str]]:
    """Return the names of the columns of every table, in order."""
    query = (
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' ORDER BY ordinal_position"
        if database.postgresql
        else "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c "
        "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY c.cid"
    )
    found: dict[str, list[str]] = defaultdict(list)
    for table, column in database.run(query):
        found[table].append(column)
    return found


def rows(url: str, of: dict[str, list[str]] | None = None) -> Rows:
    """Return every row of the tables, or of only the columns `of` them."""
    with raw(url) as database:
        return {
            table: set(database.run(f"SELECT {', '.join(names)} FROM {table}"))  # noqa: S608 (our own names)
            for table, names in (of or columns(database)).items()
        }


def triggers(database: Raw) -> set[tuple[Any, ...]]:
    return set(
        database.run(
            "SELECT pg_get_triggerdef(oid), tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"
            if database.postgresql
            else "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        )
    )


def fresh(url: str, postgres_server: PostgresServer) -> str:
    """Return the URL of another empty database of the same kind."""
    path = path_of(url)
    if make_url(url).get_backend_name() == "sqlite":
        return f"sqlite:///{path.with_name('fresh.db')}"
    return postgres_server.url(postgres_server.create_database())


# --- what is stored ---


def test_the_newest_revision_is_the_last_migration() -> None:
    assert revisions()[-1] == NEWEST_REVISION
    assert revisions() == sorted(revisions())  # they are compared as texts


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_every_earlier_revision_has_a_populated_ledger(dialect: str) -> None:
    missing = [it for it in EARLIER if not dump_file(it, dialect).exists()]
    assert missing == [], "see tests/ledger/schema_dumps.py"


@pytest.mark.parametrize("revision", EARLIER)
def test_a_stored_ledger_has_something_in_every_table(revision: str, database_url: str) -> None:
    restore(revision, database_url)
    assert schema_revision(database_url) == revision
    assert {table for table, found in rows(database_url).items() if not found} == set()


# --- an upgrade ---


@pytest.mark.parametrize("revision", EARLIER)
def test_a_ledger_of_every_earlier_revision_is_upgraded(
    revision: str, database_url: str, postgres_server: PostgresServer
) -> None:
    restore(revision, database_url)
    with raw(database_url) as database:
        old = {
            table: names for table, names in columns(database).items() if table != "token_schema"
        }
    before = rows(database_url, old)
    upgraded = upgrade_schema(database_url)
    assert (upgraded.before, upgraded.after) == (revision, NEWEST_REVISION)
    if revision == "0001":
        old["token_journals"][old["token_journals"].index("version")] = "row_version"
    after = rows(database_url, old)
    if revision == "0001":
        after["token_journals"] -= {row for row in after["token_journals"] if row[0] == 0}
    assert after == before
    made = fresh(database_url, postgres_server)
    create(made).close()
    with raw(database_url) as here, raw(made) as there:
        assert parts(here) == parts(there)
        assert triggers(here) == triggers(there)


@pytest.mark.parametrize("revision", EARLIER)
def test_an_upgraded_ledger_goes_on(revision: str, database_url: str) -> None:
    restore(revision, database_url)
    upgrade_schema(database_url)
    clock = Hours()
    clock.now += 1_000 * HOUR
    with Ledger.open(database_url, clock=clock) as ledger:
        assert ledger.audit().ok
        before = ledger.get_balance("bob", asset="SCI")
        again = ledger.transfer(
            "bob", "alice", 10**18, asset="SCI", reference_type="session", reference_id="0",
            idempotency_key="pay-0",
        )  # fmt: skip
        assert again.seq <= 10  # as it was posted by the older code
        assert ledger.get_balance("bob", asset="SCI") == before
        ledger.transfer("alice", "bob", 1, asset="SCI")
        ledger.create_account("new", 5, asset="GOLD")
        assert ledger.seal() is not None
        report = ledger.audit()
        assert report.ok, report


def test_every_account_has_its_event(first_url: str) -> None:
    upgrade_schema(first_url)
    with raw(first_url) as database:
        accounts = database.run("SELECT created_at, account_id FROM token_accounts")
        events = database.run("SELECT * FROM token_events ORDER BY number")
        streams = database.run("SELECT asset, events, next_expiry FROM token_journals")
        [last] = database.run("SELECT seq, last_time FROM token_journals WHERE asset = 0")
    assert len(accounts) > 10
    assert len({created_at for created_at, _ in accounts}) < len(accounts)
    assert events == [
        (0, number, 0, created_at, "account_created", account_id, None, "{}")
        for number, (created_at, account_id) in enumerate(sorted(accounts), start=1)
    ]
    assert set(streams) == {(0, len(accounts), None), (1, 0, None), (2, 0, None)}
    assert last == (0, max(created_at for created_at, _ in accounts))


def test_every_hour_has_its_volume(first_url: str) -> None:
    upgrade_schema(first_url)
    with raw(first_url) as database:
        entries = database.run(
            "SELECT asset, timestamp, amount, from_account, to_account FROM token_ledger"
        )
        volume = database.run("SELECT asset, hour, entries, amount FROM token_volume")
    expected: dict[tuple[int, int], list[int]] = defaultdict(list)
    for asset, timestamp, amount, source, target in entries:
        if "system" not in (source, target):
            number = int.from_bytes(amount, "big") if isinstance(amount, bytes) else int(amount)
            expected[asset, timestamp // HOUR].append(number)
    assert len(expected) > 5
    assert set(volume) == {(*key, len(them), str(sum(them))) for key, them in expected.items()}
    assert max(int(amount) for *_, amount in volume) > 2**256


_PEAK = """
import re, sys
from pathlib import Path
from ledger import Ledger, upgrade_schema
import alembic.command, psycopg
def peak():  # of this process alone: what getrusage says begins with the parent's
    return int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])
before = peak()
upgrade_schema(sys.argv[1])
print(peak() - before)
"""
_LONG_HISTORY = """
    WITH RECURSIVE n(seq) AS (SELECT 100 UNION ALL SELECT seq + 1 FROM n WHERE seq < 100100)
    INSERT INTO token_ledger (asset, seq, id, timestamp, from_account, to_account, amount,
        balance_after_from, balance_after_to, origin, head)
    SELECT 2, seq, {random}, 1700000000000000 + 60000000 * CAST(seq AS BIGINT), 'alice', 'bob',
        amount, balance_after_from, balance_after_to, 'local', head
    FROM n, (SELECT amount, balance_after_from, balance_after_to, head FROM token_ledger
             WHERE asset = 1 AND seq = 3) AS one
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak there")
def test_memory_stays_flat(first_url: str) -> None:
    with raw(first_url) as database:
        random = "sha256(seq::text::bytea)" if database.postgresql else "randomblob(32)"
        database.run(_LONG_HISTORY.format(random=random))
    ran = subprocess.run(
        [sys.executable, "-c", _PEAK, first_url], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) < 20_000  # KiB; a list of the rows would take more
    with raw(first_url) as database:
        [(counted,)] = database.run("SELECT sum(entries) FROM token_volume")
    assert counted > 100_000


# --- what is in the way ---


def test_a_program_of_the_first_schema_cannot_write_any_more(first_url: str) -> None:
    """Each of its postings began with this statement; it looked at the revision only once."""
    head = "SELECT asset, seq, head, version, last_time FROM token_journals WHERE asset = 1"
    with raw(first_url) as database:
        assert len(database.run(head)) == 1
        upgrade_schema(first_url)
        with pytest.raises((sqlite3.OperationalError, psycopg.errors.UndefinedColumn)):
            database.run(head)


def test_a_program_of_the_second_schema_cannot_sign_any_more(database_url: str) -> None:
    """It posts on, which is the same in both; a signed transaction is stored before it is sent."""
    restore("0002", database_url)
    with raw(database_url) as database:
        names = columns(database)["token_submissions"]
        stored = f"SELECT {', '.join(names)} FROM token_submissions"  # noqa: S608 (our own names)
        [signed] = database.run(stored)
        upgrade_schema(database_url)
        assert database.run(stored) == [signed]
        values = ", ".join("?" for _ in names)
        new = (*(7 if name == "id" else value for name, value in zip(names, signed, strict=True)),)
        with pytest.raises(
            (sqlite3.IntegrityError, psycopg.errors.NotNullViolation), match="purpose"
        ):
            database.run(
                f"INSERT INTO token_submissions ({', '.join(names)}) VALUES ({values})",  # noqa: S608 (our own names)
                *new,
            )


def test_an_older_ledger_is_not_opened(old_url: str) -> None:
    before = rows(old_url)
    with pytest.raises(DatabaseFileError, match=r"revision 0002.*needs 0003.*`evm-ledger db upgr"):
        Ledger.open(old_url)
    with pytest.raises(DatabaseFileError, match="holds a ledger"):
        Ledger.create(old_url)
    assert rows(old_url) == before


def test_a_current_ledger_has_nothing_to_upgrade(database_url: str) -> None:
    economy(database_url, "alice").close()
    with unchanged(database_url):
        done = upgrade_schema(database_url)
    assert done == SchemaUpgrade(NEWEST_REVISION, NEWEST_REVISION, None)
    assert not done.is_changed


def test_a_newer_ledger_is_not_upgraded(database_url: str) -> None:
    economy(database_url, "alice").close()
    with raw(database_url) as database:
        database.run("UPDATE token_schema SET version_num = '9999'")
    with unchanged(database_url), pytest.raises(DatabaseFileError, match=r"9999.*install"):
        upgrade_schema(database_url)
    assert schema_revision(database_url) == "9999"


def test_where_there_is_no_ledger_nothing_is_upgraded(database_url: str) -> None:
    with raw(database_url) as database:
        database.run("CREATE TABLE notes (note TEXT)")
    for call in (upgrade_schema, schema_revision):
        with pytest.raises(DatabaseFileError, match="evm-ledger init"):
            call(database_url)


def test_a_table_of_the_same_name_stops_the_upgrade(first_url: str) -> None:
    with raw(first_url) as database:
        database.run("CREATE TABLE token_holds (theirs TEXT)")
    before = rows(first_url)
    with pytest.raises(DatabaseFileError, match="another program has tables of these names"):
        upgrade_schema(first_url, backup=False)
    assert rows(first_url) == before


def test_a_writer_that_does_not_end_is_not_waited_for_for_ever(old_url: str) -> None:
    before = rows(old_url)
    with raw(old_url) as database:
        database.run("BEGIN")
        database.run("UPDATE token_submissions SET status = status")
        with pytest.raises(BusyError, match="upgrade the schema"):
            upgrade_schema(old_url, lock_timeout=0.2)
        database.run("ROLLBACK")
    assert rows(old_url) == before
    assert upgrade_schema(old_url, lock_timeout=0.2).is_changed


def test_of_many_upgrades_at_once_one_does_it(old_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: upgrade_schema(old_url), range(6)))
    assert sorted(it.before for it in done) == [EARLIER[-1]] + [NEWEST_REVISION] * 5
    assert {it.after for it in done} == {NEWEST_REVISION}
    assert schema_revision(old_url) == NEWEST_REVISION


_KILLED = """
import sys, time
from ledger import upgrade_schema, upgrading
def migrate(connection, then=upgrading.migrate):
    then(connection)
    print("migrated, not committed", flush=True)
    time.sleep(60)
upgrading.migrate = migrate
upgrade_schema(sys.argv[1])
"""


def test_an_upgrade_that_is_killed_leaves_the_old_schema(old_url: str) -> None:
    before = rows(old_url)
    with raw(old_url) as database:
        shape = parts(database)
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, old_url], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("migrated")
        running.send_signal(signal.SIGKILL)
    assert rows(old_url) == before
    with raw(old_url) as database:
        assert parts(database) == shape
    assert upgrade_schema(old_url).before == EARLIER[-1]


# --- the copy of a SQLite file ---


@pytest.fixture
def old_sqlite(sqlite_url: str) -> str:
    """Return the URL of a SQLite ledger of the revision before the newest."""
    restore(EARLIER[-1], sqlite_url)
    return sqlite_url


def names_beside(url: str) -> set[str]:
    return {entry.name for entry in path_of(url).parent.iterdir()}


def test_a_sqlite_file_is_copied_first(old_sqlite: str) -> None:
    path_of(old_sqlite).chmod(0o640)
    before = rows(old_sqlite)
    copy = upgrade_schema(old_sqlite).backup
    assert copy == path_of(old_sqlite).with_name("ledger.before-0003.db")
    assert rows(f"sqlite:///{copy}") == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert names_beside(old_sqlite) == {"ledger.db", "ledger.before-0003.db"}
    assert upgrade_schema(f"sqlite:///{copy}").is_changed  # it is a ledger like the old one


def test_an_earlier_copy_is_never_overwritten(old_sqlite: str) -> None:
    earlier = path_of(old_sqlite).with_name("ledger.before-0003.db")
    earlier.write_bytes(b"precious")
    copy = upgrade_schema(old_sqlite).backup
    assert copy == path_of(old_sqlite).with_name("ledger.before-0003-2.db")
    assert earlier.read_bytes() == b"precious"


def test_a_copy_that_was_cut_short_is_made_anew(old_sqlite: str) -> None:
    before = rows(old_sqlite)
    part = path_of(old_sqlite).with_name("ledger.before-0003.db.part")
    part.write_bytes(path_of(old_sqlite).read_bytes()[:5_000])
    copy = upgrade_schema(old_sqlite).backup
    assert rows(f"sqlite:///{copy}") == before
    assert names_beside(old_sqlite) == {"ledger.db", "ledger.before-0003.db"}


def test_no_copy_is_made_of_what_is_not_upgraded(sqlite_url: str) -> None:
    create(sqlite_url).close()
    assert upgrade_schema(sqlite_url).backup is None
    assert names_beside(sqlite_url) == {"ledger.db"}


def test_who_wants_no_copy_gets_none(old_sqlite: str) -> None:
    done = upgrade_schema(old_sqlite, backup=False)
    assert (done.is_changed, done.backup) == (True, None)
    assert names_beside(old_sqlite) == {"ledger.db"}


def test_a_copy_that_cannot_be_made_stops_the_upgrade(old_sqlite: str) -> None:
    part = path_of(old_sqlite).with_name("ledger.before-0003.db.part")
    part.mkdir()
    before = rows(old_sqlite)
    with pytest.raises(DatabaseFileError, match=r"no copy of .*ledger\.db.*--no-backup"):
        upgrade_schema(old_sqlite)
    assert rows(old_sqlite) == before
