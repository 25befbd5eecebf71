"""Line charts as inline SVG, without scripts, fonts or colors of their own."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 26  # margins of the plot
MOST_POINTS = 400  # of a curve: more would not be seen


def line_chart(curves: Mapping[str, Points], x_label: str, dots: bool = False) -> str:
    """Draw curves over one axis as an `<svg>` element.

    Colors and line widths are those of the CSS classes `c0`, `c1`, …, so that a page can be
    light or dark. Values that are not finite are gaps.

    Args:
        curves: for each name its (x, y) in the order of x.
        x_label: what x counts.
        dots: whether each point is marked.

    Returns:
        The element, with its texts escaped; empty if no curve has a finite value.
    """
    finite = [point for points in curves.values() for point in points if _is_finite(point)]
    if not finite:
        return ""
    x_ticks = ticks(min(x for x, _ in finite), max(x for x, _ in finite), 5, whole=True)
    y_ticks = ticks(min(y for _, y in finite), max(y for _, y in finite), 4)
    x_low, x_high = min(x for x, _ in finite), max(x for x, _ in finite)
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low) if x_high > x_low else 0.5
        up = (y - y_low) / (y_high - y_low)
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
        )

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(", ".join(curves))} by {escape(x_label)}">'
    ]
    for tick in y_ticks:
        _, y = place(x_low, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" ')
        parts.append(f'y2="{y:.1f}"/><text class="tick" x="{LEFT - 6}" y="{y + 3.5:.1f}" ')
        parts.append(f'text-anchor="end">{number(tick)}</text>')
    for tick in x_ticks:
        if x_low <= tick <= x_high:
            x, _ = place(tick, y_low)
            parts.append(f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" ')
            parts.append(f'text-anchor="middle">{number(tick)}</text>')
    parts.append(f'<text class="tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 1}" text-anchor="end">')
    parts.append(f"{escape(x_label)}</text>")
    for index, points in enumerate(curves.values()):
        for run in _finite_runs(thinned(points)):
            places = [place(x, y) for x, y in run]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            if len(places) > 1:
                parts.append(f'<polyline class="c{index}" points="{path}"/>')
            if dots or len(places) == 1:
                parts += [
                    f'<circle class="c{index}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
                    for x, y in places
                ]
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float, count: int, whole: bool = False) -> list[float]:
    """Choose about `count` + 1 round numbers that enclose an interval, at least two."""
    if high <= low:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    step = (high - low) / count
    magnitude = 10.0 ** math.floor(math.log10(step))
    step = next(step_ for factor in (1, 2, 5, 10) if (step_ := factor * magnitude) >= step * 0.999)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def number(value: float, digits: int = 4) -> str:
    """Format a number as people write it: as short as can be, whole numbers in full.

    Args:
        value: any number.
        digits: how many to keep of one that is not whole, or too small to be written out.
    """
    size = abs(value)
    for unit, name in ((1e9, "B"), (1e6, "M")):
        if unit <= size < 1e12:
            return f"{value / unit:.{digits - 1}g}{name}"
    if size >= 10 ** (digits - 1) and size < 1e6:
        return f"{value:,.0f}"
    if value != 0 and size < 1e-3:
        digits -= 1
    mantissa, _, exponent = f"{value:,.{digits}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def thinned(points: Points) -> Points:
    """Thin a long curve to the means of its stretches; a stretch with a gap in it is a gap."""
    if len(points) <= MOST_POINTS:
        return points
    length = math.ceil(len(points) / MOST_POINTS)
    stretches = [points[start : start + length] for start in range(0, len(points), length)]
    return [
        (sum(x for x, _ in stretch) / len(stretch), sum(y for _, y in stretch) / len(stretch))
        for stretch in stretches
    ]


def _is_finite(point: tuple[float, float]) -> bool:
    return all(map(math.isfinite, point))


def _finite_runs(points: Points) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if _is_finite(point):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
