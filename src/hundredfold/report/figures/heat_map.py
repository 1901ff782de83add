"""A confusion matrix: rows are the true classes, columns the predicted ones.

What is right and what is wrong have colours of their own, so that a rare confusion is seen beside a full diagonal.
The strength of a colour is the share of the row; the number is the count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from hundredfold.report.figures.svg import FONT, element, figure, text_width

TURNED = 2.2  # column names wider than so many cells are turned
STRONG = 0.55  # from this opacity on, text is written in the colour of the page


def heat_map(
    counts: Sequence[Sequence[int]],
    names: Sequence[str],
    *,
    title: str,
    description: str,
    worst: float,
    width: float = 430,
    numbers: bool = True,
) -> Markup:
    """The matrix.

    Args:
        counts: [k][k], rows are the true classes.
        names: of the k classes.
        worst: the share of a row at which a wrong cell has its full colour, 0..1: the same for two matrices that
            are to be compared.
        numbers: whether counts are written into the cells.
    """
    left = max((text_width(name) for name in names), default=0.0) + 30
    cell = (width - left - 2) / max(1, len(names))
    turned = max((text_width(name) for name in names), default=0.0) > cell - 2
    top = 24 + (left - 30 if turned else 16)
    font = min(FONT, cell * 0.95 / max(1.0, max((len(str(c)) for row in counts for c in row), default=1)) / 0.6)
    parts = [
        element("text", "predicted", x=width - 2, y=12, text_anchor="end", class_="name"),
        element("text", "true", x=0, y=0, class_="name", transform=f"translate(11 {top + 30:.1f}) rotate(-90)"),
    ]
    for row, name in enumerate(names):
        middle = top + (row + 0.5) * cell
        parts.append(element("text", name, x=left - 7, y=middle + 4, text_anchor="end", class_="tick"))
        parts.append(_column_name(name, left + (row + 0.5) * cell, top - 6, turned))
        total = sum(counts[row]) or 1
        for column, count in enumerate(counts[row]):
            if count == 0:
                continue
            note = f"{name} taken for {names[column]}" if row != column else f"{name} recognised"
            share = count / total
            strength = share if row == column else min(1.0, math.sqrt(share / (worst or 1.0)))
            place = left + column * cell, top + row * cell
            kind = "right" if row == column else "wrong"
            parts.append(_cell(place, cell, count, strength, kind, f"{note}: {count:,} of {total:,}", font, numbers))
    side = cell * len(names)
    parts.append(element("rect", x=left, y=top, width=side, height=side, class_="outline"))
    return figure(width, top + side + 2, title, description, *parts, class_="matrix")


def _column_name(name: str, middle: float, bottom: float, turned: bool) -> Markup:
    if not turned:
        return element("text", name, x=middle, y=bottom, text_anchor="middle", class_="tick")
    place = f"translate({middle + 4:.1f} {bottom:.1f}) rotate(-90)"
    return element("text", name, transform=place, class_="tick")


def _cell(
    place: tuple[float, float],
    side: float,
    count: int,
    strength: float,
    kind: str,
    note: str,
    font: float,
    numbers: bool,
) -> Markup:
    x, y = place
    opacity = 0.06 + 0.94 * strength
    parts = [
        element("title", note),
        element(
            "rect", x=x + 0.5, y=y + 0.5, width=side - 1, height=side - 1, class_=kind, fill_opacity=f"{opacity:.2f}"
        ),
    ]
    if numbers:
        tone = "on" if opacity >= STRONG else "off"
        middle = x + side / 2
        parts.append(element("text", str(count), x=middle, y=y + side / 2 + font * 0.36, class_=f"count {tone}"))
    return element("g", *parts, font_size=font)
