"""Column types that hold what the core holds, exactly, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, CheckConstraint, Integer, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, UserDefinedType

from ledger.amounts import MAX_AMOUNT

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

Micros = BigInteger
"""Microseconds since 1970 UTC. (A timestamp type would drop the offset on SQLite.)"""

Seq = BigInteger().with_variant(Integer(), "sqlite")
"""A position in a journal; SQLite's INTEGER has 64 bits."""

Words = Text().with_variant(Text(collation="C"), "postgresql")
"""Text in code point order on both databases, so that prefix search is a range."""


class _Numeric78(UserDefinedType[int]):
    """PostgreSQL NUMERIC(78, 0), passed as Python ints by the driver (see `engine`)."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "NUMERIC(78, 0)"


class Uint256(TypeDecorator[int]):
    """An amount: NUMERIC(78, 0) on PostgreSQL, 32 big-endian bytes on SQLite.

    Bytes compare as the numbers do; SQLAlchemy's own Numeric goes through float on SQLite.
    """

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of `dialect`."""
        kind = _Numeric78() if dialect.name == "postgresql" else LargeBinary()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:  # noqa: ANN401 (int or bytes, by dialect)
        """Return what the driver of `dialect` takes."""
        if value is None or dialect.name == "postgresql":
            return value
        return value.to_bytes(32, "big")

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ANN401 (int or bytes, by dialect)
        """Return the int, whatever the driver gave."""
        if value is None:
            return None
        return int(value) if dialect.name == "postgresql" else int.from_bytes(value, "big")


def amount_range(column: str, name: str) -> list[CheckConstraint]:
    """Return the constraints that keep `column` a uint256 on either database.

    NUMERIC(78, 0) alone takes 2**256 and NaN; a BLOB alone takes any length and, in SQLite, text.
    """
    return [
        CheckConstraint(f"{column} >= 0 AND {column} <= {MAX_AMOUNT}", name=name).ddl_if(
            dialect="postgresql"
        ),
        CheckConstraint(f"typeof({column}) = 'blob' AND length({column}) = 32", name=name).ddl_if(
            dialect="sqlite"
        ),
    ]


def optional_amount_range(column: str, name: str) -> list[CheckConstraint]:
    """Return the constraints that keep `column`, where it is not null, a uint256."""
    return [
        CheckConstraint(f"{column} >= 0 AND {column} <= {MAX_AMOUNT}", name=name).ddl_if(
            dialect="postgresql"
        ),
        CheckConstraint(
            f"{column} IS NULL OR (typeof({column}) = 'blob' AND length({column}) = 32)", name=name
        ).ddl_if(dialect="sqlite"),
    ]


def byte_length(column: str, size: int, name: str) -> list[CheckConstraint]:
    """Return the constraints that keep `column` (where not null) at exactly `size` bytes."""
    return [
        CheckConstraint(f"octet_length({column}) = {size}", name=name).ddl_if(dialect="postgresql"),
        CheckConstraint(
            f"{column} IS NULL OR (typeof({column}) = 'blob' AND length({column}) = {size})",
            name=name,
        ).ddl_if(dialect="sqlite"),
    ]
