"""Random erasing: a box of each image is painted over, so that no part alone decides.

Zhong et al. 2017, "Random erasing data augmentation".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, PixelView, change_chosen, chosen, column, uniform
from hundredfold.views.crop import box_sides


@dataclass(frozen=True, kw_only=True)
class Erasing(PixelView):
    """Paints a box of random area, shape and place over some images, in one random level of grey each.

    The paper fills the box with noise drawn for each pixel; one level an image needs no more than one number.

    Attributes:
        probability: that an image loses a box.
        area: least and largest share of the image that the box covers, 0..1, up to rounding to whole pixels.
        ratio: least and largest width / height of the box relative to that of the image.
    """

    probability: float = 0.5
    area: tuple[float, float] = (0.02, 0.4)
    ratio: tuple[float, float] = (0.3, 1 / 0.3)

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`chosen` [b] booleans; the box's `width` and `height` [b] as shares of the image's; `x` and `y` [b] in 0..1,
        where in the room it has; `level` [b] in 0..1.
        """
        which = chosen(batch, self.probability, rng)
        width, height = box_sides(batch, self.area, self.ratio, rng)
        x, y, level = (uniform(batch, 0, 1, rng) for _ in range(3))
        return {"chosen": which, "width": width, "height": height, "x": x, "y": y, "level": level}

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """[b, c, h, w] -> the same."""
        return change_chosen(images, drawn["chosen"], lambda some, positions: _erase(some, drawn, positions))


def _erase(images: Tensor, drawn: Drawn, positions: Tensor) -> Tensor:
    number = {name: column(drawn[name][positions], images) for name in drawn}  # each [k, 1, 1, 1]
    height, width = images.shape[-2:]
    rows = _between(number["y"], number["height"], height).unsqueeze(3)  # [k, 1, h, 1]
    columns = _between(number["x"], number["width"], width).unsqueeze(2)  # [k, 1, 1, w]
    return torch.where(rows & columns, number["level"], images)


def _between(place: Tensor, share: Tensor, length: int) -> Tensor:
    """[k, 1, length] booleans: `share` [k, 1, 1, 1] of the pixels in a row, at `place` in the room left over."""
    count = (share * length).round().flatten(2)  # [k, 1, 1]
    first = torch.minimum((place.flatten(2) * (length - count + 1)).floor(), length - count)
    pixel = torch.arange(length, device=place.device)
    return (pixel >= first) & (pixel < first + count)
