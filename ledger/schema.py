"""The schema's version: made and moved forward by Alembic migrations, and by nothing else."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from ledger.errors import DatabaseFileError

if TYPE_CHECKING:
    from sqlalchemy import Connection

VERSION_TABLE: Final = "token_schema"

_SCHEMA_LOCK: Final = 8503260
"""The advisory lock, on PostgreSQL, of whoever makes or upgrades a ledger in a database."""

NEWEST_REVISION: Final = "0003"
"""The revision that this package makes: the last in `migrations/versions`."""


def migrations_folder() -> Path:
    """Return where the migrations lie: in the package once installed, beside it in a checkout."""
    installed = Path(__file__).parent / "migrations"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "migrations"


def migrate(connection: Connection) -> None:
    """Bring the schema of `connection` to the newest revision, inside its transaction."""
    # Slow to import, and only a new ledger needs it: whoever opens one does not wait for it.
    from alembic import command  # noqa: PLC0415 (see above)
    from alembic.config import Config  # noqa: PLC0415 (see above)

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()  # without any file
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def lock_schema(connection: Connection) -> None:
    """Wait until no other process makes or upgrades the schema; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})"))


def current_revision(connection: Connection) -> str | None:
    """Return the schema revision of the database, or None if it holds no ledger."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM token_schema")).scalar()
    return found


def found_revision(connection: Connection) -> str:
    """Return the schema revision of the ledger.

    Raises:
        DatabaseFileError: there is no ledger.
    """
    found = current_revision(connection)
    if found is None:
        raise DatabaseFileError("no ledger in this database; make one with `evm-ledger init`")
    return found


def check_not_newer(connection: Connection) -> str:
    """Return the schema revision of the ledger, if this package knows it.

    Raises:
        DatabaseFileError: there is no ledger, or its schema is newer.
    """
    found = found_revision(connection)
    if found > NEWEST_REVISION:
        raise DatabaseFileError(
            f"the schema is revision {found}, this package knows {NEWEST_REVISION}; "
            "install the version of evm-ledger that wrote it, or a newer one"
        )
    return found


def check_revision(connection: Connection) -> None:
    """Let only the schema pass that this package makes.

    Raises:
        DatabaseFileError: there is no ledger, or its schema is older or newer.
    """
    found = check_not_newer(connection)
    if found != NEWEST_REVISION:
        raise DatabaseFileError(
            f"the schema is revision {found}, this package needs {NEWEST_REVISION}; stop every "
            "program that uses the ledger and run `evm-ledger db upgrade`"
        )
