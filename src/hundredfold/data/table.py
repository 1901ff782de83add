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
    header, lines = table_lines(path)
    file_column = column(header, FILE_COLUMNS)
    if file_column is None:
        raise DataError(
            f"{path} has no column of image files",
            why=f"its first line names {', '.join(printable(name) for name in header)[:200]}",
            fix=f"name the column one of {', '.join(FILE_COLUMNS)}",
        )
    _require_full(path, header, lines)
    label_column, split_column = column(header, LABEL_COLUMNS), column(header, SPLIT_COLUMNS)
    parts: dict[bool, list[EncodedImage]] = {False: [], True: []}
    for _, row in lines:
        file = row[file_column].strip()
        label = class_name(row[label_column]) if label_column is not None else None
        is_test = split_column is not None and row[split_column].strip().lower() == "test"
        parts[is_test].append(EncodedImage(printable(file), path.parent / file, label))
    train = image_set(str(path), parts[False], options)
    if not parts[True]:
        return Source(train=train)
    return with_own_test(train, image_set(str(path), parts[True], options.for_more(train.size)))


def table_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and the other lines that are not empty: their number in the file and their cells.

    Commas, semicolons and tabs are told apart by the first line; a byte order mark is no part of a name.

    Raises:
        DataError: it is no text in UTF-8, or has no line after the first.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            delimiter = max(",;\t", key=first.count)
            header = next(csv.reader([first], delimiter=delimiter), [])
            reader = csv.reader(stream, delimiter=delimiter)
            lines = [(reader.line_num + 1, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise DataError(
            f"cannot read the table {path}", why=str(problem), fix="save it as text in UTF-8, one image a line"
        ) from problem
    if not lines:
        raise DataError(f"{path} names no images", why="it has no line after the first, which names the columns")
    return header, lines


def column(header: Sequence[str], possible: Sequence[str]) -> int | None:
    """The place of the column that has one of these names, the first name that occurs, in capitals or not."""
    names = [name.strip().lower() for name in header]
    return next((names.index(name) for name in possible if name in names), None)


def _require_full(path: Path, header: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> None:
    for number, row in lines:
        if len(row) != len(header):
            raise DataError(
                f"line {number} of {path} has {len(row)} cells, the first line {len(header)}",
                fix="put quotes round a name that has the separator in it",
            )
