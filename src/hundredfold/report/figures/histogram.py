"""Histograms over one axis, each as a share of its own count, with its mean and other values of the axis marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.report.figures.axes import BOTTOM, TOP, Axis, frame, left_margin
from hundredfold.report.figures.legend import Entry, legend, legend_height, swatch
from hundredfold.report.figures.scale import Scale, ticks
from hundredfold.report.figures.svg import element, figure, path, text_width

ROW = 16.0  # px of the labels of marks


@dataclass(frozen=True, kw_only=True)
class Hill:
    """One histogram: `edges` are one more than `counts`; an `outline` is not filled, and its `mean` not marked."""

    name: str
    colour: str
    edges: Sequence[float]
    counts: Sequence[int]
    mean: float
    outline: bool = False

    @property
    def shares(self) -> list[float]:
        """Each count as a share of all."""
        total = sum(self.counts) or 1
        return [count / total for count in self.counts]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A value of the x axis worth knowing.

    Attributes:
        text: written above its line, or with an arrow where the value lies beyond the axis.
        value: where.
        style: style classes of the text.
        line: of the line.
    """

    text: str
    value: float
    style: str = "note"
    line: str = "level"


def histogram(
    hills: Sequence[Hill],
    *,
    marks: Sequence[Mark] = (),
    title: str,
    description: str,
    x_name: str,
    y_name: str,
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
    width: float = 720,
    height: float = 320,
) -> Markup:
    """The figure; every hill is named in the legend, and means and marks are written above their lines."""
    entries = [Entry(name=hill.name, mark=_block(hill)) for hill in hills]
    tallest = max((share for hill in hills for share in hill.shares), default=0) or 1.0
    heights = ticks(0, tallest, 3)
    edges = [edge for hill in hills for edge in hill.edges] or [-1.0, 1.0]
    left = left_margin([write_y(height) for height in heights])
    x_scale = Scale(low=min(edges), high=max(edges), start=left, end=width - 14)
    labels = _labels([*(_mean(hill, write_x) for hill in hills if not hill.outline), *marks], x_scale)
    top = TOP + legend_height(entries, width) + ROW * (1 + max((label.row for label in labels), default=0))
    y_scale = Scale(low=0, high=tallest, start=height - BOTTOM, end=top)
    y = Axis(name=y_name, scale=y_scale, ticks=heights, write=write_y)
    x = Axis(name=x_name, scale=x_scale, ticks=ticks(x_scale.low, x_scale.high, 4), write=write_x)
    parts = [frame(x, y), legend(entries, width, TOP - 12)]
    parts += [_outline(hill, x_scale, y_scale) for hill in hills]
    parts.append(_marks(labels, x_scale, y_scale))
    return figure(width, height, title, description, *parts)


def _outline(hill: Hill, x: Scale, y: Scale) -> Markup:
    corners = [(x(hill.edges[0]), y(0))]
    for share, left, right in zip(hill.shares, hill.edges, hill.edges[1:]):
        corners += [(x(left), y(share)), (x(right), y(share))]
    corners.append((x(hill.edges[-1]), y(0)))
    return element(
        "g",
        element("title", hill.name),
        "" if hill.outline else element("path", d=path(corners, closed=True), class_=f"hill {hill.colour}"),
        element("path", d=path(corners), class_=f"line thin {hill.colour}{' dotted' if hill.outline else ''}"),
    )


@dataclass(frozen=True, kw_only=True)
class _Label:
    """A mark with the text that is written, where its centre is, and in which row above the plot, from the lowest."""

    mark: Mark
    text: str
    centre: float
    row: int


def _mean(hill: Hill, write: Callable[[float], str]) -> Mark:
    return Mark(
        text=f"mean {write(hill.mean)}",
        value=hill.mean,
        style=f"label {hill.colour}",
        line=f"line thin dashed {hill.colour}",
    )


def _labels(marks: Sequence[Mark], x: Scale) -> list[_Label]:
    """Each text above its line, in the lowest row where there is room beside those before it."""
    placed: list[_Label] = []
    for mark in marks:
        text = mark.text if x.low <= mark.value <= x.high else f"{mark.text} {'→' if mark.value > x.high else '←'}"
        half = text_width(text) / 2
        centre = min(max(x(mark.value), x.start + half), x.end - half)
        taken = {label.row for label in placed if abs(label.centre - centre) < half + text_width(label.text) / 2 + 12}
        row = next(row for row in range(len(placed) + 1) if row not in taken)
        placed.append(_Label(mark=mark, text=text, centre=centre, row=row))
    return placed


def _marks(labels: Sequence[_Label], x: Scale, y: Scale) -> Markup:
    lines, texts = [], []
    for label in labels:
        place, height = x(label.mark.value), y.end - 10 - ROW * label.row
        if x.low <= label.mark.value <= x.high:
            lines.append(element("line", x1=place, x2=place, y1=y.start, y2=height + 6, class_=label.mark.line))
        style = f"{label.mark.style} halo"
        texts.append(element("text", label.text, x=label.centre, y=height, text_anchor="middle", class_=style))
    return Markup("").join(lines + texts)


def _block(hill: Hill) -> Markup:
    if hill.outline:
        return swatch(f"line thin {hill.colour} dotted")
    return element("rect", x=0, y=-6, width=18, height=12, rx=2, class_=f"hill solid {hill.colour}")
