"""Lines over a common axis, each with a band around it, named at its end or, where it is narrow, in a legend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.report.figures.axes import BOTTOM, TOP, Axis, Level, frame, left_margin, level_marks
from hundredfold.report.figures.legend import Entry, legend, legend_height, swatch
from hundredfold.report.figures.scale import Scale, spread_apart, thinned, ticks, wants_logarithm, widened
from hundredfold.report.figures.svg import element, figure, path, text_width

NARROW = 480  # px: below this, lines are named in a legend
CLOSE = 16.0  # px between the names at the ends of lines


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line.

    Attributes:
        name: as written beside it.
        colour: its style class ("k0" .. "k8").
        points: (x, y), x rising.
        band: (low, high) at each point, or empty.
        notes: what each point says when pointed at.
        dashed: drawn broken.
        strong: drawn thicker than the rest.
        dots: whether each point is marked.
    """

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]] = ()
    notes: Sequence[str] = ()
    dashed: bool = False
    strong: bool = False
    dots: bool = True


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    description: str,
    x_name: str,
    y_name: str,
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
    levels: Sequence[Level] = (),
    limits: tuple[float, float] = (-math.inf, math.inf),
    also: Sequence[float] = (),
    x_ticks: Sequence[float] = (),
    logarithmic: bool = False,
    width: float = 720,
    height: float = 380,
) -> Markup:
    """The chart.

    Args:
        levels: values worth knowing; the axis is stretched to them as long as the lines keep a third of its height.
        limits: the axis never goes outside, as accuracy stays within 0..1.
        also: values that the y axis has room for besides: those of a chart beside it, that both may share one axis.
        x_ticks: what to write below the axis, instead of round numbers; thinned where crowded.
        logarithmic: equal factors of x are equal steps; also so where x spreads far.
    """
    lines = [line for line in lines if line.points]
    entries = [Entry(name=line.name, mark=_mark(line)) for line in lines]
    narrow = width < NARROW
    top = TOP + (legend_height(entries, width) if narrow else 0)
    y_low, y_high = _y_range(lines, levels, limits, also)
    y_scale = Scale(low=y_low, high=y_high, start=height - BOTTOM, end=top)
    y = Axis(name=y_name, scale=y_scale, ticks=ticks(y_low, y_high, 4 if narrow else 5), write=write_y)

    right = 14 if narrow else max((text_width(line.name) for line in lines), default=0) + 26
    xs = sorted({point[0] for line in lines for point in line.points})
    logarithmic = logarithmic or wants_logarithm(xs)
    x_scale = Scale(
        low=xs[0] if xs else 0,
        high=xs[-1] if xs else 1,
        start=left_margin([write_y(tick) for tick in y.ticks]),
        end=width - right,
        logarithmic=logarithmic,
    )
    wanted = x_ticks or (xs if logarithmic else ticks(x_scale.low, x_scale.high, 5 if narrow else 8))
    room = max((text_width(write_x(tick)) for tick in wanted), default=0) + 12
    x = Axis(name=x_name, scale=x_scale, ticks=thinned(wanted, x_scale, room), write=write_x)

    parts = [frame(x, y)]
    parts += [_band(line, x_scale, y_scale) for line in lines]
    parts.append(level_marks(levels, x_scale, y))
    parts += [_line(line, x_scale, y_scale) for line in lines]
    parts.append(legend(entries, width, TOP - 12) if narrow else _names_at_ends(lines, x_scale, y_scale))
    return figure(width, height, title, description, *parts)


def _y_range(
    lines: Sequence[Line], levels: Sequence[Level], limits: tuple[float, float], also: Sequence[float]
) -> tuple[float, float]:
    values = [*also, *(value for line in lines for _, value in line.points)]
    values += [end for line in lines for pair in line.band for end in pair]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    span = (high - low) or abs(high) or 1.0
    for level in sorted(levels, key=lambda level: max(low - level.value, level.value - high)):
        if max(high, level.value) - min(low, level.value) <= 3 * span:
            low, high = min(low, level.value), max(high, level.value)
    low, high = widened(low, high)
    return max(low, limits[0]), min(high, limits[1])


def _band(line: Line, x: Scale, y: Scale) -> Markup:
    if not line.band:
        return Markup("")
    upper = [(x(point[0]), y(high)) for point, (_, high) in zip(line.points, line.band, strict=True)]
    lower = [(x(point[0]), y(low)) for point, (low, _) in zip(line.points, line.band, strict=True)]
    return element("path", d=path(upper + lower[::-1], closed=True), class_=f"band {line.colour}")


def _line(line: Line, x: Scale, y: Scale) -> Markup:
    places = [(x(across), y(up)) for across, up in line.points]
    style = f"line {line.colour}{' strong' if line.strong else ''}{' dashed' if line.dashed else ''}"
    parts = [element("path", d=path(places), class_=style)]
    notes = list(line.notes) or [""] * len(places)
    for (across, up), note in zip(places, notes, strict=True):
        name = [element("title", note)] if note else []
        if line.dots or len(places) == 1:
            parts.append(element("circle", cx=across, cy=up, r=4 if line.strong else 3, class_=f"dot {line.colour}"))
        if note:  # a larger, unseen target for the pointer
            parts.append(element("circle", *name, cx=across, cy=up, r=9, class_="target"))
    return element("g", *parts)


def _names_at_ends(lines: Sequence[Line], x: Scale, y: Scale) -> Markup:
    ends = [y(line.points[-1][1]) for line in lines]
    placed = spread_apart(ends, CLOSE, y.end, y.start)
    parts = []
    for line, end, place in zip(lines, ends, placed, strict=True):
        start = x(line.points[-1][0])
        leader = [(start + 6, end), (x.end + 14, place)]
        parts.append(element("path", d=path(leader), class_=f"leader {line.colour}"))
        weight = "label strong" if line.strong else "label"
        parts.append(element("text", line.name, x=x.end + 18, y=place + 4, class_=f"{weight} {line.colour}"))
    return Markup("").join(parts)


def _mark(line: Line) -> Markup:
    return swatch(f"line {line.colour}{' strong' if line.strong else ''}{' dashed' if line.dashed else ''}")
