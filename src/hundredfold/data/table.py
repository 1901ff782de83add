"""A table (.csv, .tsv) that names image files and, if it has them, their labels.

The first line names the columns. Paths are relative to the table; an empty label or -1 means unlabelled. A column
`split` with `test` in it makes those rows the test set.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from hundredfold.data.encoded import EncodedImage, image_set
from hundredfold.data.images import Source
from hundredfold.data.join import with_own_test
from hundredfold.data.labels import class_name, printable
from hundredfold.data.options import ReadOptions
from hundredfold.errors import DataError

FILE_COLUMNS = ("file", "path", "image", "filename", "file_name", "image_path", "filepath", "name")
LABEL_COLUMNS = ("label", "class", "category", "target", "class_name", "y")
SPLIT_COLUMNS = ("split", "set", "subset")


def read_table(path: Path, options: ReadOptions) -> Source:
    """The images that a table names, in its order.

    Raises:
        DataError: it is no table, names no column of files, or none of its files is usable.
    """
    header, rows = _rows(path)
    file_column = _column(header, FILE_COLUMNS)
    if file_column is None:
        raise DataError(
            f"{path} has no column of image files",
            why=f"its first line names {', '.join(printable(name) for name in header)[:200]}",
            fix=f"name the column one of {', '.join(FILE_COLUMNS)}",
        )
    label_column, split_column = _column(header, LABEL_COLUMNS), _column(header, SPLIT_COLUMNS)
    parts: dict[bool, list[EncodedImage]] = {False: [], True: []}
    for row in rows:
        file = row[file_column].strip()
        label = class_name(row[label_column]) if label_column is not None else None
        is_test = split_column is not None and row[split_column].strip().lower() == "test"
        parts[is_test].append(EncodedImage(printable(file), path.parent / file, label))
    train = image_set(str(path), parts[False], options)
    if not parts[True]:
        return Source(train=train)
    return with_own_test(train, image_set(str(path), parts[True], options.for_more(train.size)))


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            delimiter = max(",;\t", key=first.count)
            header = next(csv.reader([first], delimiter=delimiter), [])
            rows = [row for row in csv.reader(stream, delimiter=delimiter) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise DataError(
            f"cannot read the table {path}", why=str(problem), fix="save it as text in UTF-8, one image a line"
        ) from problem
    if not rows:
        raise DataError(f"{path} names no images", why="it has no line after the first, which names the columns")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise DataError(
                f"line {number} of {path} has {len(row)} cells, the first line {len(header)}",
                fix="put quotes round a name that has the separator in it",
            )
    return header, rows


def _column(header: Sequence[str], possible: Sequence[str]) -> int | None:
    names = [name.strip().lower() for name in header]
    return next((names.index(name) for name in possible if name in names), None)
