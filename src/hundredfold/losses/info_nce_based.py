"""The family of losses that compare each negative with the positive: InfoNCE, NT-Xent, DCL, DHEL and any other.

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv
2506.09781), definition 3.1 and table 2. For views u_1 .. u_n and v_1 .. v_n of n images, all of length 1,

    L(u, v) = mean over i of psi( c1 sum_{j != i} phi((v_j - v_i) . u_i) + c2 sum_{j != i} phi((u_j - v_i) . u_i) ),

with c1 and c2 0 or 1 (`cross`, `within`), and the loss is the mean of L(u, v) and L(v, u).

| loss    | phi(x)     | psi(x)     | cross | within |
|---------|------------|------------|-------|--------|
| InfoNCE | exp(x / t) | log(1 + x) | yes   | no     |
| NT-Xent | exp(x / t) | log(1 + x) | yes   | yes    |
| DCL     | exp(x / t) | log(x)     | yes   | yes    |
| DHEL    | exp(x / t) | log(x)     | no    | yes    |

Where phi is convex and increasing and so is x -> psi(K phi(x)), the optimum is the simplex: positives at similarity 1,
all negatives at -1/(n - 1). (The paper asks for a convex psi, which no row of its table has; its proof does not.)
This form is for study and for losses without a file of their own: exp and log apart overflow at small temperatures,
where the named losses do not.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hundredfold.losses._pair import check_pair, unit_length

Function = Callable[[Tensor], Tensor]  # of each number of a tensor


def info_nce_based(
    za: Tensor,
    zb: Tensor,
    *,
    phi: Function,
    psi: Function,
    cross: bool = True,
    within: bool = True,
    symmetric: bool = True,
) -> Tensor:
    """The loss of this family with these functions.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        phi: of [n, n] differences of similarities in -2..2, number by number.
        psi: of the [n] sums, number by number.
        cross: whether the other images in the other view are negatives.
        within: whether the other images in the same view are negatives.
        symmetric: the mean of both directions; False takes rows of `za` as anchors alone.

    Returns:
        Scalar in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, neither `cross` nor `within`.

    >>> z = torch.eye(2)
    >>> round(float(info_nce_based(z, z, phi=torch.exp, psi=torch.log1p, within=False)), 4)  # InfoNCE at t = 1
    0.3133
    """
    check_pair(za, zb)
    check_switches(cross, within)
    with torch.autocast(za.device.type, enabled=False):
        u, v = unit_length(za), unit_length(zb)
        loss = _from_anchors(u, v, phi, psi, cross, within)
        return (loss + _from_anchors(v, u, phi, psi, cross, within)) / 2 if symmetric else loss


class InfoNCEBasedLoss(nn.Module):
    """`info_nce_based` with its functions and switches kept."""

    def __init__(
        self, phi: Function, psi: Function, cross: bool = True, within: bool = True, symmetric: bool = True
    ) -> None:
        super().__init__()
        check_switches(cross, within)
        self.phi, self.psi = phi, psi
        self.cross, self.within, self.symmetric = cross, within, symmetric

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return info_nce_based(
            za, zb, phi=self.phi, psi=self.psi, cross=self.cross, within=self.within, symmetric=self.symmetric
        )


def check_switches(cross: bool, within: bool) -> None:
    """Raises ValueError unless there are negatives of one kind at least."""
    if not (cross or within):
        raise ValueError("cross and within are both False: without negatives a constant representation is the best")


def _from_anchors(u: Tensor, v: Tensor, phi: Function, psi: Function, cross: bool, within: bool) -> Tensor:
    positive = (u * v).sum(1, keepdim=True)  # [n, 1]
    total = u.new_zeros(len(u))
    if cross:
        total = total + _sum_over_others(phi(u @ v.T - positive))
    if within:
        total = total + _sum_over_others(phi(u @ u.T - positive))
    return psi(total).mean()


def _sum_over_others(values: Tensor) -> Tensor:
    """The sum of each row [n] of [n, n] without the diagonal."""
    return values.masked_fill(torch.eye(len(values), dtype=torch.bool, device=values.device), 0).sum(1)
