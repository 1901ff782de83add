"""InfoNCE: which candidate is the other view of the anchor? A cross entropy over the images of the batch.

Source: van den Oord, Li & Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018 (arXiv
1807.03748), equation 4, with exp(cosine / t) for the density ratio. Both directions together: Radford et al.,
"Learning Transferable Visual Models From Natural Language Supervision" (CLIP), ICML 2021 (arXiv 2103.00020), figure 3.

For anchors u_1 .. u_n and candidates v_1 .. v_n, row i of both from the same image,

    l(i) = -log( exp(sim(u_i, v_i) / t) / sum_j exp(sim(u_i, v_j) / t) ),    sim = cosine,

and the loss is the mean of l over the n anchors, or the mean of that and the same with u and v exchanged. The latter
is NT-Xent with the negatives of the other view alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.losses._pair import check_pair, check_temperature, unit_length
from hundredfold.losses.tiled import info_nce_tiled, is_large


def info_nce(za: Tensor, zb: Tensor, *, temperature: float = 0.5, symmetric: bool = True) -> Tensor:
    """The loss of finding each image's other view among those of all images.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        temperature: > 0; the smaller, the more the nearest negatives count.
        symmetric: the mean of both directions; False takes rows of `za` as anchors and rows of `zb` as candidates.

    Returns:
        Scalar in float32 (float64 for float64 inputs), at least `info_nce_floor`; `info_nce_chance` for a constant
        representation.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, a temperature that is not positive.

    >>> z = torch.eye(2)
    >>> round(float(info_nce(z, z, temperature=1.0)), 4)
    0.3133
    """
    check_pair(za, zb)
    check_temperature(temperature)
    if is_large(len(za), len(zb), za):
        return info_nce_tiled(za, zb, temperature=temperature, symmetric=symmetric)
    with torch.autocast(za.device.type, enabled=False):  # half precision loses the small differences of exp
        logits = unit_length(za) @ unit_length(zb).T / temperature  # [n, n]
        partner = torch.arange(len(logits), device=logits.device)
        loss = functional.cross_entropy(logits, partner)
        return (loss + functional.cross_entropy(logits.T, partner)) / 2 if symmetric else loss


def info_nce_chance(n: int) -> float:
    """The loss when all similarities are equal: ln n."""
    return math.log(n)


def info_nce_floor(n: int, temperature: float) -> float:
    """The lowest loss of n images: positives at similarity 1 and negatives on the simplex, at -1/(n - 1).

    ln(1 + (n - 1) exp(-(n / (n - 1)) / t)), for one direction as for both; it needs d >= n - 1 to be reached.
    """
    return math.log1p((n - 1) * math.exp(-(n / (n - 1)) / temperature))


class InfoNCELoss(nn.Module):
    """`info_nce` with its settings kept."""

    def __init__(self, temperature: float = 0.5, symmetric: bool = True) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.symmetric = symmetric

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return info_nce(za, zb, temperature=self.temperature, symmetric=self.symmetric)
