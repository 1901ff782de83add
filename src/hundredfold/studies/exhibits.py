"""Showing something in the report of a finished run: an exhibit, its pictures, and the page written again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from hundredfold import atomic
from hundredfold.exhibit_records import Exhibit
from hundredfold.records import to_json
from hundredfold.report.page import write_report
from hundredfold.studies.pictures import as_bytes
from hundredfold.studies.run_folder import RunFolder


def keep(folder: RunFolder, exhibit: Exhibit, pictures: Mapping[str, Tensor]) -> None:
    """Writes an exhibit and its pictures [n, c, h, w]; the page is left as it is.

    Raises:
        ResourceError, OutputError: it cannot be written.
    """
    atomic.make_folder(folder.exhibits)
    atomic.write_tensors(
        folder.exhibits / f"{exhibit.name}.safetensors", {key: as_bytes(images) for key, images in pictures.items()}
    )
    atomic.write_text(folder.exhibits / f"{exhibit.name}.json", to_json(exhibit))


def show(run: str | Path, exhibit: Exhibit, pictures: Mapping[str, Tensor]) -> Path | None:
    """As `keep`, and writes the report again; returns its path, or None where the folder holds no results yet."""
    folder = RunFolder(Path(run))
    keep(folder, exhibit, pictures)
    return write_report(folder.path) if folder.results.exists() else None
