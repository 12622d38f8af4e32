"""Commands for the database itself: db current, db upgrade."""

from __future__ import annotations

import click

from ledger.console import Database, database_option, example, json_option, show
from ledger.schema import NEWEST_REVISION
from ledger.upgrading import schema_revision, upgrade_schema


@click.group("db")
def db_group() -> None:
    """Show and upgrade the schema of the database."""


@db_group.command(
    "current", short_help="Show the schema's revision.", epilog=example("evm-ledger db current")
)
@database_option
@json_option
def db_current(*, database: Database, as_json: bool) -> None:
    """Show which revision the schema is, and whether it has to be upgraded."""
    found = schema_revision(database.url, lock_timeout=database.lock_timeout)
    document = {
        "revision": found,
        "newest": NEWEST_REVISION,
        "upgrade_needed": found < NEWEST_REVISION,
    }
    if found == NEWEST_REVISION:
        text = f"revision {found}, the newest"
    elif found < NEWEST_REVISION:
        text = f"revision {found}; upgrade to {NEWEST_REVISION} with `evm-ledger db upgrade`"
    else:
        text = f"revision {found}; this program knows {NEWEST_REVISION}: install a newer one"
    show(document, text, as_json=as_json)


@db_group.command(
    "upgrade",
    short_help="Move the schema to the newest revision.",
    epilog=example("evm-ledger db upgrade", "evm-ledger db upgrade --no-backup --json"),
)
@click.option("--no-backup", is_flag=True, help="Make no copy of a SQLite file beforehand.")
@database_option
@json_option
def db_upgrade(*, no_backup: bool, database: Database, as_json: bool) -> None:
    """Move the schema to the newest revision; every row stays.

    Stop every program that uses the ledger first. A SQLite file is copied beside itself; back up
    a PostgreSQL database before, with pg_dump. It is all done in one transaction, or nothing is.
    """
    done = upgrade_schema(database.url, backup=not no_backup, lock_timeout=database.lock_timeout)
    changed = f"upgraded: revision {done.before} -> {done.after}" if done.is_changed else ""
    text = changed or f"nothing to do: revision {done.after} is the newest"
    if done.backup is not None:
        text += f"\nas it was before: {done.backup}"
    document = {
        "before": done.before,
        "after": done.after,
        "backup": None if done.backup is None else str(done.backup),
    }
    show(document, text, as_json=as_json, done=changed)
