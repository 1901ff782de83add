"""Look at every image of a source before hours are spent on it: what `hundredfold check-data` tells.

Each image is decoded once. Exact copies are found by their pixels, so the same picture under two names counts as a
copy. Nothing is kept but a hash per image, so a set of any size can be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from hundredfold.data.decode import quiet_decoding
from hundredfold.data.fingerprint import fingerprints
from hundredfold.data.images import ImageSet, Source, as_float
from hundredfold.data.streaming import LazyPixels, read_failures
from hundredfold.records import BadFile, DataSummary
from hundredfold.types import UNLABELLED

BLOCK = 256  # images looked at together
SHOWN = 20  # groups of copies listed
NAMED = 5  # names given of each
FEW = 100  # images below which pre-training has little to learn from
DARK = 0.1  # brightest value of a whole set below which its range is probably wrong
UNEVEN = 10  # times as many images in the largest class as in the smallest


@dataclass(frozen=True, kw_only=True)
class DuplicateGroup:
    """Images of the set to learn from that have the same pixels.

    Attributes:
        count: how many there are.
        names: the first few.
        labels: the different class names that they carry.
    """

    count: int
    names: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """What is in a source, and what is wrong with it.

    Attributes:
        summary: counts, size, channels, classes; with the files found bad when all were decoded.
        test_labelled: labelled images in the test set.
        test_class_counts: those by class, in the order of the summary's classes.
        duplicates: images that repeat an earlier one of the set to learn from.
        duplicate_groups: the first few groups of equal images, those with different labels first.
        conflicting: groups of equal images that carry different labels.
        overlap: test images whose pixels are also among the images to learn from.
        overlap_names: the first few of them.
        constant: images of a single colour, in both sets.
        constant_names: the first few of them.
        brightest: largest value of any image, 0..1.
        grey_as_rgb: whether there are three channels and they are equal in every image.
        problems: what should be mended or known, one sentence each; empty if all is well.
    """

    summary: DataSummary
    test_labelled: int = 0
    test_class_counts: tuple[int, ...] = ()
    duplicates: int = 0
    duplicate_groups: tuple[DuplicateGroup, ...] = ()
    conflicting: int = 0
    overlap: int = 0
    overlap_names: tuple[str, ...] = ()
    constant: int = 0
    constant_names: tuple[str, ...] = ()
    brightest: float = 0.0
    grey_as_rgb: bool = False
    problems: tuple[str, ...] = ()


@dataclass
class _Look:
    """What looking at one set found; hashes are by position, absent for images that cannot be decoded."""

    hashes: dict[int, bytes] = field(default_factory=dict)
    constant: list[str] = field(default_factory=list)
    brightest: float = 0.0
    coloured: bool = False
    bad: tuple[BadFile, ...] = ()


def inspect(source: Source, *, workers: int = 2) -> DataReport:
    """Decode everything and report what is there and what is wrong.

    Args:
        source: what was read.
        workers: threads that decode images kept in files.
    """
    train = _look(source.train, workers)
    test = _look(source.test, workers) if source.test else _Look()
    summary = source.summary()
    groups = _duplicate_groups(source.train, train)
    known = set(train.hashes.values())
    shared = [position for position, value in test.hashes.items() if value in known]
    constant = train.constant + test.constant
    counts = _class_counts(source.test)
    report = DataReport(
        summary=replace(summary, bad_files=summary.bad_files + train.bad + test.bad),
        test_labelled=sum(counts),
        test_class_counts=counts,
        duplicates=len(train.hashes) - len(known),
        duplicate_groups=tuple(groups[:SHOWN]),
        conflicting=sum(len(group.labels) > 1 for group in groups),
        overlap=len(shared),
        overlap_names=tuple(source.test.name(position) for position in shared[:NAMED]) if source.test else (),
        constant=len(constant),
        constant_names=tuple(constant[:NAMED]),
        brightest=max(train.brightest, test.brightest),
        grey_as_rgb=summary.channels == 3 and not train.coloured,
    )
    return replace(report, problems=tuple(problems_of(report)))


def problems_of(report: DataReport) -> list[str]:
    """One sentence for everything in a report that should be mended or known."""
    return [*_image_problems(report), *_label_problems(report)]


def _look(images: ImageSet, workers: int) -> _Look:
    look = _Look()
    for index, block in _blocks(images, workers):  # [b], [b, c, h, w] uint8 or float32
        look.hashes.update(zip(index.tolist(), fingerprints(block)))
        flat = block.flatten(2)  # [b, c, h * w]
        is_constant = (flat.amax(2) == flat.amin(2)).all(1)  # [b]
        look.constant += [images.name(position) for position in index[is_constant].tolist()]
        look.brightest = max([look.brightest, *as_float(flat.amax((1, 2))).tolist()])
        look.coloured = look.coloured or bool((block != block[:, :1]).any())
    look.bad = read_failures(images)
    return look


def _blocks(images: ImageSet, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Positions and images, block by block; those that cannot be decoded are not among them."""
    pixels = images.pixels
    if not isinstance(pixels, LazyPixels):
        for index in torch.arange(len(images)).split(BLOCK):
            yield index, pixels.take(index).cpu()
        return
    with quiet_decoding(), ThreadPoolExecutor(max(1, workers)) as pool:
        for index in torch.arange(len(images)).split(BLOCK):
            found = list(zip(index.tolist(), pool.map(pixels.try_one, index.tolist())))
            decoded = [(position, image) for position, image in found if image is not None]
            if decoded:
                yield torch.tensor([position for position, _ in decoded]), torch.stack([image for _, image in decoded])


def _duplicate_groups(images: ImageSet, look: _Look) -> list[DuplicateGroup]:
    by_hash: dict[bytes, list[int]] = {}
    for position in sorted(look.hashes):
        by_hash.setdefault(look.hashes[position], []).append(position)
    groups = []
    for positions in by_hash.values():
        if len(positions) > 1:
            labels = sorted({int(label) for label in images.labels[positions]} - {UNLABELLED})
            groups.append(
                DuplicateGroup(
                    count=len(positions),
                    names=tuple(images.name(position) for position in positions[:NAMED]),
                    labels=tuple(images.classes[label] for label in labels),
                )
            )
    return sorted(groups, key=lambda group: len(group.labels) < 2)


def _class_counts(images: ImageSet | None) -> tuple[int, ...]:
    if images is None:
        return ()
    return tuple(torch.bincount(images.labels[images.labelled()], minlength=len(images.classes)).tolist())


def _image_problems(report: DataReport) -> Iterator[str]:
    summary = report.summary
    if summary.bad_files:
        first = summary.bad_files[0]
        count = len(summary.bad_files)
        yield f"{count:,} files cannot be used and are left out, the first: {first.path}: {first.reason}"
    if summary.images < FEW:
        yield f"{summary.images} images are very few to pre-train on: expect little more than the pixels give"
    if report.overlap:
        yield (
            f"{report.overlap:,} test images are also among the images to learn from ({_some(report.overlap_names)}): "
            "their score would be too good; take them out of one of the two"
        )
    if report.conflicting:
        group = report.duplicate_groups[0]
        yield (
            f"{report.conflicting:,} groups of equal images carry different labels "
            f"({_some(group.names)}: {_some(group.labels)}): decide which is right"
        )
    if report.duplicates:
        group = report.duplicate_groups[0]
        yield f"{report.duplicates:,} images repeat another one pixel for pixel ({_some(group.names)})"
    if report.constant:
        yield f"{report.constant:,} images are of a single colour ({_some(report.constant_names)})"
    if report.brightest < DARK:
        yield (
            f"the brightest value of all images is {report.brightest * 255:.0f} of 255: "
            "the values are probably of another range; multiply them first"
        )
    if report.grey_as_rgb:
        yield "all images are grey but stored with three channels: as grey files they would be read and learnt faster"


def _label_problems(report: DataReport) -> Iterator[str]:
    summary = report.summary
    counted = [(count, name) for count, name in zip(summary.class_counts, summary.classes)]
    if not summary.labelled:
        if not report.test_labelled:
            yield "no image carries a label: an encoder can be pre-trained, but not tested"
        return
    if len([count for count, _ in counted if count]) < 2:
        yield f"all labelled images are of one class ({counted[0][1]}): there is nothing to tell apart"
        return
    if summary.labelled < 2 * len(counted):
        yield (
            f"{len(counted):,} classes for {summary.labelled:,} labelled images: "
            "the labels look like numbers or names of single images, not of classes"
        )
        return
    scarce = [f"{name} ({count})" for count, name in counted if count < 2]
    if scarce:
        yield f"classes with fewer than two labelled images: {_some(scarce)}"
    most, least = max(counted), min(counted)
    if most[0] > UNEVEN * max(least[0], 1):
        yield f"classes are uneven: {most[0]:,} of {most[1]}, {least[0]:,} of {least[1]}; look at macro F1 too"
    untested = [name for name, count in zip(summary.classes, report.test_class_counts) if not count]
    if untested:
        yield f"classes without a test image: {_some(untested)}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
