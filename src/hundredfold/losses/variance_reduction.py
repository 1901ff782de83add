"""VRNS: the auxiliary loss that keeps all negative similarities at the value they have in the full-batch optimum.

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv
2506.09781), definition 5.7. For m of the n images of a data set,

    L = mean over ordered pairs i != j of (u_i . v_j + 1 / (n - 1))^2,    u, v of length 1,

which is Var(s) + (mean(s) + 1/(n - 1))^2 of the cross-view negative similarities s. A mini-batch loss lets them vary
between batches, the more the smaller the batch; this term takes part of that back. Add it to any loss of two views.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hundredfold.losses._pair import check_pair, unit_length


def variance_reduction(za: Tensor, zb: Tensor, *, images: int, positions: Tensor | None = None) -> Tensor:
    """The mean squared distance of cross-view negative similarities from -1/(images - 1).

    Args:
        za, zb: [m, d], row i of both from the same image; they need not be normalised. m >= 2.
        images: n, the number of images of the whole data set, >= m.
        positions: [m], the place of each image in the data set. Pairs of the same image are no negatives, also where
            it stands in the batch twice. None takes all m to be different.

    Returns:
        Scalar >= 0 in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ or are not [m, d], m < 2, `images` < m, or no two images differ.

    >>> z = torch.eye(2)
    >>> float(variance_reduction(z, z, images=3))
    0.25
    """
    check_pair(za, zb)
    m = za.shape[0]
    if images < m:
        raise ValueError(f"images is the size of the data set, of which the batch has {m}: got {images}")
    if positions is not None and positions.shape != (m,):
        raise ValueError(f"positions must have the shape ({m},), got {tuple(positions.shape)}")
    with torch.autocast(za.device.type, enabled=False):
        cosine = unit_length(za) @ unit_length(zb).T  # [m, m]
        if positions is None:
            positions = torch.arange(m, device=za.device)
        negative = positions[:, None] != positions  # [m, m]
        count = negative.sum()
        if not count:
            raise ValueError(f"all {m} rows are of the same image: there are no negatives")
        return ((cosine + 1 / (images - 1)).square() * negative).sum() / count


class VarianceReductionLoss(nn.Module):
    """`variance_reduction` with the size of the data set kept."""

    def __init__(self, images: int) -> None:
        super().__init__()
        if images < 2:
            raise ValueError(f"images must be >= 2, got {images}")
        self.images = images

    def forward(self, za: Tensor, zb: Tensor, positions: Tensor | None = None) -> Tensor:
        """The loss of two views [m, d] of the same m images."""
        return variance_reduction(za, zb, images=self.images, positions=positions)
