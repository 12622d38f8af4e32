"""Charts as SVG, drawn by the server: they need no script, and nothing from elsewhere.

Heights are for the eye only, so they may be floats; every number that is written is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 640
HEIGHT: Final = 160
_LEFT, _TOP, _BOTTOM = 4, 8, 22


def bars(values: Sequence[int], labels: Sequence[str], title: str) -> Markup:
    """Return a bar for each value, with its label as its title; the tallest fills the height."""
    most = max(values, default=0) or 1
    step = (WIDTH - 2 * _LEFT) / max(len(values), 1)
    floor = HEIGHT - _BOTTOM
    parts = []
    for position, (value, label) in enumerate(zip(values, labels, strict=True)):
        height = (floor - _TOP) * (value / most)
        left = _LEFT + position * step
        parts.append(
            Markup(
                '<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
            ).format(_n(left), _n(floor - height), _n(max(step - 1.5, 1)), _n(height), label)
        )
    return _chart(title, parts, labels)


def steps(values: Sequence[int], labels: Sequence[str], title: str) -> Markup:
    """Return a line that goes from value to value in steps, as balances do."""
    most = max(values, default=0) or 1
    floor = HEIGHT - _BOTTOM
    width = (WIDTH - 2 * _LEFT) / max(len(values), 1)
    points = []
    for position, value in enumerate(values):
        y = _n(floor - (floor - _TOP) * (value / most))
        left = _LEFT + position * width
        points += [f"{_n(left)},{y}", f"{_n(left + width)},{y}"]
    area = [f"{_LEFT},{floor}", *points, f"{WIDTH - _LEFT},{floor}"]
    parts = [
        Markup('<polygon class="area" points="{}"/>').format(" ".join(area)),
        Markup('<polyline class="line" points="{}"/>').format(" ".join(points)),
    ]
    return _chart(title, parts, labels)


def _chart(title: str, parts: Sequence[Markup], labels: Sequence[str]) -> Markup:
    """Return the whole picture, with the first and the last label below it."""
    first, last = (labels[0], labels[-1]) if labels else ("", "")
    floor = HEIGHT - _BOTTOM
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-label="{title}">'
        '<title>{title}</title>{parts}<line class="axis" x1="{left}" x2="{right}" y1="{floor}" '
        'y2="{floor}"/><text x="{left}" y="{text}">{first}</text>'
        '<text class="end" x="{right}" y="{text}">{last}</text></svg>'
    ).format(
        w=WIDTH,
        h=HEIGHT,
        title=title,
        parts=Markup("").join(parts),
        left=_LEFT,
        right=WIDTH - _LEFT,
        floor=floor,
        text=HEIGHT - 6,
        first=escape(first),
        last=escape(last),
    )


def _n(value: float) -> str:
    """Return a coordinate."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
