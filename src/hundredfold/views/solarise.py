"""Solarisation: bright pixels are inverted, as on a film exposed too long (Grill et al. 2020, BYOL, appendix B)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, PixelView, change_chosen, chosen


@dataclass(frozen=True, kw_only=True)
class Solarise(PixelView):
    """Inverts the pixels of some images that are as bright as a threshold or brighter.

    Attributes:
        threshold: in 0..1; pixels from there on become 1 - pixel.
        probability: that an image is changed (BYOL: 0.2, in one of its two views).
    """

    threshold: float = 0.5
    probability: float = 0.2

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`chosen` [b] booleans."""
        return {"chosen": chosen(batch, self.probability, rng)}

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """[b, c, h, w] -> the same."""
        return change_chosen(
            images, drawn["chosen"], lambda some, positions: torch.where(some >= self.threshold, 1 - some, some)
        )
