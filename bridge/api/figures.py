"""Figures about an asset, as the API shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ledger.measures import MAX_HOURS
from ledger.views import figures_json

if TYPE_CHECKING:
    from ledger import Ledger

MAX_WINDOW_HOURS: Final = MAX_HOURS


def figures(ledger: Ledger, symbol: str | None, window: timedelta, top: int) -> dict[str, Any]:
    """Return supply, distribution and velocity of an asset.

    Raises:
        NotFoundError, FieldError, RefusedError: as the ledger says.
    """
    asset = ledger.asset(symbol)
    hours = window // timedelta(hours=1)
    return figures_json(
        asset,
        ledger.supply(asset.symbol),
        ledger.distribution(asset.symbol, top=top),
        ledger.velocity(asset.symbol, window=window),
        f"{hours}h",
    )
