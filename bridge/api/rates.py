"""How often somebody may ask: a bucket of requests for each, and a bounded number of buckets."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BUCKETS: Final = 10_000


@dataclass(slots=True)
class RateLimiter:
    """A token bucket for each caller; the least recent ones are forgotten, full."""

    rate: float
    """Requests a second, on average."""
    burst: int
    """Requests at once."""
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def wait(self, who: str) -> float:
        """Take one request of `who`; return 0, or how many seconds it is too early."""
        with self._lock:
            now = self.clock()
            left, then = self._buckets.pop(who, (float(self.burst), now))
            left = min(float(self.burst), left + (now - then) * self.rate)
            taken = left >= 1
            self._buckets[who] = (left - 1 if taken else left, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
            return 0.0 if taken else (1 - left) / self.rate

    def __len__(self) -> int:
        """Return how many callers are remembered."""
        return len(self._buckets)


def host_of(client: tuple[str, int] | None) -> str:
    """Return the host that a request is counted by; of IPv6 its /64, which one host may have."""
    host = client[0] if client else ""
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.split("%")[0], 64), strict=False))
    except ValueError:
        return host
