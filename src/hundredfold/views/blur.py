"""Gaussian blur, as two batched matrix products.

Each chosen image is multiplied from the left and from the right by a matrix whose row i holds the Gaussian weights
of the pixels seen from pixel i, normalised to one. Small images take less time this way than by a convolution for
each image; the kernel is not cut off, and at the border the pixels that exist share the whole weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, PixelView, change_chosen, chosen, uniform

LEAST_SIGMA = 0.05  # narrower ones change nothing: a neighbour's weight is exp(-200), 0 in float32


@dataclass(frozen=True, kw_only=True)
class Blur(PixelView):
    """Blurs some of the images, each with a width of its own.

    Attributes:
        sigma: least and largest standard deviation of the Gaussian, in pixels, uniform in between.
        probability: that an image is blurred.
    """

    sigma: tuple[float, float] = (0.1, 1.0)
    probability: float = 0.5

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`chosen` [b] booleans, `sigma` [b] in pixels."""
        return {"chosen": chosen(batch, self.probability, rng), "sigma": uniform(batch, *self.sigma, rng)}

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """[b, c, h, w] -> the same."""
        sigma = drawn["sigma"]
        worth = drawn["chosen"] & (sigma > LEAST_SIGMA)
        return change_chosen(images, worth, lambda some, positions: blur(some, sigma[positions]))


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Images [k, c, h, w], each blurred by a Gaussian of standard deviation `sigma` [k] pixels, all of them > 0."""
    height, width = images.shape[-2:]
    precision = (0.5 / sigma.square()).to(images.device, non_blocking=True)
    rows = weights(height, precision)
    columns = rows if width == height else weights(width, precision)
    return rows @ images @ columns.mT


def weights(length: int, precision: Tensor) -> Tensor:
    """[k, 1, length, length]: row i the weights exp(-(i - j)^2 precision), which a softmax brings to a sum of one."""
    place = torch.arange(length, device=precision.device, dtype=torch.float32)
    squares = (place[:, None] - place).square_().neg_()  # [length, length]
    return torch.softmax(squares * precision.view(-1, 1, 1, 1), dim=-1)
