"""The figures of an asset that take time: they look at every holder, so they are kept for a while.

How long depends on what they cost: a page may show figures as old as twenty times the time that
counting them took, and says so. A small ledger is counted for every page; a large one never takes
more than a twentieth of one core, however many people look.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final

from bridge.api.drawing import now
from bridge.api.onchain import Reached, reached

if TYPE_CHECKING:
    from ledger import Asset, Distribution, Ledger, Supply, Velocity

HOLDERS: Final = 30
"""The largest holders that are known by name."""

WORTH: Final = 20.0
_MOST_ASSETS: Final = 64


@dataclass(frozen=True, slots=True)
class Overview:
    """What is known of an asset as a whole."""

    counted_at: int
    """Microseconds UTC, by the host's clock."""
    supply: Supply
    distribution: Distribution
    velocity: Velocity
    chains: dict[str, Reached]
    fresh_until: float
    """By the host's monotonic clock."""


@dataclass(slots=True)
class _Kept:
    """The last overview of an asset, and who counts the next."""

    overview: Overview | None = None
    counting: Lock = field(default_factory=Lock)


class Overviews:
    """The overviews of a ledger's assets, each counted by one request at a time."""

    def __init__(self, ledger: Ledger, worth: float = WORTH) -> None:
        """Count nothing yet; what is counted is worth showing `worth` times as long as it took."""
        self._ledger = ledger
        self._worth = worth
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()

    def of(self, asset: Asset) -> Overview:
        """Return an overview that is fresh, or that another request is about to replace."""
        with self._lock:
            kept = self._kept.setdefault(asset.symbol, _Kept())
            self._kept.move_to_end(asset.symbol)
            if len(self._kept) > _MOST_ASSETS:
                self._kept.popitem(last=False)
        known = kept.overview
        if known and time.monotonic() < known.fresh_until:
            return known
        if known and kept.counting.locked():
            return known
        with kept.counting:
            if kept.overview is None or kept.overview is known:
                kept.overview = self._counted(asset)
            return kept.overview

    def _counted(self, asset: Asset) -> Overview:
        """Count an asset."""
        began, at, ledger = time.monotonic(), now(), self._ledger
        supply = ledger.supply(asset.symbol)
        distribution = ledger.distribution(asset.symbol, top=HOLDERS)
        velocity = ledger.velocity(asset.symbol, window=timedelta(days=30))
        chains = reached(ledger, asset)
        ended = time.monotonic()
        fresh_until = ended + self._worth * (ended - began)
        return Overview(at, supply, distribution, velocity, chains, fresh_until)
