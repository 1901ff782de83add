"""VICReg: two views agree (invariance), no feature dies (variance), and no two features repeat (covariance).

Source: Bardes, Ponce & LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
ICLR 2022 (arXiv 2105.04906), equations 1 to 6 and algorithm 1.

    L = invariance * s(a, b) + variance * (v(a) + v(b)) + covariance * (c(a) + c(b)),

    s(a, b) = 1/(n d) sum_i |a_i - b_i|^2
    v(z)    = 1/d sum_j max(0, 1 - sqrt(Var(z_j) + 0.0001))
    c(z)    = 1/d sum_{j != k} Cov(z_j, z_k)^2,      Var and Cov over the n images, divided by n - 1.

s is divided by d as in algorithm 1, for which the weights 25, 25, 1 were found; equation 5 is without. The two v are
added as in equation 6; the authors' later code takes half of each.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.losses._pair import at_least_float32, check_pair

EPSILON = 1e-4  # keeps the gradient of the square root finite
TARGET = 1.0  # the standard deviation below which a feature counts as dying


class VICRegTerms(NamedTuple):
    """The three terms of the loss, none of them weighted, each >= 0.

    Attributes:
        invariance: s(a, b), the mean squared difference of two views.
        variance: v(a) + v(b), in 0..1.98; 1.98 if all features are constant.
        covariance: c(a) + c(b).
    """

    invariance: Tensor
    variance: Tensor
    covariance: Tensor


def vicreg(
    za: Tensor, zb: Tensor, *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
) -> Tensor:
    """The loss of two views of the same images; their projections are compared as they are, not at length 1.

    Args:
        za, zb: [n, d], row i of both from the same image, n >= 2.
        invariance, variance, covariance: weights of the three terms, >= 0.

    Returns:
        Scalar >= 0 in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, a weight below 0.

    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])  # variances 4/3, covariance 0
    >>> float(vicreg(z, z))
    0.0
    """
    check_weights(invariance, variance, covariance)
    terms = vicreg_terms(za, zb)
    return invariance * terms.invariance + variance * terms.variance + covariance * terms.covariance


def vicreg_terms(za: Tensor, zb: Tensor) -> VICRegTerms:
    """The three terms of `vicreg`, for those who log them.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2.
    """
    check_pair(za, zb)
    with torch.autocast(za.device.type, enabled=False):
        za, zb = at_least_float32(za), at_least_float32(zb)
        a, b = _covariance(za), _covariance(zb)  # [d, d]
        return VICRegTerms(functional.mse_loss(za, zb), _dying(a) + _dying(b), _repeated(a) + _repeated(b))


def vicreg_chance(variance: float = 25.0) -> float:
    """The loss of a constant representation: views agree, no feature varies."""
    return float(2 * variance * (TARGET - EPSILON**0.5))


class VICRegLoss(nn.Module):
    """`vicreg` with its settings kept."""

    def __init__(self, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0) -> None:
        super().__init__()
        check_weights(invariance, variance, covariance)
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return vicreg(za, zb, invariance=self.invariance, variance=self.variance, covariance=self.covariance)


def check_weights(*weights: float) -> None:
    """Raises ValueError if one is below 0."""
    if not all(weight >= 0 for weight in weights):
        raise ValueError(f"the weights of invariance, variance and covariance must be >= 0, got {weights}")


def _covariance(z: Tensor) -> Tensor:
    """[n, d] -> [d, d]."""
    centred = z - z.mean(0)
    return centred.T @ centred / (len(z) - 1)


def _dying(covariance: Tensor) -> Tensor:
    """v: how far the standard deviations are below the target, mean over features."""
    return functional.relu(TARGET - (covariance.diagonal() + EPSILON).sqrt()).mean()


def _repeated(covariance: Tensor) -> Tensor:
    """c: the squared covariances of different features, summed, divided by the number of features."""
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / len(covariance)
