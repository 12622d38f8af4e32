"""The schema's version: made and moved forward by Alembic migrations, and by nothing else."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ledger.errors import DatabaseFileError

if TYPE_CHECKING:
    from sqlalchemy import Connection

VERSION_TABLE = "token_schema"


def migrations_folder() -> Path:
    """Return where the migrations lie: in the package once installed, beside it in a checkout."""
    installed = Path(__file__).parent / "migrations"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "migrations"


def migrate(connection: Connection) -> None:
    """Bring the schema of `connection` to the newest revision, inside its transaction."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(_config(connection), "head")


def current_revision(connection: Connection) -> str | None:
    """Return the schema revision of the database, or None if it holds no ledger."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def newest_revision() -> str:
    """Return the revision that this package makes."""
    return str(ScriptDirectory.from_config(_config(None)).get_current_head())


def check_revision(connection: Connection) -> None:
    """Let only a schema pass that this package knows.

    Raises:
        DatabaseFileError: there is no ledger, or its schema is older or newer.
    """
    found, known = current_revision(connection), newest_revision()
    if found is None:
        raise DatabaseFileError("no ledger in this database; make one with `evm-ledger init`")
    if found != known:
        raise DatabaseFileError(
            f"the schema is revision {found}, this package knows {known}; "
            "install the version of evm-ledger that wrote it, or a newer one"
        )


def _config(connection: Connection | None) -> Config:
    """Return Alembic's configuration, without any file."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["connection"] = connection
    return config
