"""From the X of an estimator to images: layout, and what values become 0 and 1. Both are decided once, in `fit`.

A flat row is an image of the `image_shape` given. Without one, a row of a square number of values, at least 8 x 8, is
a grey image. Any other row is laid out on the smallest square that holds it, with zeros behind: not what this is made
for, and no worse than the features of a network can be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from hundredfold.data.arrays import BLOCK, array_set
from hundredfold.data.images import ImageSet
from hundredfold.encoders._base import EncoderSpec
from hundredfold.estimators._checks import InputError

Array: TypeAlias = np.ndarray[Any, Any]
SMALLEST_IMAGE = 8  # pixels a side, from which on a square number of values is taken for an image
SMALLEST_SQUARE = 4  # pixels a side that rows are laid out on: what the smallest encoder takes


@dataclass(frozen=True, kw_only=True)
class ImageForm:
    """How an X becomes images.

    Attributes:
        shape: of one image, (h, w), (h, w, c) or (c, h, w).
        low, high: the values that become 0 and 1; what lies beyond is cut off.
        rows: whether X holds rows of numbers that are no images.
    """

    shape: tuple[int, ...]
    low: float
    high: float
    rows: bool = False

    def images(self, values: Array) -> ImageSet:
        """The set of images in `values`: [n, d], or an array of images in any layout.

        Raises:
            InputError: values that are far from those seen in `fit`.
            DataError: an array that does not hold images.
        """
        if values.ndim == 2:
            missing = math.prod(self.shape) - values.shape[1]
            values = np.pad(values, ((0, 0), (0, missing))) if missing else values
            values = values.reshape(len(values), *self.shape)
        return array_set("X", self._between_0_and_1(values))

    def _between_0_and_1(self, values: Array) -> Array:
        if values.dtype == np.bool_ or (values.dtype == np.uint8 and (self.low, self.high) == (0, 255)):
            return values
        self._require_near(float(values.min()), float(values.max()))
        width = self.high - self.low or 1.0
        scaled = np.empty(values.shape, np.float32)
        for start in range(0, len(values), BLOCK):
            block = values[start : start + BLOCK].astype(np.float64)
            scaled[start : start + BLOCK] = ((block - self.low) / width).clip(0, 1)
        return scaled

    def _require_near(self, low: float, high: float) -> None:
        width = self.high - self.low
        if width and not self.rows and (high > self.high + width or low < self.low - width):
            raise InputError(
                "these images have other values than those of fit",
                why=f"they run from {low:g} to {high:g}, those of fit from {self.low:g} to {self.high:g}",
                fix="bring both to the same scale",
            )


def form_of(values: Array, image_shape: Sequence[int] | None) -> ImageForm:
    """How the X of `fit` becomes images.

    Args:
        values: [n, d], [n, h, w], [n, h, w, c] or [n, c, h, w].
        image_shape: (h, w), (h, w, c) or (c, h, w), or None.

    Raises:
        InputError: `image_shape` does not fit, or must be given.
    """
    low, high = _range(values)
    if image_shape is not None:
        return ImageForm(shape=_given(values.shape[1:], image_shape), low=low, high=high)
    if values.ndim > 2:
        return ImageForm(shape=values.shape[1:], low=low, high=high)
    numbers = values.shape[1]
    side = _square_side(numbers)
    if side >= SMALLEST_IMAGE:
        return ImageForm(shape=(side, side), low=low, high=high)
    _require_no_colours(numbers)
    side = max(SMALLEST_SQUARE, math.isqrt(numbers - 1) + 1)
    return ImageForm(shape=(side, side), low=low, high=high, rows=True)


def require_fit(images: ImageSet, spec: EncoderSpec) -> None:
    """Nothing, if the encoder takes such images.

    Raises:
        InputError: they have other channels or another size than those of `fit`.
    """
    got, wanted = (images.channels, *images.size), (spec.channels, spec.height, spec.width)
    if got != wanted:
        raise InputError(
            "these images have another form than those of fit",
            why=f"they are {_times(got)} (channels, height, width), those of fit were {_times(wanted)}",
            fix="bring them to that size, or fit again",
        )


def _range(values: Array) -> tuple[float, float]:
    """What becomes 0 and 1: the type's range for uint8 and booleans, 0..1 for floats within, else what is there."""
    if values.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(values.min()), float(values.max())
    if values.dtype == np.bool_ or (values.dtype.kind == "f" and low >= 0 and high <= 1):
        return 0.0, 1.0
    return low, high


def _given(found: tuple[int, ...], image_shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or any(not isinstance(length, int | np.integer) or length < 1 for length in shape):
        raise InputError(
            f"image_shape is {image_shape!r}",
            why="possible are (h, w), (h, w, c) and (c, h, w), whole numbers from 1",
            fix="give the shape of one image, such as image_shape=(28, 28)",
        )
    if len(found) == 1 and found[0] != math.prod(shape):
        raise InputError(
            f"image_shape {shape} does not fit X",
            why=f"such an image has {math.prod(shape):,} values, a row of X has {found[0]:,}",
            fix="give the height, width and channels of the images that X was flattened from",
        )
    if len(found) > 1 and found != shape:
        raise InputError(
            f"image_shape {shape} does not fit X",
            why=f"each image of X has the shape {found}",
            fix="leave image_shape out: only a flat X needs it",
        )
    return shape


def _require_no_colours(numbers: int) -> None:
    side = _square_side(numbers // 3) if numbers % 3 == 0 else 0
    if side >= SMALLEST_IMAGE:
        raise InputError(
            f"rows of {numbers:,} values may be colour images of {side}x{side}, flattened",
            why="whether the channels came first or last cannot be seen",
            fix=f"give image_shape=({side}, {side}, 3) or (3, {side}, {side}); "
            f"for rows that are no images, any (h, w) of {numbers:,} values",
        )


def _square_side(numbers: int) -> int:
    """The side of the square of so many pixels, or 0."""
    side = math.isqrt(numbers)
    return side if side * side == numbers else 0


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
