"""Barlow Twins: each feature of one view correlates with itself in the other view, and with no other feature.

Source: Zbontar, Jing, Misra, LeCun & Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
ICML 2021 (arXiv 2103.03230), equations 1 and 2.

With c [d, d] the correlations over the n images between the features of view a and those of view b,

    L = sum_i (1 - c_ii)^2 + redundancy * sum_{i != j} c_ij^2.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hundredfold.losses._pair import at_least_float32, check_pair

CONSTANT = 1e-6  # a feature that varies by less, or by less than this share of its mean, is constant but for rounding


class BarlowTwinsTerms(NamedTuple):
    """The two sums of the loss, neither of them weighted.

    Attributes:
        invariance: sum_i (1 - c_ii)^2, in 0..4d; d if views and features have nothing to do with each other.
        redundancy: sum_{i != j} c_ij^2, in 0..d(d - 1).
    """

    invariance: Tensor
    redundancy: Tensor


def barlow_twins(za: Tensor, zb: Tensor, *, redundancy: float = 0.005) -> Tensor:
    """The loss of two views of the same images; offset and scale of a feature do not matter.

    Args:
        za, zb: [n, d], row i of both from the same image, n >= 2.
        redundancy: weight of the terms off the diagonal, >= 0 (lambda in the paper).

    Returns:
        Scalar >= 0 in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, a redundancy below 0.

    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])  # two features that do not correlate
    >>> float(barlow_twins(z, z))
    0.0
    """
    check_redundancy(redundancy)
    terms = barlow_twins_terms(za, zb)
    return terms.invariance + redundancy * terms.redundancy


def barlow_twins_terms(za: Tensor, zb: Tensor) -> BarlowTwinsTerms:
    """The two sums of `barlow_twins`, for those who log them.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2.
    """
    check_pair(za, zb)
    with torch.autocast(za.device.type, enabled=False):
        correlation = _standardised(za).T @ _standardised(zb) / len(za)  # [d, d]
        itself = correlation.diagonal()  # [d]
        return BarlowTwinsTerms((1 - itself).square().sum(), correlation.square().sum() - itself.square().sum())


def barlow_twins_chance(d: int) -> float:
    """The loss of a constant representation, whose d features correlate with nothing."""
    return float(d)


def barlow_twins_floor(n: int, d: int, redundancy: float = 0.005) -> float:
    """A bound below which no loss of n images lies: 0 if d < n, above it otherwise.

    The n - 1 dimensions that centred features of n images span cannot hold d > n - 1 features without repetition.
    Correlations of rank r with the trace d t have squares that sum to d^2 t^2 / r at least. So the loss is at least
    d ((1 - t)^2 + redundancy k t^2) with k = d / r - 1, whose minimum over t is d redundancy k / (1 + redundancy k).
    A redundancy above 1 counts as 1 here.
    """
    k = max(0.0, d / (n - 1) - 1)
    weight = min(redundancy, 1.0)  # the step from features to their mean t needs a convex function
    return d * weight * k / (1 + weight * k)


class BarlowTwinsLoss(nn.Module):
    """`barlow_twins` with its setting kept."""

    def __init__(self, redundancy: float = 0.005) -> None:
        super().__init__()
        check_redundancy(redundancy)
        self.redundancy = redundancy

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return barlow_twins(za, zb, redundancy=self.redundancy)


def check_redundancy(redundancy: float) -> None:
    """Raises ValueError below 0."""
    if not redundancy >= 0:
        raise ValueError(f"redundancy must be >= 0, got {redundancy}: the paper has 0.005")


def _standardised(z: Tensor) -> Tensor:
    """Features [n, d] of mean 0 and standard deviation 1; constant ones of 0."""
    z = at_least_float32(z)
    mean = z.mean(0)
    return (z - mean) / z.std(0, correction=0).clamp_min(CONSTANT * (1 + mean.detach().abs()))
