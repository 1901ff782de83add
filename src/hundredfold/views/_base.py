"""The two kinds of view, and what both promise.

A view is a frozen dataclass of settings. `draw` takes all its randomness from the generator that is passed in and
returns plain tensors, one row an image; what is applied can therefore be shown, stored and replayed.

A *geometric* view says where each output pixel comes from: a matrix, or a displacement. Several of them are composed
into one sampling grid (`views.chain`), so that an image is interpolated once. A *pixel* view changes values in place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor

Drawn: TypeAlias = Mapping[str, Tensor]  # the numbers of one draw by name, each [b] or [b, ...]


class GeometricView(ABC):
    """A view that moves pixels. Coordinates run from -1 to 1 across the image (`align_corners=False`)."""

    @abstractmethod
    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """The random numbers for `batch` images of `size` (height, width)."""

    @abstractmethod
    def matrix(self, drawn: Drawn, size: tuple[int, int]) -> Tensor:
        """[b, 3, 3]: homogeneous output coordinates (x, y, 1) -> input coordinates."""


class DisplacementView(ABC):
    """A view that moves each pixel by its own amount."""

    @abstractmethod
    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """The random numbers for `batch` images of `size` (height, width)."""

    @abstractmethod
    def displacement(self, drawn: Drawn, size: tuple[int, int]) -> Tensor:
        """[b, h, w, 2]: what to add to each output coordinate (x, y), in units of -1..1."""


class PixelView(ABC):
    """A view that changes values where they are."""

    @abstractmethod
    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """The random numbers for `batch` images of `size` (height, width)."""

    @abstractmethod
    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """The changed images: [b, c, h, w] float32 in 0..1, the same shape and range out."""


View: TypeAlias = GeometricView | DisplacementView | PixelView


def uniform(batch: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """[batch] uniform numbers between `low` and `high`."""
    return torch.rand(batch, generator=rng) * (high - low) + low


def chosen(batch: int, probability: float, rng: torch.Generator) -> Tensor:
    """[batch] booleans, true with `probability`."""
    return torch.rand(batch, generator=rng) < probability
