"""Estimates with their intervals, one below the other beside their names: a forest plot.

Each estimate is a dot on the line of its interval, with the values it is the mean of as faint dots; a marked value
("no difference") goes through all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.report.figures.legend import Entry, legend, legend_height
from hundredfold.report.figures.scale import Scale, thinned, ticks, widened
from hundredfold.report.figures.svg import element, figure, text_width

NARROW = 480.0  # px: below it, names stand above their estimates instead of left of them
LANE = 15.0  # px of height of an estimate
SPACE = 11.0  # px between rows
LINE = 17.0  # px of height of a name above its row
BOTTOM = 44.0  # px for tick labels and the name of the axis
EDGE = 14.0  # px: half a tick label
RADIUS = 4.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean, the ends of its interval (None where it has none), what it is the mean of, its style class ("k0"), and
    what it says when pointed at."""

    mean: float
    low: float | None = None
    high: float | None = None
    values: tuple[float, ...] = ()
    colour: str = "k0"
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One name with its estimates from top to bottom; a soft one is written paler, and a heading stands above it."""

    name: str
    estimates: tuple[Estimate, ...]
    soft: bool = False
    heading: str = ""


def intervals(
    rows: Sequence[Row],
    *,
    title: str,
    description: str,
    x_name: str,
    write: Callable[[float], str],
    groups: Sequence[tuple[str, str]] = (),
    mark: float = 0.0,
    width: float = 720,
) -> Markup:
    """The plot; its height follows from the rows.

    Args:
        rows: at least one with an estimate.
        title, description: what a screen reader says.
        x_name, write: of the axis.
        groups: (name, style class) of what the colours mean, for a legend.
        mark: the value that a line marks; always inside the plot.
        width: px.
    """
    narrow = width < NARROW
    entries = [Entry(name=name, mark=_dot(9, 0, colour)) for name, colour in groups]
    tops, bottom = _tops(rows, legend_height(entries, width) + 10, narrow)
    left = EDGE if narrow else max(text_width(row.name) for row in rows) + EDGE + 10
    low, high = _limits(rows, mark)
    x = Scale(low=low, high=high, start=left, end=width - EDGE)
    parts = [legend(entries, width, 0), _frame(x, mark, min(tops) - SPACE / 2, bottom, x_name, write, width)]
    for row, top in zip(rows, tops, strict=True):
        parts.append(_name(row, top, left, narrow))
        parts += [_estimate(one, x, top + (place + 0.5) * LANE) for place, one in enumerate(row.estimates)]
    return figure(width, bottom + BOTTOM, title, description, *parts)


def _limits(rows: Sequence[Row], mark: float) -> tuple[float, float]:
    seen = [mark]
    for one in (one for row in rows for one in row.estimates):
        seen += [one.mean, *one.values, *(end for end in (one.low, one.high) if end is not None)]
    return widened(min(seen), max(seen))


def _tops(rows: Sequence[Row], top: float, narrow: bool) -> tuple[list[float], float]:
    """Where the estimates of each row begin, and where the last row ends."""
    tops = []
    for row in rows:
        top += LINE + SPACE if row.heading else 0.0
        top += LINE if narrow else 0.0
        tops.append(top)
        top += max(1, len(row.estimates)) * LANE + SPACE
    return tops, top


def _frame(
    x: Scale, mark: float, top: float, bottom: float, name: str, write: Callable[[float], str], width: float
) -> Markup:
    """Grid, the marked value, tick labels and the name of the axis."""
    wanted = ticks(x.low, x.high, 4 if width < NARROW else 6)
    room = max(text_width(write(tick)) for tick in wanted) + 6
    shown = thinned(wanted, x, room)
    parts = [element("line", x1=x(tick), x2=x(tick), y1=top, y2=bottom, class_="grid") for tick in shown]
    parts.append(element("line", x1=x(mark), x2=x(mark), y1=top, y2=bottom, class_="zero"))
    parts.append(element("line", x1=x.start, x2=x.end, y1=bottom, y2=bottom, class_="axis"))
    parts += [
        element("text", write(tick), x=x(tick), y=bottom + 18, text_anchor="middle", class_="tick") for tick in shown
    ]
    parts.append(element("text", name, x=x.end, y=bottom + 38, text_anchor="end", class_="name"))
    return Markup("").join(parts)


def _name(row: Row, top: float, left: float, narrow: bool) -> Markup:
    style = "label note" if row.soft else "label"
    above = top - (LINE if narrow else 0.0)
    heading = element("text", row.heading, x=0, y=above - SPACE + 4, class_="name halo") if row.heading else Markup("")
    if narrow:
        return heading + element("text", row.name, x=0, y=top - 4, class_=f"{style} halo")
    middle = top + max(1, len(row.estimates)) * LANE / 2
    return heading + element("text", row.name, x=left - EDGE - 10, y=middle + 4, text_anchor="end", class_=style)


def _estimate(one: Estimate, x: Scale, y: float) -> Markup:
    parts = [element("title", one.note)] if one.note else []
    parts += [element("circle", cx=x(value), cy=y, r=2.2, class_=f"value {one.colour}") for value in one.values]
    if one.low is not None and one.high is not None:
        parts.append(element("line", x1=x(one.low), x2=x(one.high), y1=y, y2=y, class_=f"reach-line {one.colour}"))
    return element("g", *parts, _dot(x(one.mean), y, one.colour))


def _dot(x: float, y: float, colour: str) -> Markup:
    return element("circle", cx=x, cy=y, r=RADIUS, class_=f"dot {colour}")
