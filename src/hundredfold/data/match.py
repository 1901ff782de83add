"""Bring one set to the channels, the size and the number type of another, so that one encoder can take both."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.data.decode import Form, Kind, middle
from hundredfold.data.images import ImageSet, MemoryPixels, Pixels, as_float
from hundredfold.data.streaming import FilePixels, LazyPixels
from hundredfold.errors import DataError

BLOCK = 1024  # images converted at a time
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue in grey, ITU-R BT.601, as in Pillow


def matched(images: ImageSet, *, channels: int, size: tuple[int, int], dtype: torch.dtype) -> ImageSet:
    """The same images with these channels, this size (height, width) and this type, with a note if that changed them.

    Grey becomes RGB by repeating it, RGB becomes grey by the weights of BT.601. A size is reached by scaling the
    image to cover it and cropping what sticks out, on both sides alike.

    Raises:
        DataError: the channels differ and one of the sets is neither grey nor RGB.
    """
    same_form = images.channels == channels and images.size == size
    if same_form and pixel_type(images.pixels) == dtype:
        return images
    if images.channels != channels and {images.channels, channels} != {1, 3}:
        raise DataError(
            f"images of {images.channels} channels cannot be brought to {channels}",
            why=f"{images.source} has {images.channels}; only grey (1) and RGB (3) can be turned into each other",
        )
    changed = replace(images, pixels=_converted(images.pixels, channels, size, dtype))
    if same_form:
        return changed
    before, after = (
        f"{width} x {height}, {'1 channel' if depth == 1 else f'{depth} channels'}"
        for (height, width), depth in ((images.size, images.channels), (size, channels))
    )
    return replace(changed, notes=(*images.notes, f"images of {images.source} ({before}) were brought to {after}"))


def pixel_type(pixels: Pixels) -> torch.dtype:
    """uint8 (0..255) or float32 (0..1)."""
    if isinstance(pixels, MemoryPixels):
        return pixels.images.dtype
    return pixels.dtype if isinstance(pixels, LazyPixels) else pixels.take(torch.tensor([0])).dtype


def convert(images: Tensor, channels: int, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """Stored images [b, c, h, w] with other channels (1 or 3), size and type (see `matched`)."""
    values = as_float(images)  # [b, c, h, w] in 0..1
    if values.shape[1] == 3 and channels == 1:
        values = (values * values.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if values.shape[-2:] != size:
        top, left, high, wide = middle((values.shape[-2], values.shape[-1]), size)
        values = values[..., top : top + high, left : left + wide]
        values = functional.interpolate(values, size=size, mode="bilinear", antialias=True, align_corners=False)
    values = values.expand(-1, channels, -1, -1) if values.shape[1] != channels else values
    return values.mul(255).round().clamp(0, 255).to(torch.uint8) if dtype == torch.uint8 else values.clamp(0, 1)


class _ConvertedPixels(LazyPixels):
    def __init__(self, inner: LazyPixels, channels: int, size: tuple[int, int], dtype: torch.dtype) -> None:
        super().__init__((inner.shape[0], channels, *size), dtype)
        self.inner = inner

    def one(self, position: int) -> Tensor:
        _, channels, height, width = self.shape
        return convert(self.inner.one(position).unsqueeze(0), channels, (height, width), self.dtype)[0]


def _converted(pixels: Pixels, channels: int, size: tuple[int, int], dtype: torch.dtype) -> Pixels:
    if isinstance(pixels, FilePixels):  # decode straight to the other form: sharper than resizing twice
        deep = Kind.DEEP_GREY if dtype == torch.float32 and channels == 1 else None
        kind = deep or (Kind.COLOUR if channels == 3 else Kind.GREY)
        form = Form(kind, *size)
        if form.dtype == dtype:
            return FilePixels(pixels.contents, form, pixels.largest_pixels)
    if isinstance(pixels, LazyPixels):
        return _ConvertedPixels(pixels, channels, size, dtype)
    count = pixels.shape[0]
    images = torch.empty((count, channels, *size), dtype=dtype)
    for start in range(0, count, BLOCK):
        index = torch.arange(start, min(start + BLOCK, count))
        images[index] = convert(pixels.take(index).cpu(), channels, size, dtype)
    return MemoryPixels(images)
