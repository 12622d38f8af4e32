"""What changed hands lately, hour by hour or day by day, as a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from bridge.api.charts import Bar, Ends, bars
from bridge.api.wording import grouped, moment
from ledger.views import sum_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger import Asset, Ledger
    from ledger.measures import Hour

_HOUR: Final = 3_600_000_000
_DAYS: Final = 30
_AS_HOURS: Final = 72
"""Hours that are shown one by one; more are shown by day."""


def activity(ledger: Ledger, asset: Asset) -> Markup:
    """Return a chart of the transfers up to the last one: of hours, or of thirty days.

    Hours and days without any are in it, so equal widths are equal times.
    """
    hours = ledger.hours(asset.symbol, last=_DAYS * 24)
    if not hours:
        return Markup('<p class="soft">Nothing has changed hands yet.</p>')
    whole = (hours[-1].start - hours[0].start) // _HOUR < _AS_HOURS
    size = _HOUR if whole else 24 * _HOUR
    last = hours[-1].start // size
    first = hours[0].start // size if whole else max(hours[0].start // size, last - _DAYS + 1)
    unit = "hour" if whole else "day"
    return _drawn(asset, hours, unit, size, range(first, last + 1))


def _drawn(asset: Asset, hours: Sequence[Hour], unit: str, size: int, shown: range) -> Markup:
    """Return the chart of some hours or days."""
    counts = dict.fromkeys(shown, 0)
    amounts = dict.fromkeys(shown, 0)
    for hour in hours:
        period = hour.start // size
        if period in counts:
            counts[period] += hour.entries
            amounts[period] += hour.amount

    def name(period: int) -> str:
        return moment(period * size)[: 10 if unit == "day" else 16]

    drawn = [
        Bar(
            count,
            f"{name(period)}: {count:,} transfers, "
            f"{grouped(sum_text(asset, amounts[period]))} {asset.symbol}",
        )
        for period, count in counts.items()
    ]
    ends = Ends(
        title=f"Transfers by {unit}, from {name(shown[0])} to {name(shown[-1])}",
        most=f"{max(counts.values()):,} transfers in {'an' if unit == 'hour' else 'a'} {unit}",
        first=name(shown[0]),
        last=name(shown[-1]) if len(shown) > 1 else "",
    )
    return bars(drawn, ends)
