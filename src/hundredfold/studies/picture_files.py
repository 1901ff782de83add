"""Images as files: one sheet, an array, or a folder with a file for each."""

from __future__ import annotations

import io
import math
from pathlib import Path

import torch
from torch import Tensor

from hundredfold import atomic
from hundredfold.errors import SettingsError, unknown_name
from hundredfold.studies.pictures import as_bytes

KINDS = (".png", ".npz", ".npy")
GAP = 2  # pixels between the images of a sheet
WHITE = 255


def check_target(to: Path | None) -> None:
    """Raises SettingsError unless `to` is None, a .png, .npz or .npy file, or a folder, in one that exists."""
    if to is None:
        return
    if to.suffix and to.suffix not in KINDS:
        raise SettingsError([unknown_name("file type", to.suffix, [*KINDS, "a folder"])])
    if not to.absolute().parent.is_dir():
        raise SettingsError([f"--to {to}: there is no folder {to.absolute().parent}"])
    if to.exists() and to.is_dir() == bool(to.suffix):
        raise SettingsError([f"--to {to}: there is a {'folder' if to.suffix else 'file'} of that name"])


def write_images(to: Path, images: Tensor) -> None:
    """Writes images [n, c, h, w]: a sheet (.png), an array (.npz, .npy), or a file each (a folder).

    Raises:
        SettingsError: a PNG cannot hold so many channels.
        ResourceError, OutputError: it cannot be written.
    """
    stored = as_bytes(images)
    if to.suffix in (".npz", ".npy"):
        atomic.write_bytes(to, _array(stored, to.suffix))
        return
    if stored.shape[1] not in (1, 3):
        raise SettingsError(
            [f"images of {stored.shape[1]} channels cannot be written as PNG"], fix="write them as .npz"
        )
    if to.suffix == ".png":
        atomic.write_bytes(to, _png(sheet(stored)))
        return
    atomic.make_folder(to)
    digits = len(str(len(stored)))
    for number, image in enumerate(stored, 1):
        atomic.write_bytes(to / f"{number:0{digits}}.png", _png(image))


def sheet(images: Tensor) -> Tensor:
    """All images [n, c, h, w] uint8 as one [c, H, W], about as wide as it is high, row by row, white between them."""
    n, channels, height, width = images.shape
    columns = max(1, math.ceil(math.sqrt(n * height / width)))
    rows = math.ceil(n / columns)
    result = torch.full(
        (channels, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), WHITE, dtype=torch.uint8
    )
    for number, image in enumerate(images):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        result[:, top : top + height, left : left + width] = image
    return result


def _png(image: Tensor) -> bytes:
    from PIL import Image

    pixels = image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).contiguous().numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _array(images: Tensor, suffix: str) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    if suffix == ".npz":
        np.savez(buffer, images=images.numpy())
    else:
        np.save(buffer, images.numpy())
    return buffer.getvalue()
