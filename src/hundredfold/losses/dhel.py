"""DHEL: the decoupled loss whose negatives are the other images in the same view.

Source: Koromilas, Bouritsas, Giannakopoulos, Nicolaou & Panagakis, "Bridging Mini-Batch and Asymptotic Analysis in
Contrastive Learning: From InfoNCE to Kernel-Based Losses", ICML 2024 (arXiv 2405.18045), the decoupled hyperspherical
energy loss. As a member of a family: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive
Learning", ICML 2025 (arXiv 2506.09781), table 2.

For two views u_1 .. u_n and v_1 .. v_n of n images,

    l(u, i) = -sim(u_i, v_i) / t + log( sum_{j != i} exp(sim(u_i, u_j) / t) ),    sim = cosine,

and the loss is the mean of l(u, i) and l(v, i) over all i. Positives are pulled together across the views, all images
are pushed apart within each: the two aims, alignment and uniformity, share no similarity.
"""

from __future__ import annotations

from torch import Tensor, nn

from hundredfold.losses._pair import check_temperature
from hundredfold.losses.dcl import dcl, dcl_chance, dcl_floor


def dhel(za: Tensor, zb: Tensor, *, temperature: float = 0.5) -> Tensor:
    """The loss of two views of the same images: `dcl` with the negatives within each view.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        temperature: > 0; the smaller, the more the nearest negatives count.

    Returns:
        Scalar in float32 (float64 for float64 inputs), which may be negative, at least `dhel_floor`; `dhel_chance` for
        a constant representation.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, a temperature that is not positive.

    >>> import torch
    >>> z = torch.eye(2)
    >>> float(dhel(z, z, temperature=1.0))
    -1.0
    """
    return dcl(za, zb, temperature=temperature, negatives="within")


def dhel_chance(n: int) -> float:
    """The loss when all similarities are equal: ln(n - 1)."""
    return dcl_chance(n, "within")


def dhel_floor(n: int, temperature: float) -> float:
    """The lowest loss of n images, that of the simplex: ln(n - 1) - (n / (n - 1)) / t. It needs d >= n - 1."""
    return dcl_floor(n, temperature, "within")


class DHELLoss(nn.Module):
    """`dhel` with its temperature kept."""

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return dhel(za, zb, temperature=self.temperature)
