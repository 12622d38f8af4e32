"""Alembic runs this; the ledger hands it an open connection and owns the transaction."""

from __future__ import annotations

from alembic import context

from ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="token_schema",
)
context.run_migrations()
