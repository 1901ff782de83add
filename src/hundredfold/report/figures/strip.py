"""One model's accuracies on a line: each draw a dot, the mean a tick, mean ± 2 standard deviations a bar.

Meant for a column of a table: all strips of a table share one scale, written in its heading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from hundredfold.report.figures.scale import Scale, thinned, ticks
from hundredfold.report.figures.svg import element, figure, text_width

EDGE = 16.0  # px: half a tick label


def strip(
    values: Sequence[float],
    *,
    mean: float,
    interval: tuple[float, float] | None,
    limits: tuple[float, float],
    colour: str,
    title: str,
    description: str,
    width: float = 220,
) -> Markup:
    """The strip of one row; `limits` are the ends of the scale, the same for every row of a table."""
    x = _scale(limits, width)
    parts = [element("line", x1=x.start, x2=x.end, y1=11, y2=11, class_="grid")]
    if interval:
        low, high = x(interval[0]), x(interval[1])
        parts.append(element("rect", x=low, y=6, width=max(1.0, high - low), height=10, rx=5, class_=f"reach {colour}"))
    parts += [element("circle", cx=x(value), cy=11, r=2.6, class_=f"draw {colour}") for value in values]
    parts.append(element("rect", x=x(mean) - 1.25, y=2, width=2.5, height=18, rx=1, class_=f"mean {colour}"))
    return figure(width, 22, title, description, *parts, class_="strip")


def strip_axis(limits: tuple[float, float], write: Callable[[float], str], *, width: float = 220) -> Markup:
    """The scale of the strips below it."""
    x = _scale(limits, width)
    wanted = ticks(*limits, about=3)
    room = max(text_width(write(tick)) for tick in wanted) + 4
    marks = [
        element("text", write(tick), x=x(tick), y=12, text_anchor="middle", class_="tick")
        for tick in thinned(wanted, x, room)
    ]
    return figure(width, 18, "Scale", f"From {write(limits[0])} to {write(limits[1])}", *marks, class_="strip")


def share_bar(share: float, *, title: str, colour: str = "k0", width: float = 120) -> Markup:
    """A share 0..1 as the filled part of a bar."""
    filled = max(1.0, width * min(1.0, max(0.0, share)))
    return figure(
        width,
        8,
        title,
        "",
        element("rect", x=0, y=0, width=width, height=8, rx=4, class_="track"),
        element("rect", x=0, y=0, width=filled, height=8, rx=4, class_=f"fill {colour}"),
        class_="bar",
    )


def _scale(limits: tuple[float, float], width: float) -> Scale:
    return Scale(low=limits[0], high=limits[1], start=EDGE, end=width - EDGE)
