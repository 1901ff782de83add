"""The names of what is drawn, in rows above the plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.report.figures.svg import element, path, text_width

ROW = 20.0  # px
MARK = 24.0  # px


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One name, and its mark drawn around (0, 0)..(18, 0)."""

    name: str
    mark: Markup


def swatch(style: str) -> Markup:
    """A short piece of line in the style of the line it stands for."""
    return element("path", d=path([(0, 0), (18, 0)]), class_=style)


def legend_height(entries: Sequence[Entry], width: float) -> float:
    """How much room the rows take, in px."""
    return (1 + max((row for _, row in _places(entries, width)), default=-1)) * ROW


def legend(entries: Sequence[Entry], width: float, top: float) -> Markup:
    """The entries from left to right, in as many rows as they need."""
    parts = []
    for entry, (left, row) in zip(entries, _places(entries, width), strict=True):
        height = top + (row + 0.5) * ROW
        parts.append(element("g", entry.mark, transform=f"translate({left:.1f} {height:.1f})"))
        parts.append(element("text", entry.name, x=left + MARK, y=height + 4, class_="label"))
    return Markup("").join(parts)


def _places(entries: Sequence[Entry], width: float) -> list[tuple[float, int]]:
    places, left, row = [], 0.0, 0
    for entry in entries:
        needed = MARK + text_width(entry.name)
        if left and left + needed > width:
            left, row = 0.0, row + 1
        places.append((left, row))
        left += needed + 16
    return places
