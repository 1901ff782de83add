"""Images decoded when they are taken, for sets larger than memory, and batches of them made ahead of need.

Threads, not processes: Pillow and torch let go of the interpreter while they decode and copy, a thread needs no
second copy of the file list, and nothing is left behind when the run is killed. At most `workers + 1` batches wait.

A file that was there when the set was read may be gone five hours later. That never ends a run: in a training batch
the next readable image of the same batch takes its place, label and index included (so the same files give the same
batch); `take`, whose caller needs every row, gives a black image. Either way it is kept in `failures`, and the first
one is logged.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from hundredfold.data.decode import BadImage, Content, Form, decode
from hundredfold.data.images import ImageSet, Pixels
from hundredfold.errors import DataError
from hundredfold.records import BadFile
from hundredfold.types import ImageBatch

logger = logging.getLogger(__name__)


class LazyPixels(Pixels):
    """Pixels made one image at a time, when they are taken.

    Args:
        shape: (n, c, h, w).
        dtype: uint8 or float32.

    Attributes:
        failures: position -> reason of the images that could not be made so far.
    """

    in_memory = False

    def __init__(self, shape: tuple[int, int, int, int], dtype: torch.dtype) -> None:
        self.shape, self.dtype = shape, dtype
        self.failures: dict[int, str] = {}

    @abstractmethod
    def one(self, position: int) -> Tensor:
        """The image at `position` [c, h, w]; raises `BadImage` if it cannot be had."""

    def try_one(self, position: int) -> Tensor | None:
        """The image at `position` [c, h, w], or None, with the reason in `failures`."""
        try:
            return self.one(position)
        except BadImage as problem:
            if not self.failures:
                logger.warning("image %d of the set can no longer be read: %s", position, problem)
            self.failures[position] = str(problem)
            return None

    def take(self, index: Tensor) -> Tensor:
        """The images at `index` [b]; one that cannot be had is black, with the reason in `failures`."""
        images = torch.zeros((len(index), *self.shape[1:]), dtype=self.dtype)
        for row, position in enumerate(index.tolist()):
            image = self.try_one(position)
            if image is not None:
                images[row] = image
        return images


class FilePixels(LazyPixels):
    """Encoded images, decoded to one form when taken.

    Args:
        contents: where each image is, or its bytes.
        form: what each is decoded to.
        largest_pixels: width * height above which a file is refused.
    """

    def __init__(self, contents: Sequence[Content], form: Form, largest_pixels: int) -> None:
        super().__init__((len(contents), *form.shape), form.dtype)
        self.contents, self.form, self.largest_pixels = contents, form, largest_pixels

    def one(self, position: int) -> Tensor:
        """The image at `position` [c, h, w], decoded now."""
        return decode(self.contents[position], self.form, self.largest_pixels)


def stream(images: ImageSet, positions: Iterator[Tensor], workers: int) -> Iterator[ImageBatch]:
    """The batches at `positions` in order, decoded ahead by `workers` threads (0: in the calling thread).

    Raises:
        DataError: none of the images of a batch can be read.
    """
    if workers == 0:
        for index in positions:
            yield _batch(images, index)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="hundredfold-decode")
    try:
        ahead: deque[Future[ImageBatch]] = deque()
        for index in positions:
            ahead.append(pool.submit(_batch, images, index))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def read_failures(images: ImageSet) -> tuple[BadFile, ...]:
    """The images of a set that could not be had when they were taken, so far, by position."""
    if not isinstance(images.pixels, LazyPixels):
        return ()
    failures = sorted(images.pixels.failures.items())
    return tuple(BadFile(path=images.name(position), reason=reason) for position, reason in failures)


def _batch(images: ImageSet, index: Tensor) -> ImageBatch:
    pixels = images.pixels
    if not isinstance(pixels, LazyPixels):
        return ImageBatch(images.take(index), images.labels[index], index)
    found = [pixels.try_one(position) for position in index.tolist()]
    good = [row for row, image in enumerate(found) if image is not None]
    if not good:
        raise DataError(
            f"none of the {len(index)} images of a batch can be read",
            why=f"{images.name(int(index[0]))}: {pixels.failures[int(index[0])]}",
            fix="see that the disk is still there, then go on with --resume",
        )
    rows = [next((other for other in good if other >= row), good[0]) for row in range(len(index))]
    index = index[rows]
    decoded = [image for row in rows if (image := found[row]) is not None]
    return ImageBatch(torch.stack(decoded), images.labels[index], index)
