"""Holds, events, limits, standing of accounts, proofs of addresses, hourly volume.

What an older ledger has no row for is made from what it has: an event for each account, and the
volume of each hour. The journal is read by the database alone, so memory stays flat.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import op

if TYPE_CHECKING:
    from sqlalchemy import Connection

revision = "0002"
down_revision = "0001"


class _AmountSum:
    """Sums amounts, 32 big-endian bytes each, to decimal text: SQLite has no such numbers."""

    def __init__(self) -> None:
        self.total = 0

    def step(self, amount: bytes) -> None:
        """Add one."""
        self.total += int.from_bytes(amount, "big")

    def finalize(self) -> str:
        """Return the sum."""
        return str(self.total)


def upgrade() -> None:
    """Make the tables, indexes and triggers, and fill them."""
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        _driver(bind).create_aggregate("amount_sum", 1, _AmountSum)
    script = Path(__file__).parents[1] / "sql" / f"{revision}_{bind.dialect.name}.sql"
    for statement in script.read_text(encoding="utf-8").split("\n\n"):
        if not statement.startswith("--"):
            bind.exec_driver_sql(statement)


def _driver(bind: Connection) -> Any:  # noqa: ANN401 (the driver's connection)
    """Return the connection of the driver itself."""
    return bind.connection.driver_connection
