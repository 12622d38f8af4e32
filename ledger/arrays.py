"""PostgreSQL's array literals, which the driver would write ten times slower. Values only.

One text whatever the size of the numbers in it, so that a statement is prepared once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Value = int | str | bytes | None


def array_literal(values: Iterable[Value]) -> str:
    """Return `values` as PostgreSQL writes an array of them (its manual, "Array Input and Output").

    Whoever passes it says of what type the array is, by a cast or by what it is compared with.
    """
    return f"{{{','.join([_element(value) for value in values])}}}"


def _element(value: Value) -> str:
    """Return one element; text and bytes are quoted, and what ends a quotation is escaped."""
    if isinstance(value, str):
        if "\\" in value:
            value = value.replace("\\", "\\\\")
        if '"' in value:
            value = value.replace('"', '\\"')
        return f'"{value}"'
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return "NULL" if value is None else str(value)
