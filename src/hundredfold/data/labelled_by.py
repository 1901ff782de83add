"""Put the labels of a table on the images that they are for, or say all that is wrong with them.

The images stay as they are: their labels alone change, so a table never moves an image or adds one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path

from hundredfold.data.image_names import ImageNames
from hundredfold.data.images import ImageSet, Source
from hundredfold.data.join import with_test
from hundredfold.data.label_table import INDEX, LabelTable, Meaning, Row, counted, some
from hundredfold.data.labels import numbered, printable
from hundredfold.errors import DataError

NOT_TO_LEARN_FROM = (Meaning.TEST, Meaning.LEFT_OUT)  # labels that are told and passed over
FILL_IN = "write the class of each image that you know into a column `label`"


class LabelTableError(DataError):
    """A table of labels that does not fit the images; every problem at once.

    Args:
        path: the table.
        problems: one sentence each.
        fix: what to do.
    """

    def __init__(self, path: Path, problems: Sequence[str], *, fix: str) -> None:
        self.problems = tuple(problems)
        many = len(problems) > 1
        what = f"{len(problems)} things are wrong with the labels of {path}" if many else f"{path}: {problems[0]}"
        super().__init__(what, why="; ".join(problems) if many else "", fix=fix)


def labelled_by(pool: Source, table: LabelTable) -> Source:
    """The same images with the labels of a table, which alone count; the pool's own are hidden, as in `join`.

    Raises:
        LabelTableError: labels for images that are not there, two for one image, none at all, and the like.
        DataError: the pool's test set has no class in common with them.
    """
    images = pool.train
    wanted = [row for row in table.rows if row.label is not None]
    placed, wrong = _placed(wanted, images)
    problems = [
        *table.problems,
        *_wrong_sentences(wrong, images, table.names),
        *_two_labels(placed, images),
        *_too_many(wanted, images),
    ]
    if not wanted and not table.problems:
        problems.append(f"no label is filled in: {counted(len(table.rows), 'row')}, all with an empty one")
    if problems:
        raise LabelTableError(table.path, problems, fix=_fix(wrong) if wanted else FILL_IN)
    labels: list[str | None] = [None] * len(images)
    for position, row in placed:
        labels[position] = row.label
    if not placed:
        raise DataError(f"none of the labels of {table.path} is for an image that can be read")
    numbers, classes = numbered(labels)
    train = replace(
        images,
        source=f"{images.source} + {table.path}",
        labels=numbers,
        classes=classes,
        notes=(*images.notes, *table.notes, *_notes(table, wanted, placed, images, classes)),
    )
    return with_test(Source(train=train), pool.test) if pool.test else Source(train=train)


class _Wrong(Enum):
    """What can be wrong with the image that a label is for, as a sentence after the number of labels."""

    NO_IMAGE = "for no image, with neither index nor name"
    BAD_INDEX = "with an index that is no whole number from 0"
    NO_SUCH_INDEX = "for an index that is not there: {source} has {count:,} images, 0 to {last}"
    NO_SUCH_NAME = "for a name that is not in {source}"
    SEVERAL = "for a name that several images of {source} have"
    DISAGREE = "with an index and a name of different images"


_Problems = Mapping[_Wrong, Sequence[tuple[Row, str]]]  # each with what to show of the row


def _placed(rows: Sequence[Row], images: ImageSet) -> tuple[list[tuple[int, Row]], _Problems]:
    """The position that each row is for, and what is wrong with those that have none."""
    placed: list[tuple[int, Row]] = []
    wrong: dict[_Wrong, list[tuple[Row, str]]] = {}
    for row in rows:
        if row.meaning in NOT_TO_LEARN_FROM:
            continue
        found = _place(row, images)
        if isinstance(found, int):
            placed.append((found, row))
        else:
            kind, shown = found
            wrong.setdefault(kind, []).append((row, f"{shown} (line {row.line})"))
    return placed, wrong


def _place(row: Row, images: ImageSet) -> int | tuple[_Wrong, str]:
    name = repr(printable(row.name))
    if not row.index:
        if row.meaning is None:
            return _Wrong.NO_IMAGE, f"{row.label!r}"
        if row.meaning is Meaning.NOTHING:
            return _Wrong.NO_SUCH_NAME, name
        return row.named[0] if len(row.named) == 1 else (_Wrong.SEVERAL, name)
    whole = re.fullmatch(r"([0-9]{1,18})(\.0*)?", row.index)  # 17.0 is what pandas makes of 17 beside an empty cell
    if not whole:
        return _Wrong.BAD_INDEX, repr(printable(row.index))
    index = int(whole[1])
    if index >= len(images):
        return _Wrong.NO_SUCH_INDEX, str(index)
    if row.meaning is None or index in row.named:
        return index
    return _Wrong.DISAGREE, f"{index} is {images.name(index)!r}, not {name}"


def _wrong_sentences(wrong: _Problems, images: ImageSet, names: ImageNames) -> Iterator[str]:
    for kind in _Wrong:
        found = wrong.get(kind, ())
        if not found:
            continue
        about = kind.value.format(source=images.source, count=len(images), last=len(images) - 1)
        near = names.nearest(found[0][0].name) if kind is _Wrong.NO_SUCH_NAME else None
        hint = f"; the nearest to the first is {near!r}" if near else ""
        yield f"{counted(len(found), 'label')} {about}: {some([shown for _, shown in found])}{hint}"


def _two_labels(placed: Iterable[tuple[int, Row]], images: ImageSet) -> Iterator[str]:
    first: dict[int, Row] = {}
    clashes = {}
    for position, row in placed:
        before = first.setdefault(position, row)
        if before.label != row.label:
            both = " and ".join(f"{one.label!r} (line {one.line})" for one in (before, row))
            clashes[position] = f"{images.name(position)!r} is {both}"
    if clashes:
        yield f"{counted(len(clashes), 'image')} with two different labels: {some([*clashes.values()])}"


def _too_many(wanted: Sequence[Row], images: ImageSet) -> Iterator[str]:
    labels = sum(row.meaning not in NOT_TO_LEARN_FROM for row in wanted)
    if labels > len(images):
        yield f"more labels than images: {labels:,} labels for the {len(images):,} images of {images.source}"


def _fix(wrong: _Problems) -> str:
    ways = ["mend these lines of the table, or take them out"]
    if _Wrong.SEVERAL in wrong:
        ways.append(f"where several images have one name, say which by its position in a column `{INDEX}`")
    if _Wrong.DISAGREE in wrong:
        ways.append(
            f"where index and name disagree, the source has changed since the table was written (write it again, or "
            f"take out its column `{INDEX}`), or one of the two columns is about something else (take it out)"
        )
    return "; ".join(ways if len(wrong) > 1 or len(ways) == 1 else ways[1:])


def _notes(
    table: LabelTable,
    wanted: Sequence[Row],
    placed: Sequence[tuple[int, Row]],
    images: ImageSet,
    classes: Sequence[str],
) -> Iterator[str]:
    path = table.path
    labelled = len({position for position, _ in placed})
    yield f"{counted(labelled, 'image')} of {images.source} labelled by {path}"
    if len(images.labelled()):
        yield f"labels of {images.source} are not used: those of {path} are"
    empty = len(table.rows) - len(wanted)
    if empty:
        yield f"{counted(empty, 'row')} of {path} without a label: those images are not labelled"
    if len(placed) > labelled:
        yield f"{counted(len(placed) - labelled, 'row')} of {path} repeat a label: each is taken once"
    for meaning in NOT_TO_LEARN_FROM:
        found = [row.name for row in wanted if row.meaning is meaning]
        if found:
            yield f"{counted(len(found), 'label')} of {path} not used: for {meaning.value} ({some(found)})"
    same = Counter(name.casefold() for name in classes)
    alike = [name for name in classes if same[name.casefold()] > 1]
    if alike:
        yield f"classes that differ in capitals alone: {some(alike)}; if they are one, write them alike in {path}"
