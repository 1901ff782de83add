"""A reliability diagram: confidence against accuracy, a dot for each bin, and its distance from the diagonal.

Source: DeGroot & Fienberg, "The Comparison and Evaluation of Forecasters", The Statistician 32 (1983), as drawn by
Guo et al. 2017, figure 1. A dot is as large as its share of the predictions, so that a bin with hardly any does not
shout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from hundredfold.report.figures.axes import BOTTOM, TOP, Axis, frame, left_margin
from hundredfold.report.figures.scale import Scale, ticks
from hundredfold.report.figures.svg import element, figure
from hundredfold.trust_records import ReliabilityBin

SMALLEST, LARGEST = 3.0, 15.0  # px: radius of a dot that holds nothing, and of one that holds everything
FEW = 20  # predictions: with fewer in a bin, its distance from the diagonal is chance, and is not drawn
RIGHT = 20.0  # px: half a tick label


def reliability_diagram(
    bins: Sequence[ReliabilityBin],
    *,
    title: str,
    description: str,
    write: Callable[[float], str],
    note: Callable[[ReliabilityBin], str],
    width: float = 440,
    height: float = 340,
) -> Markup:
    """The diagram: dots above the diagonal are right more often than they say, dots below it less often.

    Args:
        bins: those that hold predictions.
        title, description: what a screen reader says.
        write: a share 0..1 on an axis.
        note: what a dot says when pointed at.
        width, height: px.
    """
    marks = ticks(0.0, 1.0)
    y = Axis(
        name="share that is right",
        scale=Scale(low=0.0, high=1.0, start=height - BOTTOM, end=TOP),
        ticks=marks,
        write=write,
    )
    left = left_margin([write(tick) for tick in marks])
    x = Axis(name="confidence", scale=Scale(low=0.0, high=1.0, start=left, end=width - RIGHT), ticks=marks, write=write)
    total = sum(one.count for one in bins) or 1
    diagonal = element("line", x1=x.scale(0), y1=y.scale(0), x2=x.scale(1), y2=y.scale(1), class_="level")
    gaps = [_gap(one, x.scale, y.scale) for one in bins if one.count >= FEW]
    dots = [_dot(one, one.count / total, note(one), x.scale, y.scale) for one in bins]
    return figure(width, height, title, description, frame(x, y), diagonal, *gaps, *dots)


def _gap(one: ReliabilityBin, x: Scale, y: Scale) -> Markup:
    place = x(one.confidence)
    return element("line", x1=place, x2=place, y1=y(one.confidence), y2=y(one.accuracy), class_="gap")


def _dot(one: ReliabilityBin, share: float, note: str, x: Scale, y: Scale) -> Markup:
    radius = SMALLEST + (LARGEST - SMALLEST) * math.sqrt(share)  # areas, not widths, are compared by eye
    title = element("title", note)
    return element("circle", title, cx=x(one.confidence), cy=y(one.accuracy), r=radius, class_="bin k0")
