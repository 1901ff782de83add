"""SupCon: NT-Xent in which all views of the same class are positives, where the class is known.

Source: Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu & Krishnan, "Supervised Contrastive Learning",
NeurIPS 2020 (arXiv 2004.11362), equation 2 (L_out, the sum outside of the logarithm, which they found better).

For the 2n views z_1 .. z_2n of n images, with P(i) the other views of the class of i,

    l(i) = -1/|P(i)| sum_{p in P(i)} log( exp(sim(z_i, z_p) / t) / sum_{a != i} exp(sim(z_i, z_a) / t) ),

and the loss is the mean of l over all 2n views (the paper writes their sum). An image without a label is a class of its
own: its one positive is its other view, so that without any label this is NT-Xent.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hundredfold.losses._pair import check_pair, check_temperature, unit_length
from hundredfold.types import UNLABELLED


def supervised_contrastive(za: Tensor, zb: Tensor, labels: Tensor, *, temperature: float = 0.5) -> Tensor:
    """The loss of two views of the same images, some or all of them labelled.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        labels: [n] integers, the class of each image, `UNLABELLED` (-1) where it is not known.
        temperature: > 0; the smaller, the more the nearest negatives count. The paper's is 0.1.

    Returns:
        Scalar in float32 (float64 for float64 inputs); `supervised_contrastive_chance` for a constant representation.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, labels that are not [n] integers, a temperature that is
            not positive.

    >>> z = torch.eye(2)
    >>> round(float(supervised_contrastive(z, z, torch.tensor([0, -1]), temperature=1.0)), 4)
    0.5514
    """
    check_pair(za, zb)
    check_temperature(temperature)
    n = za.shape[0]
    if labels.shape != (n,) or labels.is_floating_point():
        raise ValueError(f"labels must be {n} integers, one for each image: got {labels.dtype} {tuple(labels.shape)}")
    with torch.autocast(za.device.type, enabled=False):  # half precision loses the small differences of exp
        z = torch.cat([unit_length(za), unit_length(zb)])  # [2n, d]
        itself = torch.eye(2 * n, dtype=torch.bool, device=z.device)
        logits = z @ z.T / temperature  # [2n, 2n]
        log_sum = logits.masked_fill(itself, -math.inf).logsumexp(1)  # [2n]
        positive = _same_class(labels.to(z.device)).repeat(2, 2) & ~itself  # [2n, 2n]
        mean_positive = (logits * positive).sum(1) / positive.sum(1)  # [2n]
        return (log_sum - mean_positive).mean()


def supervised_contrastive_chance(n: int) -> float:
    """The loss when all similarities are equal, whatever the labels: ln(2n - 1)."""
    return math.log(2 * n - 1)


class SupervisedContrastiveLoss(nn.Module):
    """`supervised_contrastive` with its temperature kept."""

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def forward(self, za: Tensor, zb: Tensor, labels: Tensor) -> Tensor:
        """The loss of two views [n, d] of n images and their labels [n]."""
        return supervised_contrastive(za, zb, labels, temperature=self.temperature)


def _same_class(labels: Tensor) -> Tensor:
    """Which images [n, n] are of one class; an image without a label is of its own."""
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return itself | ((labels[:, None] == labels) & (labels != UNLABELLED))
