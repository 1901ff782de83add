"""One image file, from its bytes to a tensor, with nothing believed before it is checked.

Only seven formats are opened (Pillow knows some forty, Ghostscript among them), the number of pixels is checked
before any is decoded, and whatever a damaged or hostile file makes a decoder raise becomes one reason in words.
No setting of Pillow is changed.

What becomes of each kind: 1-bit and grey stay grey; palette, CMYK and the like become RGB; transparency is laid over
white; 16-bit grey becomes float32 in 0..1; of an animation the first frame counts; EXIF orientation is applied.
"""

from __future__ import annotations

import io
import math
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from torch import Tensor

from hundredfold.data.labels import printable

# Importing a plugin registers its format; Pillow would otherwise import all of them when it meets one it lacks.
PLUGINS = (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
)
LARGEST_FILE = 512 << 20  # bytes
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Content: TypeAlias = Path | bytes | memoryview


class Kind(IntEnum):
    """What the pixels of a file are; the largest of a set is what all of it becomes."""

    GREY = 0
    DEEP_GREY = 1
    COLOUR = 2


KINDS = {
    **dict.fromkeys(("1", "L", "LA", "La"), Kind.GREY),
    **dict.fromkeys(("I", "I;16", "I;16L", "I;16B", "I;16N"), Kind.DEEP_GREY),
    **dict.fromkeys(("RGB", "RGBA", "RGBX", "RGBa", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"), Kind.COLOUR),
}


class BadImage(Exception):
    """Why a file cannot be used, in words for a person."""


class Form(NamedTuple):
    """What every file of a set is decoded to.

    Attributes:
        kind: GREY is [1, h, w] uint8, COLOUR [3, h, w] uint8, DEEP_GREY [1, h, w] float32 in 0..1.
        height, width: in pixels. A file of another shape is scaled to cover it and cropped around its centre.
    """

    kind: Kind
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w)."""
        return (3 if self.kind is Kind.COLOUR else 1), self.height, self.width

    @property
    def dtype(self) -> torch.dtype:
        """Of the decoded pixels."""
        return torch.float32 if self.kind is Kind.DEEP_GREY else torch.uint8

    @property
    def bytes(self) -> int:
        """Of one decoded image."""
        return math.prod(self.shape) * self.dtype.itemsize


class Header(NamedTuple):
    """What the first bytes of a file say: size in pixels after orientation, kind, and whether it has transparency."""

    width: int
    height: int
    kind: Kind
    transparent: bool

    @property
    def form(self) -> Form:
        """What decoding it without any change gives."""
        return Form(self.kind, self.height, self.width)


def middle(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the largest part around the centre with the proportions of `wanted`.

    >>> middle((4, 12), (2, 2))
    (0, 4, 4, 4)
    """
    (height, width), (wanted_height, wanted_width) = size, wanted
    scale = min(height / wanted_height, width / wanted_width)  # our pixels for one that is wanted
    high, wide = max(1, round(wanted_height * scale)), max(1, round(wanted_width * scale))
    return (height - high) // 2, (width - wide) // 2, high, wide


def peek(content: Content, largest_pixels: int) -> Header:
    """The header of an image, without decoding it.

    Raises:
        BadImage: it is not an image of a known format, is too large, or cannot be read.
    """
    with _reasons(content), _opened(content, largest_pixels) as image:
        return _header(image)


def decode(content: Content, form: Form, largest_pixels: int) -> Tensor:
    """The pixels of an image [c, h, w] as `form` asks.

    Raises:
        BadImage: as `peek`, or the pixels are damaged.
    """
    with _reasons(content), _opened(content, largest_pixels) as image:
        return _pixels(image, form)


def decode_as_is(content: Content, largest_pixels: int) -> tuple[Header, Tensor]:
    """The header of an image and its pixels [c, h, w] in its own form, opening it once.

    Raises:
        BadImage: as `decode`.
    """
    with _reasons(content), _opened(content, largest_pixels) as image:
        header = _header(image)
        return header, _pixels(image, header.form)


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Pillow's remarks about odd files are not printed, and its warning about huge ones is an error.

    For the thread that starts the decoding ones: the state of `warnings` belongs to the whole process.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _reasons(content: Content) -> Iterator[None]:
    try:
        yield
    except (BadImage, MemoryError):
        raise
    except Image.UnidentifiedImageError as problem:
        raise BadImage(_what_it_is_instead(content)) from problem
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as problem:
        raise BadImage("too large: more pixels than any image here may have") from problem
    except FileNotFoundError as problem:
        raise BadImage("does not exist") from problem
    except PermissionError as problem:
        raise BadImage("not readable: permission denied") from problem
    except Exception as problem:  # a hostile file can make a decoder raise anything
        raise BadImage(f"damaged: {printable(str(problem) or type(problem).__name__)[:200]}") from problem


@contextmanager
def _opened(content: Content, largest_pixels: int) -> Iterator[Image.Image]:
    if isinstance(content, Path):
        status = content.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise BadImage("not a regular file")
        length = status.st_size
    else:
        length = len(content)
    if length == 0:
        raise BadImage("empty file")
    if length > LARGEST_FILE:
        raise BadImage(f"too large: a file of {length:,} bytes; at most {LARGEST_FILE:,} are read")
    with (
        content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as stream,
        Image.open(stream, formats=FORMATS) as image,
    ):
        width, height = image.size
        if width * height > largest_pixels:
            raise BadImage(f"too large: {width} x {height} pixels; at most {largest_pixels:,} are decoded")
        if image.mode not in KINDS:
            raise BadImage(f"pixels of mode {image.mode}: save it with 8 or 16 bits, or give the values as .npy")
        yield image


def _header(image: Image.Image) -> Header:
    width, height = image.size
    if _orientation(image) >= 5:
        width, height = height, width
    return Header(width, height, KINDS[image.mode], image.has_transparency_data)


def _pixels(image: Image.Image, form: Form) -> Tensor:
    orientation = _orientation(image)
    _shrink_while_decoding(image, form, turned=orientation >= 5)
    image.load()
    upright = image.transpose(TURNS[orientation]) if orientation in TURNS else image
    deep = KINDS[image.mode] is Kind.DEEP_GREY
    return torch.from_numpy(_deep(upright, form) if deep else _shallow(upright, form))


def _orientation(image: Image.Image) -> int:
    # Pillow turns TIFF files itself. A PNG's EXIF may follow its pixels: only one that precedes them is looked at.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001  damaged EXIF data do not make an image unusable
        return 1


def _shrink_while_decoding(image: Image.Image, form: Form, *, turned: bool) -> None:
    """A JPEG much larger than needed is decoded at half, a quarter or an eighth of its size (never below twice)."""
    height, width = (form.width, form.height) if turned else (form.height, form.width)
    scale = 2 * max(height / image.height, width / image.width)
    if scale < 1:
        image.draft(image.mode, (math.ceil(image.width * scale), math.ceil(image.height * scale)))


def _shallow(image: Image.Image, form: Form) -> np.ndarray:
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    mode = "RGB" if form.kind is Kind.COLOUR else "L"
    if image.mode != mode:
        image = image.convert(mode)
    pixels = np.array(_covering(image, form))  # [h, w] or [h, w, 3]
    if form.kind is Kind.COLOUR:
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return pixels[None] if form.kind is Kind.GREY else pixels[None].astype(np.float32) / 255


def _deep(image: Image.Image, form: Form) -> np.ndarray:
    values = np.asarray(image).astype(np.float32)  # [h, w]
    if values.min() < 0 or values.max() > 65535:
        raise BadImage(f"whole numbers from {values.min():g} to {values.max():g}: only 0 to 65535 can be read")
    pixels = np.array(_covering(Image.fromarray(values / 65535), form))[None]  # [1, h, w]
    if form.kind is Kind.DEEP_GREY:
        return pixels.clip(0, 1)
    grey = (pixels * 255).round().clip(0, 255).astype(np.uint8)
    return np.repeat(grey, form.shape[0], axis=0)


def _covering(image: Image.Image, form: Form) -> Image.Image:
    """The middle of an image scaled to height x width."""
    if image.size == (form.width, form.height):
        return image
    top, left, high, wide = middle((image.height, image.width), (form.height, form.width))
    if (high, wide) != (image.height, image.width):
        image = image.crop((left, top, left + wide, top + high))
    return image.resize((form.width, form.height), Image.Resampling.BILINEAR)


def _what_it_is_instead(content: Content) -> str:
    if isinstance(content, Path):
        with content.open("rb") as stream:
            start = stream.read(64)
    else:
        start = bytes(content[:64])
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the image: run `git lfs pull`"
    if start.lstrip()[:5].lower() in (b"<html", b"<!doc"):
        return "a web page, not an image"
    return f"not an image in a known format ({', '.join(FORMATS)}); it starts with {start[:8].hex(' ')}"
