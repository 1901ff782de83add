"""IDX files, plain or gzipped: the format of MNIST and its kin (LeCun, Cortes & Burges).

A file is a big-endian header (two zero bytes, a type, the number of dimensions, each dimension as uint32) and the
values. A folder holds `train-images*`, `train-labels*` and, if there is a test set, `t10k-*` or `test-*`.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import torch

from hundredfold.data.images import ImageSet, MemoryPixels, Source
from hundredfold.data.join import with_own_test
from hundredfold.errors import DataError
from hundredfold.types import UNLABELLED

UNSIGNED_BYTE = 0x08
LARGEST = 8 << 30  # bytes: a header that asks for more is not believed


def is_idx_folder(folder: Path) -> bool:
    """Whether the folder holds IDX images to learn from."""
    return folder.is_dir() and _find(folder, ("train",), "images") is not None


def read_idx_folder(folder: Path) -> Source:
    """Images and labels of a folder of IDX files.

    Raises:
        DataError: a file is damaged, or images and labels differ in number.
    """
    train = _read_part(folder, ("train",))
    if train is None:
        raise DataError(f"no IDX images in {folder}", fix="the folder should hold train-images-idx3-ubyte[.gz]")
    test = _read_part(folder, ("t10k", "test"))
    return with_own_test(train, test) if test else Source(train=train)


def read_idx(path: Path) -> np.ndarray:
    """The array in one IDX file of unsigned bytes.

    Raises:
        DataError: not IDX, another type than unsigned bytes, truncated, or too long.
    """
    try:
        with cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb") as stream:
            shape = _shape(path, stream)
            expected = math.prod(shape)
            # Never more than one byte past what the header says: a small .gz can unpack to any length.
            content = stream.read(expected + 1)
    except (OSError, EOFError, zlib.error) as problem:
        raise DataError(f"cannot read {path}", why=str(problem), fix="fetch the file again") from problem
    if len(content) != expected:
        holds = "more" if len(content) > expected else f"{len(content):,}"
        raise DataError(
            f"{path} is damaged",
            why=f"its header says {shape}, {expected:,} values; it holds {holds}",
            fix="fetch the file again",
        )
    return np.frombuffer(content, np.uint8).reshape(shape).copy()


def _shape(path: Path, stream: BinaryIO) -> tuple[int, ...]:
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] != UNSIGNED_BYTE:
        raise DataError(f"{path} is not an IDX file of unsigned bytes", why=f"it starts with {start.hex(' ')}")
    dimensions = start[3]
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{path} ends inside its header", fix="fetch the file again")
    shape = struct.unpack(f">{dimensions}I", sizes)
    if math.prod(shape) > LARGEST:
        raise DataError(f"{path} is damaged", why=f"its header says {shape}: more than {LARGEST:,} values")
    return shape


def _read_part(folder: Path, prefixes: tuple[str, ...]) -> ImageSet | None:
    images_path = _find(folder, prefixes, "images")
    if images_path is None:
        return None
    images = torch.from_numpy(read_idx(images_path))
    if images.dim() not in (3, 4) or 0 in images.shape:
        raise DataError(f"{images_path} does not hold images", why=f"its shape is {tuple(images.shape)}")
    # [n, h, w] -> [n, 1, h, w]; [n, h, w, c] -> [n, c, h, w]
    images = images.unsqueeze(1) if images.dim() == 3 else images.movedim(-1, 1).contiguous()
    labels_path = _find(folder, prefixes, "labels")
    labels = torch.full((len(images),), UNLABELLED)
    if labels_path is not None:
        labels = torch.from_numpy(read_idx(labels_path)).long()
        if labels.shape != (len(images),):
            raise DataError(
                f"{len(images):,} images but labels of shape {tuple(labels.shape)}",
                why=f"{images_path.name} and {labels_path.name} do not belong together",
            )
    return ImageSet(
        source=str(folder),
        pixels=MemoryPixels(images),
        labels=labels,
        classes=tuple(str(label) for label in range(int(labels.max()) + 1)),
        names=tuple(f"{images_path.name} {position}" for position in range(len(images))),
    )


def _find(folder: Path, prefixes: tuple[str, ...], kind: str) -> Path | None:
    for prefix in prefixes:
        for ending in ("idx3-ubyte", "idx1-ubyte", "idx4-ubyte"):
            for separator in ("-", "."):
                for compression in (".gz", ""):
                    path = folder / f"{prefix}-{kind}{separator}{ending}{compression}"
                    if path.is_file():
                        return path
    return None
