"""What commands showed of a run, as sections of its page: pictures, points and tables, from `exhibits/`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from hundredfold.exhibit_records import Exhibit, PictureRow, ScatterPlot, Table
from hundredfold.report import pictures
from hundredfold.report.figures.scatter import POINTS, scatter
from hundredfold.report.figures.svg import wide_and_narrow
from hundredfold.report.folder import StoredExhibit
from hundredfold.report.wording import count, counted, value, visible

RUN = ("task", "reconstruct", "generate", "interpolate", "denoise", "anomalies", "map", "cluster")
TRANSFER = ("samples", "cascade", "memorised")
ORDER = TRANSFER + RUN
# The rows of these show the same images: what belongs together stays together.
STACKED = ("task", "reconstruct", "denoise", "cascade", "memorised")
PICTURES = 160  # of one exhibit, its rows alike
BUDGET = 2_000_000  # bytes: of all pictures of all exhibits, if none of them compresses
SMALLEST = 16  # px: below this nothing can be seen
PIXELATED = 48  # px: smaller images are shown with sharp pixels
MANY = 24  # images without captions that fill a dense grid
SHORT = 7  # characters of captions that fit below a small picture
POINTS_NARROW = 2_000  # points that a phone can tell apart
TABLE_ROWS = 60
CELL = 120  # characters
NAME = 40  # characters of a group
FIGURE = re.compile(r"[-+−±<>≤≥~≈]?\s*\d[\d.,\s]*(%|[a-zA-Zμ/²]{1,9})?(\s*±\s*[\d.,]+)?|[–-]?")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image as an address, with what stands below it, or the empty text."""

    address: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class ShownRow:
    """A row of pictures.

    Attributes:
        title: what it shows, or the empty text.
        pictures: those that are shown.
        more: how many are not.
    """

    title: str
    pictures: tuple[Picture, ...]
    more: int


@dataclass(frozen=True, kw_only=True)
class ShownTable:
    """A table: its header and rows as texts, which columns hold figures, and how many rows are left out."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: tuple[bool, ...]
    more: int


@dataclass(frozen=True, kw_only=True)
class ShownExhibit:
    """A section of the page.

    Attributes:
        record: the exhibit.
        file: the name of its file, without the ending.
        rows: pictures in rows.
        stacks: the same in columns, where what belongs together is to stay together.
        style: style classes of the lists of pictures.
        plots: captions and figures.
        tables: figures as text.
        channels_note: what the pictures leave out, or the empty text.
        gaps: sentences on what does not fit together.
    """

    record: Exhibit
    file: str
    rows: tuple[ShownRow, ...] = ()
    stacks: tuple[tuple[Picture, ...], ...] = ()
    style: str = ""
    plots: tuple[tuple[str, Markup], ...] = ()
    tables: tuple[ShownTable, ...] = ()
    channels_note: str = ""
    gaps: tuple[str, ...] = ()


def exhibits_section(stored: Sequence[StoredExhibit]) -> list[ShownExhibit]:
    """The exhibits in the order in which one reads them: pictures first, then points, then those of other names."""
    kept = {one.file: _kept_rows(one) for one in stored}
    side = affordable_side(array for rows in kept.values() for _, array, _ in rows)
    return [_shown(one, kept[one.file], side) for one in sorted(stored, key=_place)]


def affordable_side(stacks: Iterable[np.ndarray]) -> int:
    """The longest side at which all images of these [n, c, h, w] stay within the budget (base64 adds a third)."""
    shapes = [array.shape for array in stacks]

    def cost(side: int) -> float:
        return sum(n * (3 if c > 2 else 1) * min(h, side) * min(w, side) * 4 / 3 for n, c, h, w in shapes)

    return next((side for side in range(pictures.SIDE, SMALLEST, -4) if cost(side) <= BUDGET), SMALLEST)


def _place(stored: StoredExhibit) -> tuple[int, str]:
    name = stored.record.name
    return (ORDER.index(name) if name in ORDER else len(ORDER), stored.file)


def _kept_rows(stored: StoredExhibit) -> list[tuple[PictureRow, np.ndarray, int]]:
    """Each row with its images, as many as there is room for, and how many are left out."""
    rows = stored.record.rows[:PICTURES]
    known = [(row, stored.pictures[row.key]) for row in rows if row.key in stored.pictures]  # [n, c, h, w] each
    most = PICTURES // max(1, len(rows))
    return [(row, array[:most], max(0, len(array) - most)) for row, array in known if min(array.shape) > 0]


def _shown(stored: StoredExhibit, kept: Sequence[tuple[PictureRow, np.ndarray, int]], side: int) -> ShownExhibit:
    record = stored.record
    rows = tuple(_row(row, array, more, side) for row, array, more in kept)
    stacked = record.name in STACKED and len(rows) > 1 and len({len(row.pictures) for row in rows}) == 1
    sharp = all(max(array.shape[2:]) <= PIXELATED for _, array, _ in kept)
    gaps = [f"The points of “{visible(plot.title, NAME)}” do not fit together." for plot in record.plots if _odd(plot)]
    return ShownExhibit(
        record=record,
        file=stored.file,
        rows=rows,
        stacks=tuple(zip(*(row.pictures for row in rows), strict=True)) if stacked else (),
        style=f"{_width(rows)} pixelated" if sharp else _width(rows),
        plots=tuple((plot.title, _figure(plot)) for plot in record.plots if not _odd(plot)),
        tables=tuple(_table(table) for table in record.tables if table.header),
        channels_note=pictures.channels_note(kept[0][1].shape[1]) if kept else "",
        gaps=tuple(gaps),
    )


def _row(row: PictureRow, array: np.ndarray, more: int, side: int) -> ShownRow:
    captions = (*(visible(text, NAME) for text in row.captions), *[""] * len(array))
    shown = tuple(
        Picture(address=pictures.address(image, side), caption=caption) for image, caption in zip(array, captions)
    )
    return ShownRow(title=row.title, pictures=shown, more=more)


def _width(rows: Sequence[ShownRow]) -> str:
    """The style class of the width of a picture, the same for all rows."""
    longest = max((len(one.caption) for row in rows for one in row.pictures), default=0)
    if longest > SHORT:
        return "roomy"
    return "dense" if longest == 0 and max((len(row.pictures) for row in rows), default=0) > MANY else "plain"


def _odd(plot: ScatterPlot) -> bool:
    return len(plot.x) != len(plot.y) or len(plot.groups) not in (0, len(plot.x)) or not plot.x


def _figure(plot: ScatterPlot) -> Markup:
    groups = [visible(name, NAME) for name in plot.groups]
    said = f"{counted(len(plot.x), 'image')} as points"
    if len(plot.x) > POINTS:
        said += f", {count(POINTS)} of them drawn"
    if groups:
        said += f", in {counted(len(set(groups)), 'group')}"
    return wide_and_narrow(
        lambda width: scatter(
            plot.x,
            plot.y,
            groups,
            title=visible(plot.title),
            description=f"{said}.",
            x_name=visible(plot.x_name, NAME),
            y_name=visible(plot.y_name, NAME),
            write=lambda number: value(number, 3),
            most=POINTS if width > 480 else POINTS_NARROW,
            width=width,
            height=520 if width > 480 else 340,
        )
    )


def _table(table: Table) -> ShownTable:
    header = tuple(visible(name, CELL) for name in table.header)
    width = len(header)
    rows = tuple(
        tuple(visible(text, CELL) for text in (*row, *[""] * width)[:width]) for row in table.rows[:TABLE_ROWS]
    )
    figures = tuple(place > 0 and all(FIGURE.fullmatch(row[place].strip()) for row in rows) for place in range(width))
    return ShownTable(header=header, rows=rows, figures=figures, more=len(table.rows) - len(rows))
