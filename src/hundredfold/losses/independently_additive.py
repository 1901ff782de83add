"""The family of losses that add up a function of each similarity: SigLIP, the spectral loss and any other.

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv
2506.09781), definition 3.2 and table 3. For views u_1 .. u_n and v_1 .. v_n of n images, all of length 1,

    L = - mean over i of phi(u_i . v_i)
        + c1 mean over ordered pairs i != j of psi(u_i . v_j)
        + c2 mean over ordered pairs i != j of (psi(u_i . u_j) + psi(v_i . v_j)) / 2,

with c1 and c2 0 or 1 (`cross`, `within`).

| loss     | phi(x)                      | psi(x)                            | cross | within |
|----------|-----------------------------|-----------------------------------|-------|--------|
| SigLIP   | -log(1 + exp(-t x - bias))  | (n - 1) log(1 + exp(t x + bias))  | yes   | no     |
| spectral | x                           | x^2                               | yes   | no     |

Where phi is concave, psi convex and both increase, negatives within the views make the simplex the optimum: positives
at similarity 1, all negatives at -1/(n - 1) (theorem 5.1). With those across the views alone it is so only if
phi'(1) > (n - 2) / (2 (n - 1)) psi'(-1 / (n - 1)); otherwise the optimum parts the two views of an image (theorem
5.3). `within=True` is the remedy. The squares of the spectral loss do not increase: the theorems are not about it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hundredfold.losses._pair import check_pair, unit_length
from hundredfold.losses.info_nce_based import Function, check_switches


def independently_additive(
    za: Tensor, zb: Tensor, *, phi: Function, psi: Function, cross: bool = True, within: bool = False
) -> Tensor:
    """The loss of this family with these functions.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        phi: of the [n] similarities of positives in -1..1, number by number.
        psi: of [n, n] similarities of negatives in -1..1, number by number.
        cross: whether the other images in the other view are negatives.
        within: whether the other images in the same view are negatives.

    Returns:
        Scalar in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, neither `cross` nor `within`.

    >>> z = torch.eye(2)
    >>> float(independently_additive(z, z, phi=lambda x: x, psi=torch.square))  # the spectral loss
    -1.0
    """
    check_pair(za, zb)
    check_switches(cross, within)
    with torch.autocast(za.device.type, enabled=False):
        u, v = unit_length(za), unit_length(zb)
        loss = -phi((u * v).sum(1)).mean()
        if cross:
            loss = loss + _mean_over_others(psi(u @ v.T))
        if within:
            loss = loss + (_mean_over_others(psi(u @ u.T)) + _mean_over_others(psi(v @ v.T))) / 2
        return loss


class IndependentlyAdditiveLoss(nn.Module):
    """`independently_additive` with its functions and switches kept."""

    def __init__(self, phi: Function, psi: Function, cross: bool = True, within: bool = False) -> None:
        super().__init__()
        check_switches(cross, within)
        self.phi, self.psi = phi, psi
        self.cross, self.within = cross, within

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return independently_additive(za, zb, phi=self.phi, psi=self.psi, cross=self.cross, within=self.within)


def _mean_over_others(values: Tensor) -> Tensor:
    """The mean of [n, n] without its diagonal."""
    n = len(values)
    return values.masked_fill(torch.eye(n, dtype=torch.bool, device=values.device), 0).sum() / (n * (n - 1))
