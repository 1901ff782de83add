"""The kinds of view, and what all of them promise.

A view is a frozen dataclass of settings. `draw` takes all its randomness from the generator that is passed in and
returns plain tensors on the CPU, one row an image; what is applied can therefore be shown, stored and replayed.

A *geometric* view says where each output pixel comes from: a matrix, or a displacement. Several of them are composed
into one sampling grid (`views.chain`), so that an image is interpolated once. A *pixel* view changes values where
they are.

Letters: b images in a batch, k of them chosen, c channels, h height, w width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

Drawn: TypeAlias = Mapping[str, Tensor]  # the numbers of one draw by name, each [b] or [b, ...], on the CPU


class GeometricView(ABC):
    """A view that moves pixels. Coordinates run from -1 to 1 across the image (`align_corners=False`), y downwards."""

    @abstractmethod
    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """The random numbers for `batch` images of `size` (height, width)."""

    @abstractmethod
    def matrix(self, drawn: Drawn, size: tuple[int, int]) -> Tensor:
        """[b, 3, 3] on the CPU: homogeneous output coordinates (x, y, 1) -> input coordinates."""


class DisplacementView(ABC):
    """A view that moves each pixel by its own amount."""

    @abstractmethod
    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """The random numbers for `batch` images of `size` (height, width)."""

    @abstractmethod
    def displacement(self, drawn: Drawn, size: tuple[int, int], device: torch.device) -> Tensor:
        """[b, 2, h, w] on `device`: what to add to each output coordinate (x, y), in units of -1..1."""


class PixelView(ABC):
    """A view that changes values where they are."""

    @abstractmethod
    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """The random numbers for `batch` images of `size` (height, width)."""

    @abstractmethod
    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """The changed images: [b, c, h, w] float32 in 0..1, the same shape and range out. The input stays as it is."""


View: TypeAlias = GeometricView | DisplacementView | PixelView


def uniform(batch: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """[batch] uniform numbers between `low` and `high`."""
    return torch.rand(batch, generator=rng) * (high - low) + low


def chosen(batch: int, probability: float, rng: torch.Generator) -> Tensor:
    """[batch] booleans, true with `probability`."""
    return torch.rand(batch, generator=rng) < probability


def affine(xx: Tensor, xy: Tensor, x0: Tensor, yx: Tensor, yy: Tensor, y0: Tensor) -> Tensor:
    """[b, 3, 3]: the matrices of x -> xx x + xy y + x0, y -> yx x + yy y + y0, from six tensors [b]."""
    zero, one = torch.zeros_like(xx), torch.ones_like(xx)
    return torch.stack([xx, xy, x0, yx, yy, y0, zero, zero, one], dim=1).view(-1, 3, 3)


def change_chosen(images: Tensor, which: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The images [b, c, h, w] with `change` done to those that are chosen, and to no others.

    Args:
        images: [b, c, h, w].
        which: [b] booleans on the CPU, where counting them does not stall a device.
        change: ([k, c, h, w], positions [k] on the CPU) -> [k, c, h, w].
    """
    positions = which.nonzero().squeeze(1)  # [k]
    if len(positions) == len(images):
        return change(images, positions)
    if len(positions) == 0:
        return images
    index = positions.to(images.device, non_blocking=True)
    return images.index_copy(0, index, change(images.index_select(0, index), positions))


def column(numbers: Tensor, like: Tensor) -> Tensor:
    """Numbers [k] as [k, 1, 1, 1] on the device of `like`, to meet images [k, c, h, w]."""
    return numbers.to(like.device, non_blocking=True).view(-1, 1, 1, 1)
