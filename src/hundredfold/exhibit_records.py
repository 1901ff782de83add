"""What a command shows of a finished run: a section of its report, kept as `exhibits/NAME.json`.

The pictures of an exhibit lie beside it, in `exhibits/NAME.safetensors`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PictureRow:
    """A row of images.

    Attributes:
        title: what the row shows, or the empty text.
        key: name of the tensor [n, c, h, w] uint8 that holds the images.
        captions: a few words under each image, or none at all.
    """

    title: str
    key: str
    captions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ScatterPlot:
    """Images as points of a plane.

    Attributes:
        title: how the plane was made.
        x, y: coordinates of each point.
        groups: the name of each point's group (a class, a cluster), or none at all.
        x_name, y_name: what the axes are, or empty where they mean nothing.
    """

    title: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    groups: tuple[str, ...] = ()
    x_name: str = ""
    y_name: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A small table of figures, as text.

    Attributes:
        header: names of the columns.
        rows: cells; the first of each row names it.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A section of the report.

    Attributes:
        name: of its files: "reconstruct", "generate", "anomalies", ...
        title: its heading.
        sentences: what it says, with its figures.
        rows: pictures.
        plots: points.
        tables: figures.
        command: what writes it again, or the empty text where the run itself did.
        schema: version of this layout.
    """

    name: str
    title: str
    sentences: tuple[str, ...] = ()
    rows: tuple[PictureRow, ...] = ()
    plots: tuple[ScatterPlot, ...] = ()
    tables: tuple[Table, ...] = ()
    command: str = ""
    schema: int = 1
