"""The first schema: assets, accounts, balances, journals, entries, keys, seals, submissions.

Plain SQL, one file for each database, so that an auditor reads what runs.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, indexes and triggers."""
    dialect = op.get_bind().dialect.name
    script = Path(__file__).parents[1] / "sql" / f"{revision}_{dialect}.sql"
    for statement in script.read_text(encoding="utf-8").split("\n\n"):
        if not statement.startswith("--"):
            op.get_bind().exec_driver_sql(statement)
