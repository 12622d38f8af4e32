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

NEWEST_REVISION: Final = "0001"
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


def current_revision(connection: Connection) -> str | None:
    """Return the schema revision of the database, or None if it holds no ledger."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM token_schema")).scalar()
    return found


def check_revision(connection: Connection) -> None:
    """Let only a schema pass that this package knows.

    Raises:
        DatabaseFileError: there is no ledger, or its schema is older or newer.
    """
    found, known = current_revision(connection), NEWEST_REVISION
    if found is None:
        raise DatabaseFileError("no ledger in this database; make one with `evm-ledger init`")
    if found != known:
        raise DatabaseFileError(
            f"the schema is revision {found}, this package knows {known}; "
            "install the version of evm-ledger that wrote it, or a newer one"
        )
