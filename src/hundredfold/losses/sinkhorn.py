"""Sinkhorn-Knopp: soft assignments of images to prototypes that use every prototype equally.

Source: Caron, Misra, Mairal, Goyal, Bojanowski & Joulin, "Unsupervised Learning of Visual Features by Contrasting
Cluster Assignments", NeurIPS 2020 (arXiv 2006.09882), equations 3 to 5; Cuturi, "Sinkhorn Distances", NeurIPS 2013.

Among the matrices Q [n, k] whose rows sum to 1 and whose columns sum to n / k, the one that is closest to the scores,
max sum_ij Q_ij s_ij + epsilon * entropy(Q), has the form diag(u) exp(s / epsilon) diag(v). It is found by making the
columns sum to n / k, then the rows to 1, and so on. Few rounds leave the columns approximate; the rows are exact.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hundredfold.losses._pair import at_least_float32


@torch.no_grad()
def sinkhorn(scores: Tensor, *, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """Codes [n, k] of n images: row i is a distribution over the k prototypes. No gradient goes through them.

    Args:
        scores: [n, k], how well each image fits each prototype (cosine similarities, in the paper).
        epsilon: > 0; the smaller, the harder the codes.
        iterations: rounds of normalising columns and then rows, >= 1.

    Returns:
        [n, k] in float32 (float64 for float64 scores), rows sum to 1.

    Raises:
        ValueError: scores that are not [n, k], epsilon or iterations out of range.

    >>> sinkhorn(torch.tensor([[1.0, 0.9], [1.0, 0.0]]), epsilon=0.1, iterations=50).round().tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    if scores.dim() != 2 or 0 in scores.shape:
        raise ValueError(f"scores must have the shape [n, k], got {tuple(scores.shape)}")
    check_sinkhorn(epsilon, iterations)
    log_codes = at_least_float32(scores) / epsilon  # [n, k]; logarithms, so that a small epsilon does not overflow
    for _ in range(iterations):
        log_codes = log_codes - log_codes.logsumexp(0, keepdim=True)  # the factor n / k is undone by the next line
        log_codes = log_codes - log_codes.logsumexp(1, keepdim=True)
    return log_codes.exp()


def check_sinkhorn(epsilon: float, iterations: int) -> None:
    """Raises ValueError unless epsilon is > 0 and finite and iterations >= 1."""
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon must be > 0 and finite, got {epsilon}: 0.05 is usual")
    if iterations < 1:
        raise ValueError(f"iterations must be >= 1, got {iterations}: 3 is usual")
