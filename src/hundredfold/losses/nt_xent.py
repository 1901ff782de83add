"""NT-Xent: the normalised, temperature-scaled cross entropy of SimCLR.

Source: Chen, Kornblith, Norouzi & Hinton, "A Simple Framework for Contrastive Learning of Visual Representations",
ICML 2020 (arXiv 2002.05709), equation 1 and algorithm 1.

For the 2n views z_1 .. z_2n of n images, with j the other view of the image of i,

    l(i, j) = -log( exp(sim(z_i, z_j) / t) / sum_{k != i} exp(sim(z_i, z_k) / t) ),    sim = cosine,

and the loss is the mean of l over all 2n views. Negatives are both cross-view and within-view.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def nt_xent(za: Tensor, zb: Tensor, *, temperature: float = 0.5) -> Tensor:
    """The loss of two views of the same images.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        temperature: > 0; the smaller, the more the nearest negatives count.

    Returns:
        Scalar in float32 (float64 for float64 inputs), between `nt_xent_floor` and, for any representation better
        than a constant one, `nt_xent_chance`.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, or the temperature is not positive.

    >>> z = torch.eye(2)
    >>> float(nt_xent(z, z, temperature=1.0)) < math.log(3)
    True
    """
    check_pair(za, zb)
    if temperature <= 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    n = za.shape[0]
    with torch.autocast(za.device.type, enabled=False):  # half precision loses the small differences of exp
        z = functional.normalize(torch.cat([at_least_float32(za), at_least_float32(zb)]), dim=1)  # [2n, d]
        logits = z @ z.T / temperature  # [2n, 2n]
        itself = torch.eye(2 * n, dtype=torch.bool, device=z.device)
        logits = logits.masked_fill(itself, -math.inf)
        partner = torch.arange(2 * n, device=z.device).roll(n)  # [2n]: i -> the other view of its image
        return functional.cross_entropy(logits, partner)


def nt_xent_chance(n: int) -> float:
    """The loss when all similarities are equal: ln(2n - 1), for n images."""
    return math.log(2 * n - 1)


def nt_xent_floor(n: int, temperature: float) -> float:
    """The lowest loss of n images: positives at similarity 1 and negatives on the simplex, at -1/(n - 1).

    ln(1 + (2n - 2) exp(-(n / (n - 1)) / t)); it needs d >= n - 1 dimensions to be reached.
    """
    return math.log1p((2 * n - 2) * math.exp(-(n / (n - 1)) / temperature))


class NTXentLoss(nn.Module):
    """`nt_xent` with its temperature kept."""

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return nt_xent(za, zb, temperature=self.temperature)


def check_pair(za: Tensor, zb: Tensor) -> None:
    """Raises ValueError, with both shapes, unless both are [n, d] with n >= 2."""
    if za.dim() != 2 or za.shape != zb.shape:
        raise ValueError(f"the two views must have the same shape [n, d], got {tuple(za.shape)} and {tuple(zb.shape)}")
    if za.shape[0] < 2:
        raise ValueError(f"a contrastive loss compares images: it needs at least 2, got {za.shape[0]}")


def at_least_float32(z: Tensor) -> Tensor:
    """float16 and bfloat16 as float32; float32 and float64 as they are."""
    return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z
