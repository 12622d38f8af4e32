"""Figures about an asset, as the API shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ledger.views import figures_json

if TYPE_CHECKING:
    from ledger import Ledger


def figures(
    ledger: Ledger,
    symbol: str | None,
    window: timedelta,
    top: int,
    own: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return supply, distribution and velocity of an asset; of its holders, only `own` if any.

    Raises:
        NotFoundError, FieldError, RefusedError: as the ledger says.
    """
    asset = ledger.asset(symbol)
    hours = window // timedelta(hours=1)
    shown: dict[str, Any] = figures_json(
        asset,
        ledger.supply(asset.symbol),
        ledger.distribution(asset.symbol, top=top),
        ledger.velocity(asset.symbol, window=window),
        f"{hours}h",
    )
    if own:
        shown["top"] = [it for it in shown["top"] if it["account_id"] in own]
    return shown
