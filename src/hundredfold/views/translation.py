"""Translation: the image moves sideways, up and down."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, GeometricView, affine, uniform


@dataclass(frozen=True, kw_only=True)
class Translation(GeometricView):
    """Moves each image along both axes.

    Attributes:
        fraction: the farthest it moves, as a share of the width and of the height, 0..1.
    """

    fraction: float = 0.1

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`x` and `y` [b]: shares of the width (to the right) and of the height (downwards)."""
        return {axis: uniform(batch, -self.fraction, self.fraction, rng) for axis in ("x", "y")}

    def matrix(self, drawn: Drawn, size: tuple[int, int]) -> Tensor:
        """[b, 3, 3]: what moves to the right comes from the left; the whole width is 2."""
        zero, one = torch.zeros_like(drawn["x"]), torch.ones_like(drawn["x"])
        return affine(one, zero, -2 * drawn["x"], zero, one, -2 * drawn["y"])
