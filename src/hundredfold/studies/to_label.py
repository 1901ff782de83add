"""The table of images to label: a row each, with an empty cell for the label. Filled in, it is what `--labelled` takes.

    index,name,label,why
    412,cat/0017.png,,typical of a group of 312 images
    17,cat/0003.png,cat,known before

After the images to label come those that have a label already, so that the newest table always holds all labels. What
a person has typed into a file is never lost: a file whose labels the new one would not hold is not replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hundredfold.data.image_names import without_apostrophe
from hundredfold.data.images import ImageSet
from hundredfold.data.label_table import counted
from hundredfold.data.labels import class_name
from hundredfold.data.table import table_lines
from hundredfold.errors import DataError, OutputError
from hundredfold.studies.spreadsheet import write_csv

HEADER = ("index", "name", "label", "why")
KNOWN = "known before"  # why a row with a label is there


def write_table(path: Path, images: ImageSet, positions: Sequence[int], why: Sequence[str]) -> None:
    """Writes the images at `positions`, in their order and without a label, and then those that have one.

    Args:
        path: the file, a .csv.
        images: the set; its labels are those that are known.
        positions: of the images to label.
        why: a few words for each.
    """
    known = known_labels(images)
    rows = [(str(position), images.name(position), "", words) for position, words in zip(positions, why, strict=True)]
    rows += [(str(position), images.name(position), label, KNOWN) for position, label in known.items()]
    write_csv(path, HEADER, rows)


def known_labels(images: ImageSet) -> dict[int, str]:
    """Position -> class name of each labelled image."""
    return {position: images.classes[images.labels[position]] for position in images.labelled().tolist()}


def check_replaceable(path: Path, known: Mapping[int, str]) -> None:
    """Raises OutputError if a file is there that holds labels beside the known ones, or that is no table of this kind.

    Args:
        path: where a table will be written.
        known: position -> class name of the labels that it will hold.
    """
    if not path.exists():
        return
    lost = _lost(path, known)
    if lost:
        raise OutputError(
            f"{path} is there already and {lost[0]}",
            why=lost[1],
            fix=f"give its labels with --labelled {path}, so that the new table holds them, or choose another --to "
            "(--overwrite replaces it all the same)",
        )


def _lost(path: Path, known: Mapping[int, str]) -> tuple[str, str] | None:
    """What would be lost with a file, and an instance of it."""
    try:
        header, lines = table_lines(path)
    except DataError as problem:
        return "is no table of images to label", problem.why or problem.what
    if tuple(name.strip().lower() for name in header) != HEADER:
        return "has other columns", f"its first line names {', '.join(header)[:200]}, not {', '.join(HEADER)}"
    typed = [(number, row) for number, row in lines if _label(row)]
    unknown = [(number, row) for number, row in typed if not _is_known(row, known)]
    if not unknown:
        return None
    number, row = unknown[0]
    lost = counted(len(unknown), "label")
    return f"holds {lost} that would be lost", f"line {number}: {row[1]!r} is labelled {row[2]!r}"


def _is_known(row: Sequence[str], known: Mapping[int, str]) -> bool:
    index = row[0].strip()
    return bool(re.fullmatch(r"[0-9]{1,18}", index)) and known.get(int(index)) == _label(row)


def _label(row: Sequence[str]) -> str | None:
    return class_name(without_apostrophe(row[2].strip())) if len(row) > 2 else None
