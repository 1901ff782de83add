"""NT-Xent: the normalised, temperature-scaled cross entropy of SimCLR, with a choice of negatives.

Source: Chen, Kornblith, Norouzi & Hinton, "A Simple Framework for Contrastive Learning of Visual Representations",
ICML 2020 (arXiv 2002.05709), equation 1 and algorithm 1. The choice of negatives: Lee, Lim, Lee & Sohn, "On the
Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv 2506.09781), definition 3.1.

For the 2n views z_1 .. z_2n of n images, with j the other view of the image of i,

    l(i) = -log( exp(sim(z_i, z_j) / t) / (exp(sim(z_i, z_j) / t) + sum_k exp(sim(z_i, z_k) / t)) ),    sim = cosine,

and the loss is the mean of l over all 2n views. The sum runs over the negatives of i: the other images in the other
view ("cross"), the other images in its own view ("within"), or both, which is the paper's loss.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.losses._negatives import check_negatives, count_negatives, negative_pairs
from hundredfold.losses._pair import check_pair, check_temperature, unit_length
from hundredfold.losses.tiled import is_large, nt_xent_tiled


def nt_xent(za: Tensor, zb: Tensor, *, temperature: float = 0.5, negatives: str = "both") -> Tensor:
    """The loss of two views of the same images.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        temperature: > 0; the smaller, the more the nearest negatives count.
        negatives: "both", "cross" (views of different images across the two views: symmetric InfoNCE) or "within".

    Returns:
        Scalar in float32 (float64 for float64 inputs), between `nt_xent_floor` and, for any representation better
        than a constant one, `nt_xent_chance`.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, a temperature that is not positive, unknown negatives.

    >>> z = torch.eye(2)
    >>> float(nt_xent(z, z, temperature=1.0)) < math.log(3)
    True
    """
    check_pair(za, zb)
    check_temperature(temperature)
    check_negatives(negatives)
    n = za.shape[0]
    if is_large(2 * n, 2 * n, za):
        return nt_xent_tiled(za, zb, temperature=temperature, negatives=negatives)
    with torch.autocast(za.device.type, enabled=False):  # half precision loses the small differences of exp
        z = torch.cat([unit_length(za), unit_length(zb)])  # [2n, d]
        partner = torch.arange(2 * n, device=z.device).roll(n)  # [2n]: i -> the other view of its image
        compared = negative_pairs(n, negatives, z.device).scatter_(1, partner[:, None], True)  # with the positive
        logits = (z @ z.T / temperature).masked_fill(~compared, -math.inf)  # [2n, 2n]
        return functional.cross_entropy(logits, partner)


def nt_xent_chance(n: int, negatives: str = "both") -> float:
    """The loss when all similarities are equal: ln(1 + number of negatives), ln(2n - 1) with both kinds."""
    return math.log1p(count_negatives(n, negatives))


def nt_xent_floor(n: int, temperature: float, negatives: str = "both") -> float:
    """The lowest loss of n images: positives at similarity 1 and negatives on the simplex, at -1/(n - 1).

    ln(1 + k exp(-(n / (n - 1)) / t)) with k negatives; it needs d >= n - 1 dimensions to be reached.
    """
    return math.log1p(count_negatives(n, negatives) * math.exp(-(n / (n - 1)) / temperature))


class NTXentLoss(nn.Module):
    """`nt_xent` with its settings kept."""

    def __init__(self, temperature: float = 0.5, negatives: str = "both") -> None:
        super().__init__()
        check_temperature(temperature)
        check_negatives(negatives)
        self.temperature = temperature
        self.negatives = negatives

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return nt_xent(za, zb, temperature=self.temperature, negatives=self.negatives)
