"""Inpainting: a quarter of each image is taken away, and the encoder must know the rest well enough to paint it.

Source: Pathak, Krahenbuhl, Donahue, Darrell & Efros, "Context Encoders: Feature Learning by Inpainting", CVPR 2016
(arXiv 1604.07379), sections 3.2 (equation 1), 3.3 (regions) and 5.1 (the overlap).

The hypothesis: parts of an image depend on each other through what the image shows, so that who can fill a large hole
knows what it shows. Trivial solutions: continuing the edge of the hole, which a small or thin hole rewards; the mean
image, where the same thing lies at the same place everywhere.

When to use it: images of things with a shape, of which a part tells the whole. When not: textures and noise, whose
parts do not depend on each other (`run` warns), and images whose middle is empty, for which `region=random` is better.

Departures: no adversarial loss, which makes sharper pictures; the authors, too, learnt features without it (section
5.2). The decoder mirrors the whole encoder and its code is the feature vector, where theirs keeps maps with a
channel-wise linear layer between: what training leaves behind is then what the features had to carry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.encoders._base import Encoder
from hundredfold.errors import SettingsError
from hundredfold.methods.pretext._masked import MissingPartMethod, doubt_context
from hundredfold.views.chain import Chain

BLOCKS = 4  # blocks of region "blocks", a quarter of the area to be taken away each
SMALLEST = 4  # pixels of the shorter side, below which there is no room for a hole with something around it


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of inpainting.

    Attributes:
        region: what is taken away: "centre", "random" (the same box at any place) or "blocks" (four smaller boxes,
            which may overlap).
        area: share of the image's area that the region covers, up to whole pixels, 0..1 without the ends; of "blocks",
            at most.
        overlap: width of the band around the region that is to be painted too, as a share of the shorter side, 0..0.5.
            The paper's is 7 of 128 pixels.
        overlap_weight: what an error in the band counts, relative to one in the region, >= 0; 10 in the paper.
        augment: hide a part of a view of each image, not of the image itself: see `mae`.
    """

    region: Literal["centre", "random", "blocks"] = "random"
    area: float = 0.25
    overlap: float = 0.05
    overlap_weight: float = 10.0
    augment: bool = False

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = []
        if not 0 < self.area < 1:
            found.append(f"area is the share of an image that is taken away, above 0 and below 1, got {self.area:g}")
        if not 0 <= self.overlap <= 0.5:
            found.append(f"overlap is a share of the shorter side, in 0..0.5, got {self.overlap:g}")
        if not 0 <= self.overlap_weight < math.inf:
            found.append(f"overlap_weight must be >= 0 and finite, got {self.overlap_weight:g}")
        return found


class Inpainting(MissingPartMethod):
    """An encoder that sees an image with a hole, and its mirror image that fills it.

    Raises:
        SettingsError: the encoder cannot be mirrored, or is for images too small for a hole.
    """

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        spec = encoder.spec
        if min(spec.height, spec.width) < SMALLEST:
            raise SettingsError(
                [f"images of {spec.height}x{spec.width} are too small to take a part away from"],
                fix=f"use images of at least {SMALLEST}x{SMALLEST} pixels",
            )
        super().__init__(encoder, chain, augment=config.augment)
        self.config = config

    def hide(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
        """[count, 1, h, w] booleans: the region of each image."""
        blocks = BLOCKS if self.config.region == "blocks" else 1
        sides = [_side(length, self.config.area / blocks) for length in size]
        places = torch.rand(count, blocks, 2, generator=rng)  # in the room that the box leaves
        if self.config.region == "centre":
            places = torch.full_like(places, 0.5)
        rows = _between(places[..., 0], sides[0], size[0]).unsqueeze(3)  # [b, blocks, h, 1]
        columns = _between(places[..., 1], sides[1], size[1]).unsqueeze(2)  # [b, blocks, 1, w]
        return (rows & columns).any(1, keepdim=True)

    def weights(self, missing: Tensor) -> Tensor:
        """[b, 1, h, w]: 1 in the region, `overlap_weight` in the band around it, 0 elsewhere."""
        config, region = self.config, missing.float()
        band = round(config.overlap * min(missing.shape[2:]))
        wider = functional.max_pool2d(region, 2 * band + 1, stride=1, padding=band)
        return region + config.overlap_weight * (wider - region)


def doubts(images: Tensor) -> list[str]:
    """Sentences if the middle of the images [n, c, h, w] in 0..1 does not follow from what surrounds it."""
    return doubt_context(images)


def _side(length: int, share: float) -> int:
    """Pixels of one side of a box that covers this share of an area; at least one, and leaving at least one."""
    return min(max(round(math.sqrt(share) * length), 1), length - 1)


def _between(place: Tensor, side: int, length: int) -> Tensor:
    """[b, blocks, length] booleans: `side` pixels of a row, at `place` [b, blocks] in 0..1 of the room left over."""
    first = (place * (length - side + 1)).floor().clamp_max(length - side).unsqueeze(2)  # [b, blocks, 1]
    pixel = torch.arange(length)
    return (pixel >= first) & (pixel < first + side)
