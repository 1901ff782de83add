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

import numpy as np
import torch

from hundredfold.data.images import ImageSet, MemoryPixels, Source
from hundredfold.errors import DataError

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
    return Source(train=train, test=_read_part(folder, ("t10k", "test")))


def read_idx(path: Path) -> np.ndarray:
    """The array in one IDX file of unsigned bytes.

    Raises:
        DataError: not IDX, another type than unsigned bytes, truncated, or too long.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as problem:
        raise DataError(f"cannot read {path}", why=str(problem), fix="fetch the file again") from problem
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise DataError(f"{path} is not an IDX file of unsigned bytes", why=f"it starts with {content[:4].hex(' ')}")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(f"{path} ends inside its header", fix="fetch the file again")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    expected = math.prod(shape)
    if expected > LARGEST or len(content) - start != expected:
        raise DataError(
            f"{path} is damaged",
            why=f"its header says {shape}, {expected} values; it holds {len(content) - start}",
            fix="fetch the file again",
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def _read_part(folder: Path, prefixes: tuple[str, ...]) -> ImageSet | None:
    images_path = _find(folder, prefixes, "images")
    if images_path is None:
        return None
    images = torch.from_numpy(read_idx(images_path))
    if images.dim() == 3:
        images = images.unsqueeze(1)  # [n, h, w] -> [n, 1, h, w]
    elif images.dim() == 4:
        images = images.movedim(-1, 1).contiguous()  # [n, h, w, c] -> [n, c, h, w]
    else:
        raise DataError(f"{images_path} does not hold images", why=f"its shape is {tuple(images.shape)}")
    labels_path = _find(folder, prefixes, "labels")
    if labels_path is None:
        labels = torch.full((len(images),), -1)
    else:
        labels = torch.from_numpy(read_idx(labels_path)).long()
    if labels.shape != (len(images),):
        raise DataError(
            f"{len(images)} images but labels of shape {tuple(labels.shape)}",
            why=f"{images_path.name} and {labels_path.name if labels_path else 'no labels'} do not belong together",
        )
    known = int(labels.max()) + 1 if labels_path else 0
    return ImageSet(
        source=str(folder),
        pixels=MemoryPixels(images),
        labels=labels,
        classes=tuple(str(label) for label in range(known)),
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
