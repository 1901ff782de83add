"""Mirror images: for things whose mirror image is one of them. Never for characters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, GeometricView, affine, chosen


@dataclass(frozen=True, kw_only=True)
class Flip(GeometricView):
    """Mirrors each image left-right, top-bottom, or both, by chance.

    Attributes:
        horizontal: probability that left and right change places.
        vertical: probability that top and bottom do.
    """

    horizontal: float = 0.5
    vertical: float = 0.0

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`horizontal` and `vertical` [b], booleans."""
        return {
            "horizontal": chosen(batch, self.horizontal, rng),
            "vertical": chosen(batch, self.vertical, rng),
        }

    def matrix(self, drawn: Drawn, size: tuple[int, int]) -> Tensor:
        """[b, 3, 3]: a sign before x, a sign before y."""
        x, y = (1 - 2 * drawn[axis].float() for axis in ("horizontal", "vertical"))
        zero = torch.zeros_like(x)
        return affine(x, zero, zero, zero, y, zero)
