"""Zooming in and out about the centre of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, GeometricView, affine, uniform


@dataclass(frozen=True, kw_only=True)
class Scale(GeometricView):
    """Enlarges each image by a factor, equal in both directions.

    Attributes:
        factor: least and largest factor, > 0, uniform in the logarithm; below 1 what lies outside comes into view.
    """

    factor: tuple[float, float] = (0.8, 1.25)

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`factor` [b]."""
        low, high = self.factor
        return {"factor": uniform(batch, math.log(low), math.log(high), rng).exp()}

    def matrix(self, drawn: Drawn, size: tuple[int, int]) -> Tensor:
        """[b, 3, 3]: what is shown larger comes from nearer to the centre."""
        inverse = drawn["factor"].reciprocal()
        zero = torch.zeros_like(inverse)
        return affine(inverse, zero, zero, zero, inverse, zero)
