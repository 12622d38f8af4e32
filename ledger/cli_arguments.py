"""What commands make of their words (assets, moments, ids), and how what posts ends."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import click

from ledger.console import show
from ledger.errors import FieldError, RefusedError, Rule
from ledger.model import Hash32
from ledger.times import parse_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ledger.ledger import Ledger
    from ledger.requests import Item
    from ledger.results import Asset, Receipt

P = ParamSpec("P")
R = TypeVar("R")

_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_COUNTING: Final = frozenset(
    {
        Rule.INSUFFICIENT_AVAILABLE,
        Rule.DEBIT_LIMIT,
        Rule.BALANCE_LIMIT,
        Rule.ABOVE_HOLD,
        Rule.ABOVE_ENTRY,
    }
)
"""Refusals that end in amounts, which the library gives in base units."""

_NUMBER: Final = re.compile(r"([0-9]+)( base units)?")


def dry_run_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--dry-run`."""
    return click.option(
        "--dry-run", is_flag=True, help="Show what would happen; change nothing at all."
    )(command)


def one_asset(ledger: Ledger, symbol: str | None) -> Asset:
    """Return the asset that is meant, or say how to name it.

    Raises:
        RefusedError: ASSET_REQUIRED.
        NotFoundError: UNKNOWN_ASSET.
    """
    if symbol is None and len(known := ledger.assets()) != 1:
        names = ", ".join(repr(asset.symbol) for asset in known[:5])
        advice = f"say which with --asset: {names}{', ...' if len(known) > 5 else ''}"  # noqa: PLR2004 (as many fit a line)
        none = "the ledger has no asset yet; make one with `evm-ledger asset create SYMBOL`"
        raise RefusedError(Rule.ASSET_REQUIRED, advice if known else none)
    return ledger.asset(symbol)


def read_moment(text: str, field: str) -> datetime:
    """Return the instant that `text` names. Raises FieldError."""
    try:
        return parse_moment(text, field)
    except FieldError:
        advice = f"{text[:80]!r} is no instant with its offset, like 2026-01-31T12:00:00Z"
        raise FieldError(field, advice) from None


def read_duration(text: str, field: str) -> timedelta:
    """Return the time that `text` names: 90s, 30m, 2h, 7d, 4w. Raises FieldError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise FieldError(field, f"{text[:80]!r} is no duration like 90s, 30m, 2h, 7d or 4w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def read_id(text: str, field: str) -> Hash32:
    """Return the 32 bytes that `text` names. Raises FieldError."""
    return Hash32.parse(text, field)


def read_hex(text: str, field: str, most: int) -> bytes:
    """Return at most `most` bytes, written as 0x and hex digits. Raises FieldError."""
    if len(text) > 2 + 2 * most or not _HEX.fullmatch(text):
        raise FieldError(field, f"must be 0x and hex digits, two a byte, of at most {most} bytes")
    return bytes.fromhex(text[2:])


def post_one(ledger: Ledger, item: Item, *, dry_run: bool) -> Receipt:
    """Post one item; raise its refusal."""
    result = ledger.post_many([item], dry_run=dry_run)[0]
    if isinstance(result, RefusedError):
        raise result
    return result


def show_done(
    value: Mapping[str, object], text: str, *, done: str, dry_run: bool, as_json: bool
) -> None:
    """Print what was done, as `show`; or what would be, marked so, if this is a dry run."""
    if dry_run:
        between = "\n" if "\n" in text else " "
        show({**value, "dry_run": True}, f"dry run:{between}{text}", as_json=as_json)
    else:
        show(value, text, as_json=as_json, done=done)


@contextmanager
def in_tokens(asset: Asset | None) -> Iterator[None]:
    """Turn the amounts of a refusal into whole tokens of `asset`, as this command line speaks.

    Without an asset (where there are several) they stay base units.
    """
    try:
        yield
    except RefusedError as error:
        if asset is None or error.rule not in _COUNTING:
            raise
        names = max(error.message.rfind("'"), error.message.rfind('"')) + 1  # numbers come after
        numbers = _NUMBER.sub(lambda it: _tokens(asset, it), error.message[names:])
        raise RefusedError(error.rule, error.message[:names] + numbers) from None


def _tokens(asset: Asset, found: re.Match[str]) -> str:
    """Return a number of base units in whole tokens, with the symbol where the unit was named."""
    return asset.format(int(found[1])) + (f" {asset.symbol}" if found[2] else "")
