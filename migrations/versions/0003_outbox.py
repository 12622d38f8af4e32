"""The outbox (fees, sender, purpose, replacements, blocks), and journals that are closed.

And the keys of the HTTP API.

A program of revision 0002 that was left open cannot sign any more: it does not know the purpose,
which may not be missing.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Give the table its new columns; what was signed before keeps its row."""
    bind = op.get_bind()
    script = Path(__file__).parents[1] / "sql" / f"{revision}_{bind.dialect.name}.sql"
    for statement in script.read_text(encoding="utf-8").split("\n\n"):
        if not statement.startswith("--"):
            bind.exec_driver_sql(statement)
