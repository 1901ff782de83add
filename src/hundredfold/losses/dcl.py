"""DCL: NT-Xent without the positive pair in the denominator.

Source: Yeh, Hong, Hsu, Liu, Chen & LeCun, "Decoupled Contrastive Learning", ECCV 2022 (arXiv 2110.06848), section 3.1.
The choice of negatives: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025
(arXiv 2506.09781), definition 3.1 and table 2.

For the 2n views z_1 .. z_2n of n images, with j the other view of the image of i,

    l(i) = -sim(z_i, z_j) / t + log( sum_k exp(sim(z_i, z_k) / t) ),    sim = cosine,

and the loss is the mean of l over all 2n views. The sum runs over the negatives of i: views of other images. In
NT-Xent it also holds the positive, whose share scales the gradient: when a small batch is told apart with ease, little
is left of it. Here the pull of the positive stays.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hundredfold.losses._negatives import check_negatives, count_negatives, negative_pairs
from hundredfold.losses._pair import check_pair, check_temperature, unit_length
from hundredfold.losses.tiled import dcl_tiled, is_large


def dcl(za: Tensor, zb: Tensor, *, temperature: float = 0.5, negatives: str = "both") -> Tensor:
    """The decoupled loss of two views of the same images.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        temperature: > 0; the smaller, the more the nearest negatives count.
        negatives: "both" (the paper's), "cross" (views of other images in the other view) or "within" (in the same
            view: DHEL, see `hundredfold.losses.dhel`).

    Returns:
        Scalar in float32 (float64 for float64 inputs), which may be negative, at least `dcl_floor`; `dcl_chance` for
        a constant representation.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, a temperature that is not positive, unknown negatives.

    >>> z = torch.eye(2)
    >>> round(float(dcl(z, z, temperature=1.0)), 4)
    -0.3069
    """
    check_pair(za, zb)
    check_temperature(temperature)
    check_negatives(negatives)
    n = za.shape[0]
    if is_large(2 * n, 2 * n, za):
        return dcl_tiled(za, zb, temperature=temperature, negatives=negatives)
    with torch.autocast(za.device.type, enabled=False):  # half precision loses the small differences of exp
        u, v = unit_length(za), unit_length(zb)
        z = torch.cat([u, v])  # [2n, d]
        logits = (z @ z.T / temperature).masked_fill(~negative_pairs(n, negatives, z.device), -math.inf)  # [2n, 2n]
        positive = (u * v).sum(1) / temperature  # [n]
        return logits.logsumexp(1).mean() - positive.mean()


def dcl_chance(n: int, negatives: str = "both") -> float:
    """The loss when all similarities are equal: ln(number of negatives), ln(2n - 2) with both kinds."""
    return math.log(count_negatives(n, negatives))


def dcl_floor(n: int, temperature: float, negatives: str = "both") -> float:
    """The lowest loss of n images: positives at similarity 1 and negatives on the simplex, at -1/(n - 1).

    ln k - (n / (n - 1)) / t with k negatives; it needs d >= n - 1 dimensions to be reached.
    """
    return math.log(count_negatives(n, negatives)) - (n / (n - 1)) / temperature


class DCLLoss(nn.Module):
    """`dcl` with its settings kept."""

    def __init__(self, temperature: float = 0.5, negatives: str = "both") -> None:
        super().__init__()
        check_temperature(temperature)
        check_negatives(negatives)
        self.temperature = temperature
        self.negatives = negatives

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return dcl(za, zb, temperature=self.temperature, negatives=self.negatives)
