"""How far apart two clouds of features are: the Frechet distance of the normal distributions with their moments.

Source: Dowson & Landau, "The Frechet distance between multivariate normal distributions", Journal of Multivariate
Analysis 12, 1982; for generated images: Heusel, Ramsauer, Unterthiner, Nessler & Hochreiter, "GANs Trained by a Two
Time-Scale Update Rule Converge to a Local Nash Equilibrium", NeurIPS 2017 (arXiv 1706.08500), equation 6.

    d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))

When to use it: to compare generators in the same features and with the same number of images. When not: as a figure by
itself. It grows as images get fewer, depends on the features, and does not tell whether a network can learn from the
images (Ravuri & Vinyals 2019): see `transfer.classification_accuracy_score`.

Letters: n and m rows, d features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hundredfold.errors import DataError

LEAST_ROWS = 2  # for a covariance


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """The squared Frechet distance d^2 >= 0, as Heusel et al. report it; 0 for equal sets.

    Args:
        first: [n, d] floats, n >= 2.
        second: [m, d] floats, m >= 2.

    Returns:
        In squared units of the features, computed in float64. Covariances are divided by n - 1, and may be singular.

    Raises:
        DataError: fewer than two rows in a set, features of two lengths, or values that are not finite.
    """
    _check(first, second)
    (mean, covariance), (other_mean, other_covariance) = _moments(first), _moments(second)
    between = float((mean - other_mean).square().sum())
    spread = float(covariance.trace() + other_covariance.trace())
    return max(0.0, between + spread - 2 * _trace_of_root(covariance, other_covariance))  # rounding may fall below


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [d] and covariance [d, d] of rows [n, d], in float64 on the CPU."""
    values = rows.detach().cpu().double()
    mean = values.mean(0)
    centred = values - mean
    return mean, centred.T @ centred / (len(values) - 1)


def _trace_of_root(first: Tensor, second: Tensor) -> float:
    """tr (S1 S2)^(1/2) of covariances [d, d].

    S1 S2 is not symmetric, and its root by Schur decomposition fails where a covariance is singular. It has the
    eigenvalues of S1^(1/2) S2 S1^(1/2), which is symmetric and >= 0: what lies below is rounding.
    """
    values, vectors = torch.linalg.eigh(first)  # [d], [d, d]
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T  # [d, d]
    return float(torch.linalg.eigvalsh(root @ second @ root).clamp_min(0).sqrt().sum())


def _check(first: Tensor, second: Tensor) -> None:
    shapes = f"{list(first.shape)} and {list(second.shape)}"
    if first.dim() != 2 or second.dim() != 2 or first.shape[1] != second.shape[1]:
        raise DataError("a Frechet distance is between sets of features of one length", why=f"got {shapes}")
    if min(len(first), len(second)) < LEAST_ROWS:
        raise DataError("a Frechet distance needs at least two images in each set", why=f"got features {shapes}")
    if not bool(first.isfinite().all() and second.isfinite().all()):
        raise DataError("a Frechet distance needs features that are finite", why="some are infinite or not a number")
