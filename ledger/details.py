"""What an event says beyond its type: canonical JSON, amounts as decimal text. Values only."""

from __future__ import annotations

import json
from typing import Final

from ledger.amounts import check_amount
from ledger.results import Limits

IMPORTED: Final = "imported"
"""The event that ends what an import brought: of the numbers before it only pending holds' are."""


def details_of(**details: object) -> str:
    """Return the details of an event as they are stored."""
    return json.dumps(details, separators=(",", ":"))


def limit_details(limits: Limits) -> str:
    """Return the details of the event that sets `limits`."""
    return details_of(max_debit=_text(limits.max_debit), max_balance=_text(limits.max_balance))


def read_limits(details: str) -> Limits:
    """Return the limits in the details of an event; ValueError or LookupError if it has none."""
    found = json.loads(details)
    return Limits(_amount(found["max_debit"]), _amount(found["max_balance"]))


def _text(limit: int | None) -> str | None:
    """Return a limit as decimal text, for readers without big ints."""
    return None if limit is None else str(limit)


def _amount(text: str | None) -> int | None:
    """Return the limit that `_text` wrote."""
    return None if text is None else check_amount(int(text))
