"""Crop and resize: a random part of the image, stretched over the whole output.

Szegedy et al. 2015 ("Going deeper with convolutions", section 6); the view that SimCLR cannot do without
(Chen et al. 2020, figure 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, GeometricView, affine, uniform


@dataclass(frozen=True, kw_only=True)
class Crop(GeometricView):
    """Cuts a box of random area, shape and place out of each image and resizes it.

    Attributes:
        area: least and largest share of the image's area that is kept, in 0..1, uniform in between.
        ratio: least and largest width / height of the box relative to that of the image, uniform in the logarithm.
            Relative, so that a wide image is distorted no more than a square one.
    """

    area: tuple[float, float] = (0.5, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """The box: `width` and `height` [b] as shares of the image's, centre `x` and `y` [b] in -1..1."""
        width, height = box_sides(batch, self.area, self.ratio, rng)
        x, y = uniform(batch, -1, 1, rng), uniform(batch, -1, 1, rng)
        return {"width": width, "height": height, "x": x * (1 - width), "y": y * (1 - height)}

    def matrix(self, drawn: Drawn, size: tuple[int, int]) -> Tensor:
        """[b, 3, 3]: the output's -1..1 onto the box."""
        zero = torch.zeros_like(drawn["width"])
        return affine(drawn["width"], zero, drawn["x"], zero, drawn["height"], drawn["y"])


def box_sides(
    batch: int, area: tuple[float, float], ratio: tuple[float, float], rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Widths and heights [batch] in 0..1 of boxes of uniform area and log-uniform ratio that fit into the unit square.

    The usual way draws both and rejects what sticks out, which favours small areas. Here the ratio is drawn among
    those that fit the area (area <= ratio <= 1 / area), so the area stays uniform and nothing is drawn twice. If none
    of them is within the limits, the nearest one is taken.
    """
    areas = uniform(batch, *area, rng)
    fits = -areas.log()  # |log ratio| may be this large
    low, high = (torch.full_like(fits, math.log(limit)).clamp(-fits, fits) for limit in ratio)
    root = torch.exp((low + torch.rand(batch, generator=rng) * (high - low)) / 2)
    side = areas.sqrt()
    return (side * root).clamp_(max=1), (side / root).clamp_(max=1)  # clamped for the sake of rounding only
