"""Amounts: integers in base units, 0 .. 2**256 - 1, and their decimal text at the edges.

No float is ever accepted or made; text with too many decimals is an error, never rounded.
"""

from __future__ import annotations

import re

from ledger.errors import FieldError

MAX_AMOUNT = 2**256 - 1
"""The largest uint256 (Solidity `type(uint256).max`)."""

MAX_DECIMALS = 255
"""EIP-20 `decimals()` is a uint8."""

_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def check_uint(value: object, bits: int, field: str) -> int:
    """Return `value` if it is an int of at most `bits` bits, not negative and not a bool.

    Raises:
        FieldError: naming `field`, for any other type or range.
    """
    if type(value) is not int:
        kind = type(value).__name__
        raise FieldError(field, f"must be an int, not {kind} (floats cannot hold money)")
    if not 0 <= value < 1 << bits:
        raise FieldError(field, f"must be within 0 .. 2**{bits} - 1, not {_short(value)}")
    return value


def check_amount(value: object, field: str = "amount") -> int:
    """Return `value` if it is an amount: an int in base units within 0 .. 2**256 - 1.

    Raises:
        FieldError: naming `field`.
    """
    return check_uint(value, 256, field)


def parse_amount(text: str, decimals: int, field: str = "amount") -> int:
    """Return the base units of `text`, whole tokens in plain decimal notation ("12.5").

    Raises:
        FieldError: naming `field`, if `text` is not digits with at most one point, has more
            decimals than the asset, or is above 2**256 - 1.
    """
    if type(text) is not str:
        raise FieldError(field, f"must be text like '12.5', not {type(text).__name__}")
    if len(text) > 2 * MAX_DECIMALS or not _DECIMAL.fullmatch(text):
        raise FieldError(field, f"must be a plain decimal like '12.5', not {text[:80]!r}")
    whole, _, fraction = text.partition(".")
    if len(fraction) > decimals:
        raise FieldError(field, f"{text!r} has more than {decimals} decimals; nothing is rounded")
    return check_amount(int(whole + fraction.ljust(decimals, "0")), field)


def format_amount(amount: int, decimals: int) -> str:
    """Return `amount` (base units) as whole tokens: exact, plain, without trailing zeros.

    The inverse of `parse_amount` for every amount and any number of decimals.

    Raises:
        FieldError: `amount` is none.
    """
    digits = str(check_amount(amount)).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def _short(value: int) -> str:
    """Return `value` for an error message, shortened where it is very long."""
    if value.bit_length() > 512:  # noqa: PLR2004 (beyond this the digits say nothing to a reader)
        return f"a number of {value.bit_length()} bits"
    return str(value)
