"""Rotation about the centre of the image by a random angle.

For what has no fixed upright: handwriting, cells, things seen from above. Photographs have one: leave it off there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, GeometricView, affine, uniform


@dataclass(frozen=True, kw_only=True)
class Rotation(GeometricView):
    """Turns each image by an angle uniform in -degrees..degrees; positive is counter-clockwise.

    Attributes:
        degrees: the largest angle, 0..180.
    """

    degrees: float = 45.0

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`degrees` [b]."""
        return {"degrees": uniform(batch, -self.degrees, self.degrees, rng)}

    def matrix(self, drawn: Drawn, size: tuple[int, int]) -> Tensor:
        """[b, 3, 3]. Pixels are square, the -1..1 of a wide image are not: the off-diagonal carries its shape."""
        height, width = size
        angle = torch.deg2rad(drawn["degrees"])
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        return affine(cos, sin * (-height / width), zero, sin * (width / height), cos, zero)
