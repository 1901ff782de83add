"""The triplet loss: a view should be nearer to the other view of its image than to those of other images, by a margin.

Source: Schroff, Kalenichenko & Philbin, "FaceNet: A Unified Embedding for Face Recognition and Clustering", CVPR 2015
(arXiv 1503.03832), equations 1 to 4; all triplets and the hardest: Hermans, Beyer & Leibe, "In Defense of the Triplet
Loss for Person Re-Identification", 2017 (arXiv 1703.07737), section 2. For an anchor a, its positive p and a negative
n, all of length 1,

    l(a, p, n) = max(0, |a - p|^2 - |a - n|^2 + margin).

Each of the 2n views of a batch is an anchor, the other view of its image the positive, and the 2n - 2 views of other
images are its negatives. Which of them make triplets is the mining:

- "semi-hard": the nearest negative that is farther than the positive; it teaches if it lies within the margin. Where
  no negative is farther, the farthest there is: the one that is least wrong.
- "hard": the nearest negative. From a new network it is easier to map all images to one point than to part them: the
  loss then stays at the margin, as it did on MNIST in batches of 256.
- "all": every negative. The mean is then taken over the triplets that violate the margin, as nearly all soon do not.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hundredfold.losses._pair import check_pair, unit_length

MINING = ("all", "hard", "semi-hard")


def triplet_margin(za: Tensor, zb: Tensor, *, margin: float = 0.5, mining: str = "semi-hard") -> Tensor:
    """The loss of two views of the same images, with squared distances in 0..4.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        margin: > 0, by how much the squared distance to a negative should exceed that to the positive; FaceNet's is
            0.2. More than 2n / (n - 1) cannot be had for all images at once.
        mining: "semi-hard", "hard" (the mean over all 2n anchors, those that keep the margin included), or "all" (the
            mean over the triplets that violate it).

    Returns:
        Scalar >= 0 in float32 (float64 for float64 inputs): `margin` for a constant representation, 0 (and gradients of
        0) where every triplet keeps the margin.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, a margin that is not positive, unknown mining.

    >>> z = torch.eye(2)
    >>> float(triplet_margin(z, z, margin=2.5))
    0.5
    """
    check_pair(za, zb)
    check_settings(margin, mining)
    with torch.autocast(za.device.type, enabled=False):
        distance, positive, negative = _distances(za, zb)
        if mining == "all":
            violation = (positive[:, None] - distance + margin).relu() * negative  # [2n, 2n]
            return violation.sum() / (violation > 0).sum().clamp(min=1)
        mined = _nearest(distance, negative) if mining == "hard" else _semi_hard(distance, positive, negative)
        return (positive - mined + margin).relu().mean()


@torch.no_grad()
def violating_share(za: Tensor, zb: Tensor, *, margin: float = 0.5) -> Tensor:
    """The share of all 2n (2n - 2) triplets that do not keep the margin, in 0..1: what is left to learn.

    Mining looks for triplets that violate the margin, so that the loss of those it finds stays near the margin while
    they become few; this falls. Arguments and errors as `triplet_margin`; no gradient.

    >>> float(violating_share(torch.eye(2), torch.eye(2)))
    0.0
    """
    check_pair(za, zb)
    check_settings(margin, "all")
    with torch.autocast(za.device.type, enabled=False):
        distance, positive, negative = _distances(za, zb)
        violating = (positive[:, None] - distance + margin > 0) & negative
        return violating.sum() / negative.sum()


class TripletMarginLoss(nn.Module):
    """`triplet_margin` with its settings kept."""

    def __init__(self, margin: float = 0.5, mining: str = "semi-hard") -> None:
        super().__init__()
        check_settings(margin, mining)
        self.margin = margin
        self.mining = mining

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return triplet_margin(za, zb, margin=self.margin, mining=self.mining)


def check_settings(margin: float, mining: str) -> None:
    """Raises ValueError for a margin that is not positive and finite, and for unknown mining."""
    if not 0 < margin < math.inf:
        raise ValueError(f"margin must be > 0 and finite, got {margin}: 0.2 to 1 is usual")
    if mining not in MINING:
        raise ValueError(f"mining must be one of {', '.join(MINING)}, got {mining!r}")


def _distances(za: Tensor, zb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Squared distances [2n, 2n] of all views, those [2n] to the positives, and which [2n, 2n] are to negatives."""
    u, v = unit_length(za), unit_length(zb)
    z = torch.cat([u, v])  # [2n, d]
    image = torch.arange(len(z), device=z.device) % len(u)  # [2n]
    positive = (2 - 2 * (u * v).sum(1)).repeat(2)
    return 2 - 2 * z @ z.T, positive, image[:, None] != image


def _nearest(distance: Tensor, among: Tensor) -> Tensor:
    """The smallest distance [2n] of each row among those marked; infinite where none is."""
    return distance.masked_fill(~among, math.inf).amin(1)


def _semi_hard(distance: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """The distance [2n] to the nearest negative beyond the positive, to the farthest negative where none is beyond."""
    beyond = negative & (distance > positive[:, None])
    farthest = distance.masked_fill(~negative, -math.inf).amax(1)
    return torch.where(beyond.any(1), _nearest(distance, beyond), farthest)
