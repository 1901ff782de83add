"""The frame that line charts and histograms share: grid, tick labels, axis names, levels worth knowing.

The name of the y axis stands above it, level with the eye, instead of being turned on its side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.report.figures.scale import Scale
from hundredfold.report.figures.svg import element, text_width

TOP = 34.0  # room for the name of the y axis
BOTTOM = 46.0  # room for tick labels and the name of the x axis


@dataclass(frozen=True, kw_only=True)
class Level:
    """A value of the y axis that is marked by a dashed line and its name."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis: its name, where values go, which are written, and how."""

    name: str
    scale: Scale
    ticks: Sequence[float]
    write: Callable[[float], str]


def left_margin(written: Sequence[str]) -> float:
    """Room for the tick labels of the y axis, in px."""
    return max((text_width(text) for text in written), default=0.0) + 10


def frame(x: Axis, y: Axis) -> Markup:
    """Grid lines, tick labels and names of two axes."""
    bottom, right = y.scale.start, x.scale.end
    marks = [
        element("line", x1=x.scale.start, x2=right, y1=y.scale(tick), y2=y.scale(tick), class_="grid")
        for tick in y.ticks
    ]
    marks += [
        element("text", y.write(tick), x=x.scale.start - 8, y=y.scale(tick) + 4, text_anchor="end", class_="tick")
        for tick in y.ticks
    ]
    for tick in x.ticks:
        position = x.scale(tick)
        marks.append(element("line", x1=position, x2=position, y1=bottom, y2=bottom + 4, class_="axis"))
        marks.append(element("text", x.write(tick), x=position, y=bottom + 18, text_anchor="middle", class_="tick"))
    marks.append(element("line", x1=x.scale.start, x2=right, y1=bottom, y2=bottom, class_="axis"))
    marks.append(element("text", x.name, x=right, y=bottom + 38, text_anchor="end", class_="name"))
    if y.name:
        marks.append(element("text", y.name, x=0, y=12, class_="name"))
    return Markup("").join(marks)


def level_marks(levels: Sequence[Level], x: Scale, y: Axis) -> Markup:
    """Levels as dashed lines; one outside the axis as a named arrow at the edge it lies beyond."""
    marks = []
    for level in levels:
        text = f"{level.name} {y.write(level.value)}"
        above, below = level.value > y.scale.high, level.value < y.scale.low
        position = y.scale(level.value)
        if above or below:
            text = f"{'↑' if above else '↓'} {text}, beyond this axis"
        else:
            marks.append(element("line", x1=x.start, x2=x.end, y1=position, y2=position, class_="level"))
        shift = 14 if above or position - y.scale.end < 14 else -6
        marks.append(element("text", text, x=x.end - 4, y=position + shift, text_anchor="end", class_="note halo"))
    return Markup("").join(marks)
