"""Real images of the source, where somebody still has them: what a generator is judged against."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet
from hundredfold.errors import DataError
from hundredfold.transfer.generator import Generator
from hundredfold.types import UNLABELLED


@dataclass(frozen=True, kw_only=True, eq=False)
class RealSource:
    """Labelled images that the generator learnt from, and others of the same kind that it did not see.

    Attributes:
        train: the set that the generator learnt from.
        train_index: [n] positions of labelled images in it.
        test: images of the same source.
        test_index: [m] positions of labelled images in it that the generator did not learn from.
    """

    train: ImageSet
    train_index: Tensor
    test: ImageSet
    test_index: Tensor


def in_order_of(real: RealSource, generator: Generator) -> RealSource:
    """The same images with labels in the order of the generator's classes, matched by name.

    Images of classes that the generator does not know are left out.

    Raises:
        DataError: a class of the generator has no image here, or images are of another form than the generator's.
    """
    train, train_index = _relabelled(real.train, real.train_index, generator)
    test, test_index = _relabelled(real.test, real.test_index, generator)
    return RealSource(train=train, train_index=train_index, test=test, test_index=test_index)


def _relabelled(images: ImageSet, index: Tensor, generator: Generator) -> tuple[ImageSet, Tensor]:
    _check_form(images, generator)
    place = {name: position for position, name in enumerate(generator.classes)}
    known = torch.tensor([place.get(name, UNLABELLED) for name in images.classes] + [UNLABELLED])
    labels = known[images.labels]  # UNLABELLED is -1, and so takes the last
    kept = index[labels[index] != UNLABELLED]
    missing = [name for position, name in enumerate(generator.classes) if not bool((labels[kept] == position).any())]
    if missing:
        raise DataError(
            f"{images.source} has no image of the generator's class {missing[0]!r}",
            why=f"classes are matched by name: the generator's are {_listed(generator.classes)}, "
            f"those of the real images {_listed(images.classes)}",
            fix="give the images that the generator learnt from, with the same names, or none at all",
        )
    return replace(images, labels=labels, classes=generator.classes), kept


def _check_form(images: ImageSet, generator: Generator) -> None:
    form, wanted = ((part.channels, *part.size) for part in (images, generator))
    if form != wanted:
        raise DataError(
            f"the images of {images.source} are not of the generator's form",
            why=f"they are {_form(form)}, the generator draws {_form(wanted)}",
            fix="read them with the generator's size and channels",
        )


def _form(form: tuple[int, int, int]) -> str:
    channels, height, width = form
    return f"{width} x {height} with {channels} channel{'s' if channels > 1 else ''}"


def _listed(names: tuple[str, ...], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more if names else "none"
