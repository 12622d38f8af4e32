"""Amounts of requests: text in, base units out, and nothing is ever rounded."""

from __future__ import annotations

from bridge.api.bodies import BaseUnits, BothUnits, Tokens
from ledger.amounts import check_amount, parse_amount
from ledger.errors import FieldError

Given = str | BothUnits | Tokens | BaseUnits


def read_amount(decimals: int, given: Given, field: str = "amount") -> int:
    """Return the base units of an amount of an asset with `decimals` in a request.

    Raises:
        FieldError: too many decimals, above 2**256 - 1, or two amounts that differ.
    """
    if isinstance(given, str):
        return parse_amount(given, decimals, field)
    if isinstance(given, Tokens):
        return parse_amount(given.tokens, decimals, field)
    units = check_amount(int(given.base_units), field)
    if isinstance(given, BothUnits) and parse_amount(given.tokens, decimals, field) != units:
        raise FieldError(field, "tokens and base_units are two amounts: send one, or the same")
    return units


def read_optional(decimals: int, given: Given | None, field: str) -> int | None:
    """Return what `read_amount` does; None for None."""
    return None if given is None else read_amount(decimals, given, field)
