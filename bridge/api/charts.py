"""Charts as SVG, drawn by the server: they need no script, and nothing from elsewhere.

A picture is as wide as its place; its labels are text of the page, so that they stay readable.
Heights are for the eye only, so they may be floats; every number that is written is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 640
HEIGHT: Final = 160
_TOP: Final = 4


class Bar(NamedTuple):
    """A bar, and what it says when it is pointed at."""

    value: int
    label: str


class Point(NamedTuple):
    """A value, from a time on."""

    at: int
    value: int


class Part(NamedTuple):
    """A part of a whole, and its name, which is the style's too."""

    kind: str
    size: int


class Ends(NamedTuple):
    """What is written beside a chart."""

    title: str
    most: str
    """What its full height is."""
    first: str
    last: str


def bars(shown: Sequence[Bar], ends: Ends) -> Markup:
    """Return a bar for each value; the tallest fills the height."""
    most = max((it.value for it in shown), default=0) or 1
    step = WIDTH / max(len(shown), 1)
    parts = []
    for position, (value, label) in enumerate(shown):
        height = (HEIGHT - _TOP) * (value / most)
        parts.append(
            Markup(
                '<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
            ).format(
                _n(position * step), _n(HEIGHT - height), _n(max(step * 0.86, 1)), _n(height), label
            )
        )
    return _chart(parts, ends)


def steps(points: Sequence[Point], ends: Ends) -> Markup:
    """Return a line that goes from value to value in steps, as balances do, along time."""
    if not points:
        return _chart([], ends)
    most = max(it.value for it in points) or 1
    began, length = points[0].at, (points[-1].at - points[0].at) or 1
    corners: list[str] = []
    before = None
    for at, value in points:
        x = _n(WIDTH * ((at - began) / length))
        y = _n(HEIGHT - (HEIGHT - _TOP) * (value / most))
        corners += [f"{x},{y}"] if before is None else [f"{x},{before}", f"{x},{y}"]
        before = y
    if len(points) == 1:
        corners.append(f"{WIDTH},{before}")
    area = " ".join([f"0,{HEIGHT}", *corners, f"{WIDTH},{HEIGHT}"])
    parts = [
        Markup('<polygon class="area" points="{}"/>').format(area),
        Markup('<polyline class="line" points="{}"/>').format(" ".join(corners)),
    ]
    return _chart(parts, ends)


def shares(parts: Sequence[Part], title: str) -> Markup:
    """Return one bar that is cut into the parts of a whole."""
    whole = sum(it.size for it in parts) or 1
    drawn = []
    left = 0.0
    for kind, size in parts:
        width = WIDTH * (size / whole)
        drawn.append(
            Markup('<rect class="part {}" x="{}" y="0" width="{}" height="16"/>').format(
                kind, _n(left), _n(width)
            )
        )
        left += width
    return Markup(
        '<svg class="shares" viewBox="0 0 {} 16" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg>'
    ).format(WIDTH, title, Markup("").join(drawn))


def _chart(parts: Sequence[Markup], ends: Ends) -> Markup:
    """Return the whole picture: what its height is above it, its first and last label below."""
    return Markup(
        '<figure class="chart"><div class="most">{most}</div>'
        '<svg viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" aria-label="{title}">'
        '{parts}<line class="axis" x1="0" x2="{w}" y1="{h}" y2="{h}"/></svg>'
        "<figcaption><span>{first}</span><span>{last}</span></figcaption></figure>"
    ).format(
        w=WIDTH,
        h=HEIGHT,
        title=ends.title,
        most=ends.most,
        parts=Markup("").join(parts),
        first=ends.first,
        last=ends.last,
    )


def _n(value: float) -> str:
    """Return a coordinate."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
