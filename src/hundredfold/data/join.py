"""Put sets together: a labelled set with a pool, a test set with what is learnt from.

Classes are matched by their names. Both sets end with the same channels, size and number type: the first one's.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from hundredfold.data.fingerprint import fingerprints
from hundredfold.data.images import ImageSet, MemoryPixels, Pixels, Source
from hundredfold.data.match import matched, pixel_type
from hundredfold.data.streaming import FilePixels, LazyPixels
from hundredfold.errors import DataError
from hundredfold.types import UNLABELLED

ONLY_IN_TEST = "classes only in the test set"  # how the note on them begins


class JoinedPixels(LazyPixels):
    """The images of several sets of the same form, one after the other, at least one of them not in memory."""

    def __init__(self, parts: Sequence[Pixels]) -> None:
        counts = [part.shape[0] for part in parts]
        super().__init__((sum(counts), *parts[0].shape[1:]), pixel_type(parts[0]))
        self.parts = parts
        self.ends = [sum(counts[: number + 1]) for number in range(len(counts))]

    def one(self, position: int) -> Tensor:
        """The image at `position` [c, h, w], from the part that holds it."""
        number = bisect.bisect_right(self.ends, position)
        part = self.parts[number]
        within = position - (self.ends[number] - part.shape[0])
        return part.one(within) if isinstance(part, LazyPixels) else part.take(torch.tensor([within]))[0]


def join(pool: Source, labelled: ImageSet, *, repeated: Iterable[int] = ()) -> Source:
    """The images of a pool followed by those of a labelled set, which alone keep their labels.

    The pool's own labels are hidden: whoever names a labelled set says by it which labels count, and the sub-folders
    of a pool may be years or cameras. A pool image that is also in the labelled set is taken once, with its label.

    Args:
        pool: what was read first.
        labelled: the labelled set.
        repeated: positions of pool images that are known to be in it; others are found by their pixels, in memory.

    Raises:
        DataError: the labelled set has no label, or its images cannot be brought to the pool's form.
    """
    images = pool.train
    if not len(labelled.labelled()):
        raise DataError(
            "the labelled set carries no labels",
            why=f"none of the {len(labelled):,} images of {labelled.source} has one",
            fix="use one sub-folder per class, or a table with a column `label`",
        )
    labelled = _in_form_of(images, labelled)
    kept, notes = _not_repeated(images, labelled, set(repeated))
    if len(images.labelled()):
        notes.append(f"labels of {images.source} are not used: those of {labelled.source} are")
    count = len(images) if kept is None else len(kept)
    train = replace(
        images,
        source=f"{images.source} + {labelled.source}",
        pixels=_joined(images.pixels, kept, labelled.pixels),
        labels=torch.cat([torch.full((count,), UNLABELLED), labelled.labels]),
        classes=labelled.classes,
        names=(
            *(images.name(position) for position in (range(count) if kept is None else kept.tolist())),
            *(labelled.name(position) for position in range(len(labelled))),
        ),
        bad_files=images.bad_files + labelled.bad_files,
        notes=(*images.notes, *labelled.notes, *notes),
    )
    return with_test(Source(train=train), pool.test) if pool.test else Source(train=train)


def with_test(source: Source, test: ImageSet) -> Source:
    """The same images to learn from, with `test` as the test set; its unlabelled images are left out.

    Classes that only the test set has are added after those of the images to learn from, with a note: as those that
    no image to learn from carries, they can never be predicted.

    Raises:
        DataError: it has no labels, no class in common with what is learnt from, or another form.
    """
    train = source.train
    known = test.labelled()
    if not len(known):
        raise DataError(
            "the test set carries no labels",
            why=f"none of the {len(test):,} images of {test.source} has one",
            fix="leave it out: without one, part of the labelled images is kept for testing",
        )
    test = _in_form_of(train, test)
    notes = [note for note in test.notes if not note.startswith(ONLY_IN_TEST)]  # of other labels
    if len(known) < len(test):
        notes.append(f"{len(test) - len(known):,} test images without a label were left out")
        test = subset(test, known)
    learnt, tested = _occurring(train), _occurring(test)
    if learnt and not set(learnt) & set(tested):
        raise DataError(
            "the test set has no class in common with what is learnt from",
            why=f"{_some(learnt)} in {train.source}; {_some(tested)} in {test.source}",
            fix="give the classes of both the same names",
        )
    never_learnt = [name for name in tested if name not in learnt]
    if learnt and never_learnt:
        notes.append(f"{ONLY_IN_TEST}, which can never be predicted: {_some(never_learnt)}")
    classes = (*train.classes, *(name for name in tested if name not in train.classes))
    places = {name: label for label, name in enumerate(classes)}
    position = torch.tensor([places.get(name, UNLABELLED) for name in test.classes], dtype=torch.int64)
    test = replace(test, labels=position[test.labels], classes=classes, notes=tuple(notes))
    return Source(train=replace(train, classes=classes), test=test)


def with_own_test(train: ImageSet, test: ImageSet) -> Source:
    """A source that brought its own test set; one without any label is left out, with a note.

    Raises:
        DataError: as `with_test`.
    """
    if len(test.labelled()):
        return with_test(Source(train=train), test)
    note = f"its test set was left out: none of its {len(test):,} images has a label"
    return Source(train=replace(train, notes=(*train.notes, note)))


def subset(images: ImageSet, index: Tensor) -> ImageSet:
    """Some images of a set, in the order of `index` [m]; the classes stay."""
    return replace(
        images,
        pixels=_rows(images.pixels, index),
        labels=images.labels[index],
        names=tuple(images.name(position) for position in index.tolist()),
    )


def _in_form_of(first: ImageSet, other: ImageSet) -> ImageSet:
    return matched(other, channels=first.channels, size=first.size, dtype=pixel_type(first.pixels))


class _ChosenPixels(LazyPixels):
    def __init__(self, inner: LazyPixels, index: Tensor) -> None:
        super().__init__((len(index), *inner.shape[1:]), inner.dtype)
        self.inner, self.index = inner, index.tolist()

    def one(self, position: int) -> Tensor:
        return self.inner.one(self.index[position])


def _rows(pixels: Pixels, index: Tensor) -> Pixels:
    if isinstance(pixels, FilePixels):
        return FilePixels([pixels.contents[row] for row in index.tolist()], pixels.form, pixels.largest_pixels)
    return _ChosenPixels(pixels, index) if isinstance(pixels, LazyPixels) else MemoryPixels(pixels.take(index))


def _joined(first: Pixels, kept: Tensor | None, second: Pixels) -> Pixels:
    first = first if kept is None else _rows(first, kept)
    if isinstance(first, MemoryPixels) and isinstance(second, MemoryPixels):
        return MemoryPixels(torch.cat([first.images, second.images.to(first.images.device)]))
    return JoinedPixels([first, second])


def _not_repeated(pool: ImageSet, labelled: ImageSet, repeated: set[int]) -> tuple[Tensor | None, list[str]]:
    """Positions of the pool's images that the labelled set does not have, None for all of them."""
    keys, known = _identities(pool.pixels), _identities(labelled.pixels)
    if keys is not None and known is not None:
        shared = set(known)
        repeated = repeated | {position for position, key in enumerate(keys) if key in shared}
    if not repeated:
        return None, []
    kept = [position for position in range(len(pool)) if position not in repeated]
    note = f"{len(repeated):,} images are in both sets: each is taken once"
    return torch.tensor(kept, dtype=torch.int64), [note]


def _occurring(images: ImageSet) -> list[str]:
    """The classes that an image carries, in order."""
    return [images.classes[label] for label in images.labels[images.labelled()].unique().tolist()]


def _identities(pixels: Pixels) -> list[bytes] | None:
    """What tells images apart; None where finding out would mean decoding a set too large for memory."""
    return fingerprints(pixels.images) if isinstance(pixels, MemoryPixels) else None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
