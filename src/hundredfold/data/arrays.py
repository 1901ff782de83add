"""Images that are arrays already: given from Python, or in .npy and .npz files.

Shapes: [n, h, w], [n, h, w, c] or [n, c, h, w]. Values: whole numbers 0..255, uint16 0..65535, booleans, floats in
0..1 or in 0..255. Files are read without pickle: an array of Python objects is refused before anything is loaded.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, MemoryPixels, Pixels, Source
from hundredfold.data.join import with_own_test
from hundredfold.data.labels import class_names, numbered, printable
from hundredfold.data.options import ReadOptions
from hundredfold.data.streaming import LazyPixels
from hundredfold.errors import DataError
from hundredfold.types import UNLABELLED

Array: TypeAlias = np.ndarray[Any, Any]
BLOCK = 1024  # images looked at or converted at a time

IMAGES = ("x_train", "train_images", "train_x", "images_train", "train_data", "images", "image", "x", "data", "imgs")
LABELS = ("y_train", "train_labels", "train_y", "labels_train", "labels", "label", "y", "targets", "target")
TEST_IMAGES = ("x_test", "test_images", "test_x", "images_test", "test_data")
TEST_LABELS = ("y_test", "test_labels", "test_y", "labels_test")
CLASSES = ("classes", "class_names", "label_names")


def read_array_file(path: Path, options: ReadOptions) -> Source:
    """The images, labels and test set in a .npy or .npz file.

    Raises:
        DataError: damaged, made of Python objects, without images, or with values that are no pixels.
    """
    return _read_npz(path, options) if path.suffix.lower() == ".npz" else Source(train=_read_npy(path, options))


def array_set(source: str, images: object, labels: object = None, classes: Sequence[str] = ()) -> ImageSet:
    """Images in memory as a set.

    Args:
        source: what to call it.
        images: numpy array or torch tensor, see the top of this file.
        labels: [n] whole numbers or names; -1, NaN, None and "" stand for unlabelled. None: nothing is labelled.
        classes: what the label numbers are called; empty calls each by its number.

    Raises:
        DataError: a shape, type or value that cannot be an image or a label.
    """
    values, said = _channels_first(source, _as_array(images))
    rule = _scale(source, values)
    pixels = MemoryPixels(_converted(values, rule))
    return _labelled_set(source, pixels, labels, classes, (*said, *rule.notes))


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """How stored values become pixels: divided by `divisor` as float32, or multiplied by `factor` as uint8."""

    dtype: torch.dtype
    divisor: float = 1.0
    factor: int = 1
    notes: tuple[str, ...] = ()

    def apply(self, values: Array) -> Tensor:
        if self.dtype == torch.uint8:
            return torch.from_numpy(np.ascontiguousarray(values.astype(np.uint8)) * np.uint8(self.factor))
        return torch.from_numpy(np.ascontiguousarray(values.astype(np.float32)) / np.float32(self.divisor))


class MappedPixels(LazyPixels):
    """An array larger than memory, read from its .npy file image by image.

    Args:
        values: [n, c, h, w], mapped from the file.
        scale: how its values become pixels.
    """

    def __init__(self, values: Array, scale: _Scale) -> None:
        count, channels, height, width = values.shape
        super().__init__((count, channels, height, width), scale.dtype)
        self.values, self.scale = values, scale

    def one(self, position: int) -> Tensor:
        """The image at `position` [c, h, w], read now."""
        return self.scale.apply(self.values[position])


def _read_npy(path: Path, options: ReadOptions) -> ImageSet:
    with _problems_with(path), path.open("rb") as stream:
        _refuse_objects(path, "it", _header(stream)[1])
    with _problems_with(path):
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    values, said = _channels_first(str(path), stored)
    rule = _scale(str(path), values)
    pixels: Pixels = MappedPixels(values, rule)
    if options.fits(values.size * rule.dtype.itemsize):
        pixels = MemoryPixels(_converted(values, rule))
    return _labelled_set(str(path), pixels, None, (), (*said, *rule.notes))


def _read_npz(path: Path, options: ReadOptions) -> Source:
    shapes = _npz_shapes(path, options)
    keys = {name.lower(): name for name in shapes}
    image_key = _key(keys, IMAGES) or _only(shapes, (3, 4))
    if image_key is None:
        raise DataError(
            f"no images in {path}",
            why="it holds " + (", ".join(f"{printable(name)} {shape}" for name, shape in shapes.items()) or "nothing"),
            fix="save the images as `images` [n, h, w], [n, h, w, c] or [n, c, h, w], and the labels as `labels` [n]",
        )
    with _problems_with(path), np.load(path, allow_pickle=False) as file:
        arrays: dict[str, Array] = {name: file[name] for name in shapes}
    classes_key = _key(keys, CLASSES)
    classes = [printable(str(name)) for name in arrays[classes_key].ravel().tolist()] if classes_key else []
    label_key = _key(keys, LABELS) or _only(shapes, (1,), but=classes_key)
    train = array_set(str(path), arrays[image_key], arrays[label_key] if label_key else None, classes)
    test_key, test_label_key = _key(keys, TEST_IMAGES), _key(keys, TEST_LABELS)
    if test_key is None or test_label_key is None:
        return Source(train=train)
    return with_own_test(train, array_set(str(path), arrays[test_key], arrays[test_label_key], classes))


def _npz_shapes(path: Path, options: ReadOptions) -> dict[str, tuple[int, ...]]:
    """Name -> shape of each array, from the headers alone: a small file can claim to hold terabytes."""
    shapes: dict[str, tuple[int, ...]] = {}
    claimed = 0
    with _problems_with(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as stream:
                shape, dtype = _header(stream)
            _refuse_objects(path, f"`{printable(name)}`", dtype)
            shapes[name] = shape
            claimed += max(member.file_size, int(np.prod(shape, dtype=object)) * dtype.itemsize)
    if not options.fits(claimed):
        raise DataError(
            f"{path} holds {claimed / 2**30:.1f} GiB of arrays, more than memory should hold",
            fix="save the images as .npy, which is read piece by piece, or raise the memory limit",
        )
    return shapes


def _header(stream: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return tuple(shape), dtype


def _refuse_objects(path: Path, what: str, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise DataError(
            f"{path} holds pickled Python objects, which are never loaded",
            why=f"the type of {what} is {dtype}: loading it could run any code",
            fix="save plain numbers: np.stack(images) instead of a list of arrays",
        )


@contextmanager
def _problems_with(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError) as problem:
        why = f"{type(problem).__name__}: {printable(str(problem))[:200]}"
        raise DataError(f"cannot read {path}", why=why, fix="save it again with numpy.save or numpy.savez") from problem


def _key(keys: dict[str, str], possible: Sequence[str]) -> str | None:
    return next((keys[name] for name in possible if name in keys), None)


def _only(shapes: dict[str, tuple[int, ...]], dimensions: Sequence[int], but: str | None = None) -> str | None:
    found = [name for name, shape in shapes.items() if len(shape) in dimensions and name != but]
    return found[0] if len(found) == 1 else None


def _as_array(images: object) -> Array:
    if isinstance(images, Tensor):
        images = images.detach().cpu()
        return (images.float() if images.dtype == torch.bfloat16 else images).numpy()
    return np.asarray(images)


def _channels_first(source: str, values: Array) -> tuple[Array, tuple[str, ...]]:
    """The values as [n, c, h, w], and what was decided about the channels."""
    if values.ndim not in (3, 4) or 0 in values.shape:
        raise DataError(
            f"an array of shape {values.shape} in {source} does not hold images",
            fix="possible: [n, h, w], [n, h, w, c] and [n, c, h, w], none of them 0",
        )
    if values.ndim == 3:
        return values[:, None], ()  # [n, h, w] -> [n, 1, h, w]
    if values.shape[3] < values.shape[1]:
        values = np.moveaxis(values, 3, 1)  # [n, h, w, c] -> [n, c, h, w]
        return values, ()
    if values.shape[1] == values.shape[3]:
        return values, (f"the array was taken as [n, c, h, w]: {values.shape[1]} channels",)
    return values, ()


def _scale(source: str, values: Array) -> _Scale:
    kind = values.dtype.kind
    if values.dtype == np.uint8:
        return _Scale(dtype=torch.uint8)
    if kind == "b":
        return _Scale(dtype=torch.uint8, factor=255)
    if kind not in "iuf":
        raise DataError(f"images of type {values.dtype} in {source}", fix="possible: whole numbers, floats, booleans")
    low, high, whole = _range(source, values)
    found = f"values in {source} run from {low:g} to {high:g}"
    if low >= 0 and high <= 1 and kind == "f":
        return _Scale(dtype=torch.float32)
    if low >= 0 and high <= 255 and kind in "iu":
        return _Scale(dtype=torch.uint8)
    if low >= 0 and 2 < high <= 255:
        note = f"{found}: they were divided by 255"
        return _Scale(dtype=torch.uint8) if whole else _Scale(dtype=torch.float32, divisor=255, notes=(note,))
    if values.dtype == np.uint16:
        return _Scale(dtype=torch.float32, divisor=65535, notes=(f"{found} (16 bit): they were divided by 65535",))
    raise DataError(
        "pixel values out of range",
        why=f"{found}; possible are 0 to 1, 0 to 255, and 0 to 65535 as uint16",
        fix="bring them to 0..1: (x - x.min()) / (x.max() - x.min())",
    )


def _range(source: str, values: Array) -> tuple[float, float, bool]:
    """Smallest and largest value, and whether all are whole numbers."""
    low, high, whole = float("inf"), float("-inf"), True
    for start, block in _blocks(values):
        if block.dtype.kind == "f":
            bad = ~np.isfinite(block)
            if bad.any():
                raise DataError(
                    "pixel values that are not numbers",
                    why=f"image {start + int(np.argwhere(bad)[0][0])} in {source} holds NaN or infinity",
                    fix="leave such images out, or np.nan_to_num them",
                )
            whole = whole and bool((block == np.floor(block)).all())
        low, high = min(low, float(block.min())), max(high, float(block.max()))
    return low, high, whole


def _converted(values: Array, rule: _Scale) -> Tensor:
    images = torch.empty(values.shape, dtype=rule.dtype)  # [n, c, h, w]
    for start, block in _blocks(values):
        images[start : start + len(block)] = rule.apply(block)
    return images


def _blocks(values: Array) -> Iterator[tuple[int, Array]]:
    for start in range(0, len(values), BLOCK):
        yield start, values[start : start + BLOCK]


def _labelled_set(
    source: str, pixels: Pixels, labels: object, classes: Sequence[str], notes: tuple[str, ...]
) -> ImageSet:
    count = pixels.shape[0]
    numbers, order = torch.full((count,), UNLABELLED), tuple(classes)
    if labels is not None:
        names = class_names(_as_array(labels))
        if len(names) != count:
            raise DataError(f"{count:,} images but {len(names):,} labels in {source}", fix="give one label per image")
        if classes:
            names = [_called(name, classes) for name in names]
        numbers, order = numbered(names, classes or None)
    return ImageSet(
        source=source,
        pixels=pixels,
        labels=numbers,
        classes=order,
        names=tuple(f"image {position}" for position in range(count)),
        notes=notes,
    )


def _called(name: str | None, classes: Sequence[str]) -> str | None:
    if name is None or name in classes:
        return name
    if name.isdecimal() and int(name) < len(classes):
        return classes[int(name)]
    raise DataError(f"a label is {name!r}, but there are {len(classes)} class names", fix="give a name for each label")
