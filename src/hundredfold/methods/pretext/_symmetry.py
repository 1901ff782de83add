"""Do the images contradict a task? They do where their transformed versions lie among them as they do themselves.

If a set is closed under a transformation (snow turned by a quarter is snow), nothing tells what was transformed. The
measure is the distance to the nearest other image of the set, once for an image and once for its transformed version.
It sees images as a few pixels: it can show that a task is hopeless, never that it is worth while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 16  # pixels to which images are shrunk: what they show, not the noise of single pixels
# Shares measured on 200 to 1,500 images. Closed: mirrored photographs of CIFAR-10 0.46 to 0.52, noise and textures 0.47
# to 0.55. Where the task can be solved: turned photographs of CIFAR-10 0.33 to 0.40 (pixels hardly see it), clothes of
# Fashion-MNIST mirrored 0.21 to 0.30 and turned 0.03 to 0.07, digits of MNIST 0.03 to 0.06 either way.
CLOSED = 0.44  # share from which on a set is taken as closed


ENOUGH = 100  # images from which on chance moves the share by less than 0.05 most of the time


@dataclass(frozen=True, kw_only=True)
class Symmetry:
    """How nearly a set of images is closed under some transformations.

    Attributes:
        images: n, how many were compared.
        share: of the transformed images that lie at least as near to another image of the set as the image itself does,
            0..1. A closed set has a half, or more where images are their own transforms; it is how often a nearest
            neighbour errs that is asked which of both is from the set.
        ratio: median of the distance of a transformed image over that of the image itself; 1 in a closed set.
    """

    images: int
    share: float
    ratio: float

    @property
    def closed(self) -> bool:
        """Whether there is nothing to tell a transformed image by, as far as pixels show."""
        return self.images >= ENOUGH and self.share >= CLOSED


def symmetry(images: Tensor, transformed: Sequence[Tensor]) -> Symmetry:
    """Compares the distance of transformed images to the set with that of the images themselves.

    Args:
        images: [n, c, h, w] in 0..1, at least 2.
        transformed: one [n, c, h, w] for each transformation, at least one; row i is that of image i.
    """
    rows = shrunk(images).flatten(1)  # [n, d]
    own = _nearest_other(rows, rows)  # [n]
    moved = torch.stack([_nearest_other(shrunk(part).flatten(1), rows) for part in transformed])  # [t, n]
    # Rounding must not decide where an image is its own transform.
    near = moved <= own * (1 + 1e-4) + 1e-6
    ratio = (moved + 1e-6) / (own + 1e-6)
    return Symmetry(images=len(images), share=near.float().mean().item(), ratio=ratio.median().item())


def shrunk(images: Tensor) -> Tensor:
    """Images of at most 16 x 16 pixels, [n, c, h', w'], by averaging."""
    height, width = (min(SIDE, side) for side in images.shape[2:])
    return functional.adaptive_avg_pool2d(images, (height, width))


def _nearest_other(rows: Tensor, among: Tensor) -> Tensor:
    """Distance [n] from each row to the nearest of `among` [n, d], that of its own number left out."""
    distances = torch.cdist(rows, among, compute_mode="donot_use_mm_for_euclid_dist")  # [n, n]
    return distances.fill_diagonal_(torch.inf).amin(1)
