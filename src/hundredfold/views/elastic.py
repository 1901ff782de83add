"""Elastic distortion: a smooth random displacement, as the hand's own variation.

Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks applied to visual document
analysis", section 2: noise at each pixel, smoothed by a Gaussian, times a strength.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from hundredfold.views._base import DisplacementView, Drawn


@dataclass(frozen=True, kw_only=True)
class Elastic(DisplacementView):
    """Bends each image by a smooth random field.

    The paper draws noise at each pixel. Here it is drawn at points one `smoothness` apart and smoothed while it is
    spread over the pixels: a field of the same kind from far fewer numbers.

    Attributes:
        strength: standard deviation of the displacement along an axis, as a share of the image's width or height.
            The paper's (alpha 34 on 29 pixels, sigma 4) is 0.048.
        smoothness: standard deviation of the smoothing Gaussian, as such a share; the paper's is 4/29 = 0.14.
    """

    strength: float = 0.05
    smoothness: float = 0.14

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`noise` [b, 2, p, p], standard normal, at p x p points that reach a little past the border."""
        points = _points(self.smoothness)
        return {"noise": torch.randn(batch, 2, points, points, generator=rng)}

    def displacement(self, drawn: Drawn, size: tuple[int, int], device: torch.device) -> Tensor:
        """[b, 2, h, w] in units of -1..1, where the whole side is 2."""
        rows, columns = (smoothing(side, self.smoothness).to(device) for side in size)  # [h, p], [w, p]
        noise = drawn["noise"].to(device, non_blocking=True)
        field: Tensor = rows @ (noise @ (columns.mT * (2 * self.strength)))
        return field


@lru_cache(maxsize=16)
def smoothing(side: int, smoothness: float) -> Tensor:
    """[side, p]: what each point of noise adds to each pixel, scaled so that every pixel has variance one."""
    place = (torch.arange(side) + 0.5) / side
    points = _points(smoothness)
    centres = 0.5 + (torch.arange(points) - (points - 1) / 2) * smoothness
    gaussian = torch.exp(-((place[:, None] - centres) / smoothness).square() / 2)
    return gaussian / gaussian.square().sum(dim=1, keepdim=True).sqrt()


def _points(smoothness: float) -> int:
    return math.ceil(1 / smoothness) + 3  # one and more past each border, or the field would be stiff there
