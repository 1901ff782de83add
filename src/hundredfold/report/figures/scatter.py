"""Images as points of a plane, coloured by group.

A group is one path of strokes without length, which round caps make dots: 5,000 points weigh a tenth of what as many
circles would. Groups beyond the palette take turns with another shape.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.report.figures.axes import BOTTOM, TOP, Axis, frame, left_margin
from hundredfold.report.figures.legend import Entry, legend, legend_height
from hundredfold.report.figures.scale import Scale, ticks
from hundredfold.report.figures.svg import coordinate, element, figure

POINTS = 5_000  # drawn at most
PALETTE = 10  # k0 .. k9
SHAPES = ("round", "square", "ring")
NAMED = PALETTE * len(SHAPES)  # groups that can be told apart; the others share one mark
EDGE = 10.0  # px between the outermost points and the frame
OTHERS = "others"
GROUPLESS = frozenset({"none", "no label"})  # names of points that belong to no group: grey, below the others
WRITTEN = 20  # groups whose names are written into the plot
SHORT = 12  # characters of such a name


@dataclass(frozen=True, kw_only=True)
class Group:
    """Points of one colour and shape; without a name where there are no groups."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


def scatter(
    x: Sequence[float],
    y: Sequence[float],
    groups: Sequence[str] = (),
    *,
    title: str,
    description: str,
    x_name: str = "",
    y_name: str = "",
    write: Callable[[float], str] = str,
    most: int = POINTS,
    width: float = 720,
    height: float = 480,
) -> Markup:
    """The plot; without names of the axes they mean nothing, and a px is as far across as up.

    Args:
        x, y: coordinates of each point; points that are not finite are left out.
        groups: the name of each point's group, or none at all.
        title, description: what a screen reader says.
        x_name, y_name: what the axes are.
        write: a coordinate on an axis.
        most: points that are drawn, evenly spread over all.
        width, height: px, those of the legend not among them.

    Raises:
        ValueError: lists of different lengths.
    """
    found = grouped(x, y, groups, most)
    entries = [Entry(name=group.name, mark=_swatch(group.style)) for group in found if group.name]
    named = legend_height(entries, width) + 8 * bool(entries)
    top, height = TOP * bool(y_name) + named, height + named
    places = [point for group in found for point in group.points] or [(0.0, 0.0)]
    if x_name or y_name:
        x_scale, y_scale, surround = _with_axes(places, x_name, y_name, write, width, height, top)
    else:
        x_scale, y_scale, surround = _without_axes(places, width, height, top)
    size = point_size(len(places))
    parts = [surround, legend(entries, width, TOP - 14 if y_name else 0)]
    parts += [_marks(group, x_scale, y_scale, size) for group in found]
    if len(found) <= WRITTEN:
        parts += [_name(group, x_scale, y_scale) for group in found if 0 < len(group.name) <= SHORT]
    return figure(width, height, title, description, *parts)


def grouped(x: Sequence[float], y: Sequence[float], groups: Sequence[str], most: int = POINTS) -> list[Group]:
    """The points that are drawn, by group, the groups in the order in which a person counts.

    Raises:
        ValueError: lists of different lengths.
    """
    names = groups or [""] * len(x)
    points = [
        (name, across, up)
        for name, across, up in zip(names, x, y, strict=True)
        if math.isfinite(across) and math.isfinite(up)
    ]
    points.sort(key=lambda point: _order(point[0]))  # then every so many-th point is every so many-th of each group
    kept = min(most, len(points))
    by_name: dict[str, list[tuple[float, float]]] = {}
    for position in range(kept):
        name, across, up = points[position * len(points) // kept]
        by_name.setdefault(name, []).append((across, up))
    return _styled(list(by_name.items()))


def point_size(count: int) -> float:
    """The diameter of a point, in px: the more there are, the smaller, so that they do not become one spot."""
    return max(2.6, min(7.0, 130 / math.sqrt(max(1, count))))


def _styled(named: list[tuple[str, list[tuple[float, float]]]]) -> list[Group]:
    without = [Group(name=name, style="others", points=points) for name, points in named if name in GROUPLESS]
    named = [(name, points) for name, points in named if name not in GROUPLESS]
    drawn = without + [
        Group(name=name, style=f"{SHAPES[position // PALETTE]} k{position % PALETTE}", points=points)
        for position, (name, points) in enumerate(named[:NAMED])
    ]
    rest = [point for _, points in named[NAMED:] for point in points]
    if rest:
        drawn.append(Group(name=f"{len(named) - NAMED} {OTHERS}", style="others", points=rest))
    return drawn


def _with_axes(
    places: Sequence[tuple[float, float]],
    x_name: str,
    y_name: str,
    write: Callable[[float], str],
    width: float,
    height: float,
    top: float,
) -> tuple[Scale, Scale, Markup]:
    (left_x, right_x), (low_y, high_y) = (_range([point[axis] for point in places]) for axis in (0, 1))
    marks = ticks(low_y, high_y)
    left = left_margin([write(tick) for tick in marks])
    across = Scale(low=left_x, high=right_x, start=left + EDGE, end=width - EDGE)
    up = Scale(low=low_y, high=high_y, start=height - BOTTOM - EDGE, end=top + EDGE)
    x = Axis(name=x_name, scale=across, ticks=ticks(left_x, right_x, 4 if width < 480 else 6), write=write)
    return across, up, frame(x, Axis(name=y_name, scale=up, ticks=marks, write=write))


def _without_axes(
    places: Sequence[tuple[float, float]], width: float, height: float, top: float
) -> tuple[Scale, Scale, Markup]:
    """A panel in which distances are those of the plane."""
    (left_x, right_x), (low_y, high_y) = (_range([point[axis] for point in places]) for axis in (0, 1))
    unit = max((right_x - left_x) / (width - 2 * EDGE), (high_y - low_y) / (height - top - 2 * EDGE))
    half_x, half_y = unit * (width / 2 - EDGE), unit * ((height - top) / 2 - EDGE)
    middle_x, middle_y = (left_x + right_x) / 2, (low_y + high_y) / 2
    across = Scale(low=middle_x - half_x, high=middle_x + half_x, start=EDGE, end=width - EDGE)
    up = Scale(low=middle_y - half_y, high=middle_y + half_y, start=height - EDGE, end=top + EDGE)
    panel = element("rect", x=0.5, y=top + 0.5, width=width - 1, height=height - top - 1, rx=4, class_="outline")
    return across, up, panel


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _marks(group: Group, x: Scale, y: Scale, size: float) -> Markup:
    steps = "".join(f"M{coordinate(x(across))} {coordinate(y(up))}h0" for across, up in group.points)
    name = [element("title", group.name)] if group.name else []
    return element("g", *name, *_strokes(group.style, steps, size), class_="points")


def _name(group: Group, x: Scale, y: Scale) -> Markup:
    """The group's name where its middle is; medians, so that outliers do not move it."""
    across, up = (statistics.median(point[axis] for point in group.points) for axis in (0, 1))
    return element("text", group.name, x=x(across), y=y(up) + 4, text_anchor="middle", class_="label strong halo")


def _swatch(style: str) -> Markup:
    return Markup("").join(_strokes(style, "M12 0h0", 9.0))


def _strokes(style: str, steps: str, size: float) -> list[Markup]:
    parts = [element("path", d=steps, class_=f"point {style}", stroke_width=size)]
    if style.startswith("ring"):  # the page shows through
        parts.append(element("path", d=steps, class_="point hole", stroke_width=size * 0.5))
    return parts


def _order(name: str) -> list[tuple[int, str]]:
    """Sorts "2" before "10": numbers in a name by their length, then as text."""
    return [(len(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name)]
