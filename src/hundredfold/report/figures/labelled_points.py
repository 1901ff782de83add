"""A few points of a plane, each with its name beside it: where there is room, and no name on another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.report.figures.axes import BOTTOM, TOP, Axis, Level, frame, left_margin, level_marks
from hundredfold.report.figures.legend import Entry, legend, legend_height
from hundredfold.report.figures.scale import Scale, ticks, widened
from hundredfold.report.figures.svg import element, figure, path, text_width

RADIUS = 5.0  # px of a point
LINE = 15.0  # px that a line of text takes
NEAR, FAR = 10.0, 24.0  # px between a point and its name; from the second on, a line leads there
ROUNDS = 4  # of choosing places for names
RIGHT = 20.0  # px: half a tick label
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point: its name, style class ("k0" .. "k9"), place, and what it says when pointed at."""

    name: str
    colour: str
    x: float
    y: float
    note: str = ""


def labelled_points(
    points: Sequence[Point],
    *,
    title: str,
    description: str,
    x_name: str,
    y_name: str,
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
    groups: Sequence[tuple[str, str]] = (),
    levels: Sequence[Level] = (),
    limits: tuple[tuple[float, float], tuple[float, float]],
    width: float = 720,
    height: float = 420,
) -> Markup:
    """The plot.

    Args:
        points: at least one.
        title, description: what a screen reader says.
        x_name, y_name, write_x, write_y: of the axes.
        groups: (name, style class) of what the colours mean, for a legend.
        levels: values of the y axis worth knowing; it has room for all of them.
        limits: (lowest, highest) that x and y never go outside of.
        width, height: px.
    """
    entries = [Entry(name=name, mark=_dot(9, 0, colour)) for name, colour in groups]
    top = TOP + legend_height(entries, width)
    low_y, high_y = _within([point.y for point in points] + [level.value for level in levels], limits[1])
    low_x, high_x = _within([point.x for point in points], limits[0])
    up = Scale(low=low_y, high=high_y, start=height - BOTTOM, end=top)
    y = Axis(name=y_name, scale=up, ticks=ticks(low_y, high_y), write=write_y)
    left = left_margin([write_y(tick) for tick in y.ticks]) + RADIUS
    across = Scale(low=low_x, high=high_x, start=left, end=width - RIGHT)
    x = Axis(name=x_name, scale=across, ticks=ticks(low_x, high_x, 4 if width < 480 else 6), write=write_x)
    places = [(across(point.x), up(point.y)) for point in points]
    boxes = label_boxes(places, [text_width(point.name) for point in points], (left, top, width, height - BOTTOM))
    parts = [frame(x, y), legend(entries, width, TOP - 12), level_marks(levels, across, y)]
    parts += [_leader(point, place, box) for point, place, box in zip(points, places, boxes, strict=True)]
    parts += [_point(point, place) for point, place in zip(points, places, strict=True)]
    parts += [_name(point, box) for point, box in zip(points, boxes, strict=True)]
    return figure(width, height, title, description, *parts)


def label_boxes(places: Sequence[tuple[float, float]], widths: Sequence[float], room: Box) -> list[Box]:
    """A box for each name beside its point: the first of some places that touches no other name or point, or the one
    that touches least. Chosen again a few times, since the first to choose did not know of the others."""
    dots = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in places]
    around = [_around(place, width) for place, width in zip(places, widths, strict=True)]
    possible = [[box for box in boxes if _inside(box, room)] or boxes for boxes in around]
    taken: dict[int, Box] = {}
    for _ in range(ROUNDS):
        for position, boxes in enumerate(possible):
            others = [*dots, *(box for other, box in taken.items() if other != position)]
            taken[position] = min(boxes, key=lambda box: sum(_overlap(box, other) for other in others))
    return [taken[position] for position in range(len(places))]


def _around(place: tuple[float, float], width: float) -> list[Box]:
    """Right, left, above, below, then the same farther away and the corners: the best first."""
    x, y = place
    boxes = []
    for gap in (NEAR, FAR, FAR + LINE, FAR + 2 * LINE):
        starts = [
            (x + gap, y - LINE / 2),
            (x - gap - width, y - LINE / 2),
            (x - width / 2, y - gap - LINE + 3),
            (x - width / 2, y + gap - 3),
            (x + gap, y - gap - LINE / 2),
            (x + gap, y + gap - LINE / 2),
            (x - gap - width, y - gap - LINE / 2),
            (x - gap - width, y + gap - LINE / 2),
        ]
        boxes += [(left, top, left + width, top + LINE) for left, top in starts]
    return boxes


def _inside(box: Box, room: Box) -> bool:
    return box[0] >= room[0] and box[1] >= room[1] and box[2] <= room[2] and box[3] <= room[3]


def _overlap(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, up)


def _leader(point: Point, place: tuple[float, float], box: Box) -> Markup:
    x, y = place
    end = min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])
    if abs(end[0] - x) < FAR - 4 and abs(end[1] - y) < FAR - 4:
        return Markup("")
    return element("path", d=path([place, end]), class_=f"leader {point.colour}")


def _point(point: Point, place: tuple[float, float]) -> Markup:
    name = [element("title", point.note)] if point.note else []
    return element("g", *name, _dot(*place, point.colour))


def _name(point: Point, box: Box) -> Markup:
    return element("text", point.name, x=box[0], y=box[3] - 4, class_=f"label halo {point.colour}")


def _dot(x: float, y: float, colour: str) -> Markup:
    return element("circle", cx=x, cy=y, r=RADIUS, class_=f"dot {colour}")


def _within(values: Sequence[float], limits: tuple[float, float]) -> tuple[float, float]:
    low, high = widened(min(values), max(values))
    return max(low, limits[0]), min(high, limits[1])
