"""Shear: rows slide along each other, columns as well; what a slant does to handwriting."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, GeometricView, affine, uniform


@dataclass(frozen=True, kw_only=True)
class Shear(GeometricView):
    """Slants each image by two angles, each uniform in -degrees..degrees.

    Attributes:
        degrees: the largest angle, 0 to less than 45 (where both together could flatten the image to a line).
    """

    degrees: float = 10.0

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`x` and `y` [b] in degrees: how far vertical lines and horizontal lines lean."""
        return {axis: uniform(batch, -self.degrees, self.degrees, rng) for axis in ("x", "y")}

    def matrix(self, drawn: Drawn, size: tuple[int, int]) -> Tensor:
        """[b, 3, 3]. Pixels are square, the -1..1 of a wide image are not: the tangents carry its shape."""
        height, width = size
        x, y = (torch.deg2rad(drawn[axis]).tan() for axis in ("x", "y"))
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        return affine(one, x * (height / width), zero, y * (width / height), one, zero)
