"""Masked patches: random patches of each image are painted over, and any encoder with a mirror image predicts them.

Source: Xie, Zhang, Cao, Lin, Bao, Yao, Dai & Hu, "SimMIM: A Simple Framework for Masked Image Modeling", CVPR 2022
(arXiv 2111.09886), section 3: random masking, raw pixels as targets, a loss over masked pixels only.

The hypothesis: patches of an image depend on each other through what the image shows. Trivial solutions: interpolating
from the nearest visible pixels, which small patches or a small share of them reward; the mean colour, where most
patches are empty.

When to use it: what `mae` is used for, with a convolutional network. When not: textures and noise, whose parts do not
depend on each other, and images that are mostly background (`run` warns of both).

Departures, all because an encoder here is any network from images to one vector: masked patches take the mean colour,
zeros behind the encoder's normalisation, as there are no tokens to replace by a learnt one; the decoder is the
encoder's mirror image, as one linear layer cannot bring a vector back to an image; the error is squared, not absolute.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.vit import patch_for
from hundredfold.methods.pretext._masked import (
    MissingPartMethod,
    doubt_context,
    doubt_empty,
    hidden_of,
    lowest,
    mask_problems,
    patch_problems,
    patches_to_pixels,
)
from hundredfold.views.chain import Chain

GRID = 6  # patches along the shorter side that an automatic patch leaves at least, where the size allows it


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of masked patches.

    Attributes:
        patch: side of a patch in pixels, which must divide height and width. 0: the largest up to 16 that leaves 6
            patches along the shorter side, as the paper's 32 of 192 pixels do, or the smallest there is.
        mask: share of the patches that are painted over, above 0 and below 1; 0.6 in the paper.
        augment: hide patches of a view of each image, not of the image itself: see `mae`.
    """

    patch: int = 0
    mask: float = 0.6
    augment: bool = False

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        return [*patch_problems(self.patch), *mask_problems(self.mask)]


class MaskedPatch(MissingPartMethod):
    """An encoder that sees an image with some patches painted over, and its mirror image that answers them.

    Raises:
        SettingsError: the encoder cannot be mirrored, or the patch does not divide its images.
    """

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        patch = patch_for(config.patch, (encoder.spec.height, encoder.spec.width), grid=GRID)
        super().__init__(encoder, chain, augment=config.augment)
        self.config = config
        self.patch = patch

    def hide(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
        """[count, 1, h, w] booleans: the same number of patches of each image."""
        patches = (size[0] // self.patch) * (size[1] // self.patch)
        scores = torch.rand(count, patches, generator=rng)
        return patches_to_pixels(lowest(scores, hidden_of(patches, self.config.mask)), self.patch, size)


def doubts(images: Tensor) -> list[str]:
    """Sentences if patches of the images [n, c, h, w] in 0..1 do not depend on each other, or most are empty."""
    return [*doubt_context(images), *doubt_empty(images, GRID)]
