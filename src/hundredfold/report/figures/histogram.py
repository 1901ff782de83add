"""Two histograms over one axis, each as a share of its own count, with its mean marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.report.figures.axes import BOTTOM, TOP, Axis, frame, left_margin
from hundredfold.report.figures.legend import Entry, legend, legend_height
from hundredfold.report.figures.scale import Scale, ticks
from hundredfold.report.figures.svg import element, figure, path, text_width


@dataclass(frozen=True, kw_only=True)
class Hill:
    """One histogram: `edges` are one more than `counts`; `mean` is marked."""

    name: str
    colour: str
    edges: Sequence[float]
    counts: Sequence[int]
    mean: float

    @property
    def shares(self) -> list[float]:
        """Each count as a share of all."""
        total = sum(self.counts) or 1
        return [count / total for count in self.counts]


def histogram(
    hills: Sequence[Hill],
    *,
    title: str,
    description: str,
    x_name: str,
    y_name: str,
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
    width: float = 720,
    height: float = 320,
) -> Markup:
    """The figure; every hill is named in the legend and its mean written above its line."""
    entries = [Entry(name=hill.name, mark=_block(hill.colour)) for hill in hills]
    top = TOP + legend_height(entries, width) + 16
    tallest = max((share for hill in hills for share in hill.shares), default=0) or 1.0
    y_scale = Scale(low=0, high=tallest, start=height - BOTTOM, end=top)
    y = Axis(name=y_name, scale=y_scale, ticks=ticks(0, tallest, 3), write=write_y)
    edges = [edge for hill in hills for edge in hill.edges] or [-1.0, 1.0]
    x_scale = Scale(
        low=min(edges), high=max(edges), start=left_margin([write_y(tick) for tick in y.ticks]), end=width - 14
    )
    x = Axis(name=x_name, scale=x_scale, ticks=ticks(x_scale.low, x_scale.high, 4), write=write_x)
    parts = [frame(x, y), legend(entries, width, TOP - 12)]
    parts += [_outline(hill, x_scale, y_scale) for hill in hills]
    parts.append(_means(hills, x_scale, y_scale, write_x))
    return figure(width, height, title, description, *parts)


def _outline(hill: Hill, x: Scale, y: Scale) -> Markup:
    corners = [(x(hill.edges[0]), y(0))]
    for share, left, right in zip(hill.shares, hill.edges, hill.edges[1:]):
        corners += [(x(left), y(share)), (x(right), y(share))]
    corners.append((x(hill.edges[-1]), y(0)))
    return element(
        "g",
        element("title", hill.name),
        element("path", d=path(corners, closed=True), class_=f"hill {hill.colour}"),
        element("path", d=path(corners), class_=f"line thin {hill.colour}"),
    )


def _means(hills: Sequence[Hill], x: Scale, y: Scale, write: Callable[[float], str]) -> Markup:
    parts = []
    for hill in hills:
        place, text = x(hill.mean), f"mean {write(hill.mean)}"
        half = text_width(text) / 2
        centre = min(max(place, x.start + half), x.end - half)
        parts.append(
            element("line", x1=place, x2=place, y1=y.start, y2=y.end - 4, class_=f"line thin dashed {hill.colour}")
        )
        parts.append(element("text", text, x=centre, y=y.end - 10, text_anchor="middle", class_=f"label {hill.colour}"))
    return Markup("").join(parts)


def _block(colour: str) -> Markup:
    return element("rect", x=0, y=-6, width=18, height=12, rx=2, class_=f"hill solid {colour}")
