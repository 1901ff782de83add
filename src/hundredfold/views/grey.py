"""Grey: the colours of some images are taken away, so that colour alone cannot tell images apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, PixelView, change_chosen, chosen

LUMA = (0.299, 0.587, 0.114)  # how bright the eye sees red, green and blue (ITU-R BT.601)


@dataclass(frozen=True, kw_only=True)
class Grey(PixelView):
    """Turns some images grey; they keep three channels, all equal.

    Attributes:
        probability: that an image turns grey (SimCLR: 0.2).
    """

    probability: float = 0.2

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`chosen` [b] booleans."""
        return {"chosen": chosen(batch, self.probability, rng)}

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """[b, 3, h, w] -> the same.

        Raises:
            ValueError: the images do not have three channels.
        """
        if images.shape[1] != 3:
            raise ValueError(f"only images [b, 3, h, w] turn grey, got {tuple(images.shape)}")
        return change_chosen(images, drawn["chosen"], lambda some, positions: grey(some))


def grey(images: Tensor) -> Tensor:
    """RGB images [k, 3, h, w] with each channel replaced by the pixel's brightness."""
    red, green, blue = images.unbind(1)
    luma = (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])  # [k, h, w]
    return luma.unsqueeze(1).expand(-1, 3, -1, -1)
