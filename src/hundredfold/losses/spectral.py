"""The spectral contrastive loss: positives to similarity 1, the squares of negative similarities to 0.

Source: HaoChen, Wei, Gaidon & Ma, "Provable Guarantees for Self-Supervised Deep Learning with Spectral Contrastive
Loss", NeurIPS 2021 (arXiv 2106.04156), equation 6, with the weights and the unit-length vectors of Lee, Lim, Lee &
Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv 2506.09781), table 3:

    L = -mean over i of u_i . v_i + mean over ordered pairs i != j of (u_i . v_j)^2,    u, v of length 1.

HaoChen et al. give the positives twice this weight, and leave the length of the vectors free. The loss is no
member of the family that it is listed in, as a square does not increase below 0: where d >= n its optimum is not the
simplex but orthonormal vectors, negatives at 0 and the loss at -1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hundredfold.losses._pair import check_pair, unit_length

CHANCE = 0.0  # a constant representation: all similarities are 1
FLOOR = -1.0  # orthonormal images, identical views; it needs d >= n to be reached


def spectral(za: Tensor, zb: Tensor) -> Tensor:
    """The loss of two views of the same images.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.

    Returns:
        Scalar in float32 (float64 for float64 inputs), in `FLOOR`..2; `CHANCE` for a constant representation.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2.

    >>> z = torch.eye(2)
    >>> float(spectral(z, z))
    -1.0
    """
    check_pair(za, zb)
    n = za.shape[0]
    with torch.autocast(za.device.type, enabled=False):
        cosine = unit_length(za) @ unit_length(zb).T  # [n, n]
        itself = torch.eye(n, dtype=torch.bool, device=cosine.device)
        negative = cosine.square().masked_fill(itself, 0).sum() / (n * (n - 1))
        return negative - cosine.diagonal().mean()


class SpectralLoss(nn.Module):
    """`spectral` as a module; it has no settings."""

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return spectral(za, zb)
