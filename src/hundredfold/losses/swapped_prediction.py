"""Swapped prediction: from one view of an image, predict to which prototypes the other view was assigned.

Source: Caron, Misra, Mairal, Goyal, Bojanowski & Joulin, "Unsupervised Learning of Visual Features by Contrasting
Cluster Assignments", NeurIPS 2020 (arXiv 2006.09882), equations 1 and 2.

With scores s [n, k] of images against prototypes, p = softmax(s / temperature) and q = sinkhorn(s),

    L = 1/2 mean_i (-sum_j q_b(i, j) log p_a(i, j) - sum_j q_a(i, j) log p_b(i, j)).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.losses._pair import at_least_float32, check_pair, check_temperature
from hundredfold.losses.sinkhorn import sinkhorn


def swapped_prediction(
    scores_a: Tensor, scores_b: Tensor, *, temperature: float = 0.1, epsilon: float = 0.05, iterations: int = 3
) -> Tensor:
    """The loss of two views' scores against the same prototypes.

    Args:
        scores_a, scores_b: [n, k], row i of both from the same image, n >= 2; column j of both is one prototype.
        temperature: of the predictions, > 0.
        epsilon, iterations: of the codes, see `sinkhorn`.

    Returns:
        Scalar >= 0 in float32 (float64 for float64 inputs). It is ln k where all scores are equal.

    Raises:
        ValueError: the shapes differ or are not [n, k], n < 2, a setting out of range.

    >>> scores = torch.eye(3)
    >>> float(swapped_prediction(scores, scores)) < 0.001
    True
    """
    check_pair(scores_a, scores_b)
    check_temperature(temperature)
    with torch.autocast(scores_a.device.type, enabled=False):
        code_a, code_b = (sinkhorn(scores, epsilon=epsilon, iterations=iterations) for scores in (scores_a, scores_b))
        log_a, log_b = (
            functional.log_softmax(at_least_float32(scores) / temperature, dim=1) for scores in (scores_a, scores_b)
        )  # [n, k]
        return -(code_b * log_a + code_a * log_b).sum(1).mean() / 2


def swapped_prediction_chance(prototypes: int) -> float:
    """The loss when all scores are equal: ln k."""
    return math.log(prototypes)
