"""What a transaction offers for its gas, and how much more when it is replaced. Pure; wei a gas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.errors import FeeCapError

GWEI: Final = 10**9

CAP_FACTOR: Final = 10
"""Without a cap of one's own: this many times what the chain asks when the sending begins."""


@dataclass(frozen=True, slots=True)
class Market:
    """What a chain asks now."""

    base_fee: int | None
    """Of the next block; None on a chain without EIP-1559."""
    tip: int
    """The priority fee that the node suggests; on a chain without EIP-1559 its gas price."""

    @property
    def price(self) -> int:
        """What gas costs now."""
        return self.tip + (self.base_fee or 0)


@dataclass(frozen=True, slots=True)
class Fees:
    """What one transaction offers."""

    max_fee: int
    """The most that is paid; on a chain without EIP-1559 the gas price."""
    priority_fee: int | None
    """The most of it that goes to who makes the block; None on a chain without EIP-1559."""

    def fields(self) -> dict[str, int]:
        """Return the fields of a transaction that say so."""
        if self.priority_fee is None:
            return {"gasPrice": self.max_fee}
        return {
            "maxFeePerGas": self.max_fee,
            "maxPriorityFeePerGas": self.priority_fee,
            "type": 2,
        }


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """How much may be offered."""

    max_fee: int | None = None
    """The cap: no transaction offers more. None: `CAP_FACTOR` times what is asked at first."""
    priority_fee: int | None = None
    """Offered to who makes the block; None: what the node suggests."""

    def __post_init__(self) -> None:
        """Raise FeeCapError for a cap that nothing could ever be sent under."""
        if self.max_fee is not None and self.max_fee <= 0:
            raise FeeCapError("the most that gas may cost must be more than 0")
        if self.priority_fee is not None and self.priority_fee < 0:
            raise FeeCapError("a priority fee cannot be negative")

    def settled(self, market: Market) -> FeePolicy:
        """Return the policy with a cap, which follows from what is asked now if it has none."""
        if self.max_fee is not None:
            return self
        return FeePolicy(max(1, CAP_FACTOR * self._tipped(market).price), self.priority_fee)

    def first(self, market: Market) -> Fees | None:
        """Return what to offer, or None while the chain asks for more than the cap.

        Twice the base fee lasts six full blocks (EIP-1559).
        """
        market = self._tipped(market)
        if market.base_fee is None:
            return Fees(market.tip, None) if self._allows(market.tip) else None
        if not self._allows(market.base_fee):
            return None
        most = self._capped(2 * market.base_fee + market.tip)
        return Fees(most, min(market.tip, most))

    def more(self, than: Fees, market: Market) -> Fees | None:
        """Return what replaces an offer: an eighth more of both, and what is asked now.

        None if that is above the cap, or the chain asks for more than the cap: then to offer more
        would not help.
        """
        least = _raised(than.max_fee)
        wanted = self.first(market)
        if wanted is None or not self._allows(least):
            return None
        most = max(least, wanted.max_fee)
        if than.priority_fee is None or wanted.priority_fee is None:
            return Fees(most, None)
        tip = max(_raised(than.priority_fee), wanted.priority_fee)
        most = self._capped(max(most, tip))
        return Fees(most, tip) if tip <= most else None

    def _tipped(self, market: Market) -> Market:
        """Return `market` with the priority fee that was decided on."""
        if self.priority_fee is None or market.base_fee is None:
            return market
        return Market(market.base_fee, self.priority_fee)

    def _allows(self, fee: int) -> bool:
        """Tell whether `fee` is not above the cap."""
        return self.max_fee is None or fee <= self.max_fee

    def _capped(self, fee: int) -> int:
        """Return `fee`, or the cap if that is lower."""
        return fee if self.max_fee is None else min(fee, self.max_fee)


def _raised(fee: int) -> int:
    """Return the least that replaces `fee`: 12.5% more, rounded up.

    Nodes want 10% more on both fees (geth's pool is the model), and at least 1 wei.
    """
    return max(fee + 1, -(-fee * 9 // 8))


def in_gwei(fee: int) -> str:
    """Return wei a gas as people say it."""
    return f"{fee / GWEI:.9f}".rstrip("0").rstrip(".") + " gwei"
