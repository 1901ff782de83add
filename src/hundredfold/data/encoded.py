"""A set made of encoded images: files in folders, files named by a table, bytes in a Parquet column.

The headers of all are read first (fast: no pixel is decoded); they decide what the set becomes: grey or RGB, which
size, in memory or decoded when taken. What cannot be used is left out with its reason.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import torch

from hundredfold.data.decode import BadImage, Content, Form, Header, Kind, decode, decode_as_is, peek, quiet_decoding
from hundredfold.data.images import ImageSet, MemoryPixels, Pixels
from hundredfold.data.labels import numbered
from hundredfold.data.options import ReadOptions
from hundredfold.data.streaming import FilePixels
from hundredfold.errors import DataError
from hundredfold.records import BadFile

SIZES = (28, 32, 48, 64, 96)  # what sizes that differ are brought to; larger ones when asked for
LARGEST_KEPT = 256  # pixels: a common size with a shorter side above this is brought down too
WORTH_A_THREAD = 128 * 128  # pixels: below, opening a file costs more than decoding it, and threads only get in the way
BLOCK = 1024  # images handed to the threads at a time
Item = TypeVar("Item")
Result = TypeVar("Result")


class EncodedImage(NamedTuple):
    """One image not yet decoded.

    Attributes:
        name: what a person calls it.
        content: where its bytes are, or the bytes.
        label: the name of its class, or None.
    """

    name: str
    content: Content
    label: str | None = None


def image_set(
    source: str,
    items: Sequence[EncodedImage],
    options: ReadOptions,
    *,
    classes: Sequence[str] | None = None,
    bad_files: Sequence[BadFile] = (),
    notes: Sequence[str] = (),
) -> ImageSet:
    """The set that the usable ones of `items` make, in their order.

    Args:
        source: as the user named it.
        items: the images.
        options: how to read.
        classes: class names in label order; None takes those that occur.
        bad_files, notes: what was found before.

    Raises:
        DataError: none is usable, or more are bad than `options.bad_image_limit` allows.
    """
    bad = list(bad_files)
    pixels: Pixels
    with quiet_decoding():
        alike = _decoded_if_alike(items, options)
        if alike is not None:
            usable, headers, pixels, found = alike
            bad += found
            _require_some(source, len(usable), bad, options)
            _, said = _choose_form(headers, options)
        else:
            usable, headers = _with_headers(items, options, bad)
            _require_some(source, len(usable), bad, options)
            form, said = _choose_form(headers, options)
            if options.fits(form.bytes * len(usable)):
                usable, pixels = _decoded(usable, form, options, _workers(headers, options), bad)
                _require_some(source, len(usable), bad, options)
            else:
                pixels = FilePixels([item.content for item in usable], form, options.largest_pixels)
                said.append(f"{len(usable):,} images are more than memory should hold: they are decoded when needed")
    labels, order = numbered([item.label for item in usable], classes)
    lost = {item.label for item in items if item.label is not None} - set(order)
    said += [f"class {name} has no usable image" for name in sorted(lost)]
    return ImageSet(
        source=source,
        pixels=pixels,
        labels=labels,
        classes=order,
        names=tuple(item.name for item in usable),
        bad_files=tuple(sorted(bad, key=lambda file: file.path)),
        notes=(*notes, *said),
    )


def _decoded_if_alike(
    items: Sequence[EncodedImage], options: ReadOptions
) -> tuple[list[EncodedImage], list[Header], MemoryPixels, list[BadFile]] | None:
    """Everything in one pass, if all images have the kind and size of the first and stay as they are; else None.

    Opening a small file costs more than decoding it: this halves the time for sets of small images.
    """
    first = next((header for item in items[:10] if isinstance(header := _header(item, options), Header)), None)
    if first is None or not options.fits(first.form.bytes * len(items)):
        return None
    if _choose_form([first], options)[0] != first.form:
        return None
    images = torch.empty((len(items), *first.form.shape), dtype=first.form.dtype)  # [n, c, h, w]

    def fill(position: int) -> Header | BadFile:
        try:
            header, pixels = decode_as_is(items[position].content, options.largest_pixels)
        except BadImage as problem:
            return BadFile(path=items[position].name, reason=str(problem))
        if header.form == first.form:
            images[position] = pixels
        return header

    found: list[Header | BadFile] = []
    for result in _in_threads(fill, range(len(items)), _workers([first], options)):
        if isinstance(result, Header) and result.form != first.form:
            return None
        found.append(result)
    kept = [position for position, result in enumerate(found) if isinstance(result, Header)]
    if len(kept) < len(items):
        images = images[kept]
    headers = [result for result in found if isinstance(result, Header)]
    bad = [result for result in found if isinstance(result, BadFile)]
    return [items[position] for position in kept], headers, MemoryPixels(images), bad


def _with_headers(
    items: Sequence[EncodedImage], options: ReadOptions, bad: list[BadFile]
) -> tuple[list[EncodedImage], list[Header]]:
    usable, headers = [], []
    for item in items:
        found = _header(item, options)
        if isinstance(found, BadFile):
            bad.append(found)
        else:
            usable.append(item)
            headers.append(found)
    return usable, headers


def _header(item: EncodedImage, options: ReadOptions) -> Header | BadFile:
    try:
        return peek(item.content, options.largest_pixels)
    except BadImage as problem:
        return BadFile(path=item.name, reason=str(problem))


def _decoded(
    items: Sequence[EncodedImage], form: Form, options: ReadOptions, workers: int, bad: list[BadFile]
) -> tuple[list[EncodedImage], MemoryPixels]:
    images = torch.empty((len(items), *form.shape), dtype=form.dtype)  # [n, c, h, w]

    def fill(position: int) -> BadFile | None:
        try:
            images[position] = decode(items[position].content, form, options.largest_pixels)
        except BadImage as problem:
            return BadFile(path=items[position].name, reason=str(problem))
        return None

    problems = list(_in_threads(fill, range(len(items)), workers))
    bad.extend(problem for problem in problems if problem is not None)
    kept = [position for position, problem in enumerate(problems) if problem is None]
    if len(kept) < len(items):
        images = images[kept]
    return [items[position] for position in kept], MemoryPixels(images)


def _workers(headers: Sequence[Header], options: ReadOptions) -> int:
    small = statistics.fmean(header.width * header.height for header in headers) < WORTH_A_THREAD
    return 0 if small else options.workers


def _choose_form(headers: Sequence[Header], options: ReadOptions) -> tuple[Form, list[str]]:
    kind = max(header.kind for header in headers)
    notes = []
    others = sum(header.kind is not kind for header in headers)
    if others:
        became = {Kind.COLOUR: "RGB", Kind.DEEP_GREY: "16-bit grey"}[kind]
        notes.append(f"{others:,} of {len(headers):,} images were brought to {became}, as the others are")
    transparent = sum(header.transparent for header in headers)
    if transparent:
        notes.append(f"{transparent:,} images have transparent parts: they are laid over white")
    height, width, said = _choose_size(headers, options.image_size)
    return Form(kind, height, width), notes + said


def _choose_size(headers: Sequence[Header], asked: int | None) -> tuple[int, int, list[str]]:
    sizes = {(header.height, header.width) for header in headers}
    first = next(iter(sizes))
    if asked is None and len(sizes) == 1 and min(first) <= LARGEST_KEPT:
        return *first, []
    if asked is not None and sizes == {(asked, asked)}:
        return asked, asked, []
    shorter = [min(header.height, header.width) for header in headers]
    typical = statistics.median_low(shorter)
    side = asked or max((size for size in SIZES if size <= typical), default=max(1, typical))
    span = f"shorter sides from {min(shorter)} to {max(shorter)} pixels"
    found = span if len(sizes) > 1 else f"{first[1]} x {first[0]}"
    chosen = "" if asked else "; another size: --image-size"
    return side, side, [f"images ({found}) were brought to {side} x {side}: scaled, then cropped at the centre{chosen}"]


def _require_some(source: str, usable: int, bad: Sequence[BadFile], options: ReadOptions) -> None:
    if usable and len(bad) <= options.bad_image_limit * (usable + len(bad)):
        return
    first = "; ".join(f"{file.path}: {file.reason}" for file in bad[:3])
    what = f"{len(bad):,} of {usable + len(bad):,} images in {source} cannot be read" if usable else ""
    raise DataError(
        what or f"no usable image in {source}",
        why=f"{len(bad):,} left out: {first}{'; ...' if len(bad) > 3 else ''}" if bad else "it holds none",
        fix=f"`hundredfold check-data {source}` lists all of them",
    )


def _in_threads(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """`work` of each item, in order. Threads serve: Pillow lets go of the interpreter while it decodes."""
    if workers == 0:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(items), BLOCK):
            yield from pool.map(work, items[start : start + BLOCK])
