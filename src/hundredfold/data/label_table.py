"""A table of labels for images that were already read: it says which image, by index or by name, and its label.

`hundredfold suggest` writes such a table, and people write their own:

    index,name,label,why
    17,cat/0017.png,cat,
    40,dog/0003.png,,

`index` counts the images to learn from, from 0; `name` (or `file`, `path`, `image`, ...) is what the set calls an
image, or a path to its file. One of the two is enough; where both are there they must agree. An empty label is none.

The rule by which `--labelled FILE.csv` is such a table: **unless one of its names is a file that exists and is no image
of the set**. Then it is a source of other images (`data/table.py`), which are joined to the set. A table without names
always labels the set. The set's test images, and files that reading left out, count as known here.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from hundredfold.data.image_names import ImageNames, is_file, without_apostrophe
from hundredfold.data.images import ImageSet, Source
from hundredfold.data.labels import class_name, printable
from hundredfold.data.table import FILE_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS, column, table_lines
from hundredfold.errors import DataError

INDEX = "index"
SHOWN = 3  # of a kind of problem


class Meaning(Enum):
    """What the name in a row stands for."""

    IMAGE = "an image of the set"
    TEST = "an image of its test set"
    LEFT_OUT = "a file of the set that reading left out"
    OTHER_FILE = "a file that exists, but not in the set"
    NOTHING = "nothing that is there"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        line: its number in the file, from 1.
        index: what it says, or the empty text.
        name: what it says, or the empty text.
        label: class name or None.
        meaning: of the name; None without one.
        named: positions of the images of that name.
    """

    line: int
    index: str
    name: str
    label: str | None
    meaning: Meaning | None
    named: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelTable:
    """A table of labels, looked up in the set that it is for.

    Attributes:
        path: of the file.
        rows: those that may be learnt from.
        problems: what is wrong with its columns and lines, one sentence each.
        notes: what reading it chose.
        names: of the images of the set.
    """

    path: Path
    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    names: ImageNames

    @property
    def is_other_source(self) -> bool:
        """Whether it names images that are not in the set: then it is a source of its own (see the rule above)."""
        return any(row.meaning is Meaning.OTHER_FILE for row in self.rows)

    def images_beside(self) -> set[int]:
        """Positions of the images of the set whose file the table names by a path of its own."""
        base = self.path.parent
        return {position for row in self.rows if is_file(base / row.name) for position in row.named}


def is_table(source: object) -> bool:
    """Whether `source` is the path of a table."""
    if not isinstance(source, str | Path):
        return False
    return Path(source).suffix.lower() in (".csv", ".tsv") and is_file(Path(source).expanduser())


def read_label_table(path: Path, pool: Source) -> LabelTable:
    """A table, with its names looked up in the images of `pool`.

    Raises:
        DataError: it cannot be read, has no line after the first, or no column says which image a line is about.
    """
    header, lines = table_lines(path)
    lines = [(number, row) for number, row in lines if row != header]  # of tables put one below the other
    index_column = column(header, (INDEX,))
    label_column, split_column = column(header, LABEL_COLUMNS), column(header, SPLIT_COLUMNS)
    problems = [*_column_problems(path, header, label_column), *_long_lines(header, lines)]
    cells = [[*line[: len(header)], *[""] * (len(header) - len(line))] for _, line in lines]
    names = _names(pool.train, path.parent)
    name_column = _name_column(header, cells, names)
    if index_column is None and name_column is None:
        raise _no_image_column(path, header)
    labels, notes = _labels([row[label_column] if label_column is not None else "" for row in cells])
    meaning = _Meanings(pool, names, path.parent)
    rows, to_test_on = [], 0
    for (line, _), row, label in zip(lines, cells, labels):
        if split_column is not None and row[split_column].strip().lower() == "test":
            to_test_on += 1
            continue
        index, name = ("" if at is None else row[at].strip() for at in (index_column, name_column))
        means, named = meaning.of(name)
        rows.append(Row(line=line, index=index, name=name, label=label, meaning=means, named=named))
    if to_test_on:
        notes.append(f"{counted(to_test_on, 'row')} of {path} of the split `test`: not learnt from")
    return LabelTable(path=path, rows=tuple(rows), problems=tuple(problems), notes=tuple(notes), names=names)


def counted(count: int, what: str) -> str:
    """How many there are of something.

    >>> counted(1, "label"), counted(2000, "label")
    ('1 label', '2,000 labels')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def some(found: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    return ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else "")


class _Meanings:
    """Looks names up in all that belongs to a source."""

    def __init__(self, pool: Source, names: ImageNames, base: Path) -> None:
        self.names, self.base = names, base
        self.test = _names(pool.test, base) if pool.test else None
        self.left_out = ImageNames((file.path for file in pool.train.bad_files), pool.train.source, base)

    def of(self, name: str) -> tuple[Meaning | None, tuple[int, ...]]:
        """What a name means, and the positions of the images that it stands for."""
        if not name:
            return None, ()
        found = self.names.find(name)
        if found:
            return Meaning.IMAGE, found
        if self.test and self.test.find(name):
            return Meaning.TEST, ()
        if self.left_out.find(name):
            return Meaning.LEFT_OUT, ()
        return (Meaning.OTHER_FILE if is_file(self.base / name) else Meaning.NOTHING), ()


def _labels(cells: Sequence[str]) -> tuple[list[str | None], list[str]]:
    """Class names; where all are numbers, 3.0 is 3: so pandas and spreadsheets write it beside empty cells."""
    plain = [without_apostrophe(cell.strip()) for cell in cells]
    if not all(re.fullmatch(r"-?[0-9]+(\.0+)?", cell) for cell in plain if cell):
        return [class_name(cell) for cell in plain], []
    whole = [cell.split(".")[0] for cell in plain]
    changed = next((cell for cell in plain if "." in cell), None)
    notes = [f"labels such as {changed} are read as {changed.split('.')[0]}"] if changed else []
    return [class_name(cell) for cell in whole], notes


def _name_column(header: Sequence[str], cells: Sequence[Sequence[str]], names: ImageNames) -> int | None:
    """Of the columns that could hold names, the one with the most that are known."""
    possible = [at for at, name in enumerate(header) if name.strip().lower() in FILE_COLUMNS]
    if len(possible) < 2:
        return possible[0] if possible else None
    possible.sort(key=lambda at: FILE_COLUMNS.index(header[at].strip().lower()))
    return max(possible, key=lambda at: sum(bool(row[at] and names.find(row[at])) for row in cells))


def _column_problems(path: Path, header: Sequence[str], label_column: int | None) -> Iterator[str]:
    if label_column is None:
        yield f"there is no column `label`: the first line names {_header(header)}{_meant(header, LABEL_COLUMNS)}"
    plain = Counter(name.strip().lower() for name in header)
    twice = [name for name in (INDEX, *FILE_COLUMNS, *LABEL_COLUMNS) if plain[name] > 1]
    if twice:
        yield f"several columns are called {', '.join(twice)}"


def _long_lines(header: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> Iterator[str]:
    """Short lines are borne: spreadsheets leave out empty cells at the end."""
    long = [f"line {number}" for number, row in lines if any(cell.strip() for cell in row[len(header) :])]
    if long:
        yield (
            f"{counted(len(long), 'line')} with more cells than the {len(header)} columns: {some(long)}; "
            "put quotes round a text that has the separator in it"
        )


def _no_image_column(path: Path, header: Sequence[str]) -> DataError:
    possible = (INDEX, *FILE_COLUMNS)
    return DataError(
        f"{path} has no column that says which image a label is for",
        why=f"the first line names {_header(header)}{_meant(header, possible)}",
        fix=f"call it `{INDEX}` (position among the images to learn from, from 0) or `name`; also possible: "
        f"{', '.join(name for name in FILE_COLUMNS if name != 'name')}",
    )


def _meant(header: Sequence[str], possible: Sequence[str]) -> str:
    """Which column is probably a slip of the pen for one of those that are possible."""
    for name in header:
        near = difflib.get_close_matches(name.strip().lower(), possible, n=1, cutoff=0.6)
        if near:
            return f"; is {printable(name.strip())!r} meant to be `{near[0]}`?"
    return ""


def _header(header: Sequence[str]) -> str:
    return ", ".join(printable(name.strip()) for name in header if name.strip())[:200]


def _names(images: ImageSet, base: Path) -> ImageNames:
    return ImageNames((images.name(position) for position in range(len(images))), images.source, base)
