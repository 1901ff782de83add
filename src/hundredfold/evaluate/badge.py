"""BADGE: a batch to label that is both unsure and varied, drawn by k-means++ in the space of gradients.

Source: Ash, Zhang, Krishnamurthy, Langford & Agarwal, "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower
Bounds", ICLR 2020 (arXiv 1906.03671), algorithm 1; the seeding is that of Arthur & Vassilvitskii, SODA 2007.
When to use it: with a model that knows every class already. The gradient of the last layer is long where the model is
unsure, and points another way where it confuses other classes or sees another image.

An embedding is an outer product, (p - onehot(argmax p)) ⊗ h, of classes x d numbers. Its inner products are products
of two small ones, so it is never made: <a ⊗ h, b ⊗ g> = <a, b> <h, g>.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def badge(features: Tensor, probabilities: Tensor, count: int, *, rng: torch.Generator) -> Tensor:
    """Rows to label, in the order in which k-means++ draws them.

    The first is the row with the longest gradient, where k-means++ would draw any: an unsure model's best single
    question does not depend on luck. Each further one is drawn with the squared distance to the nearest chosen one as
    its weight.

    Args:
        features: [n, d], what the linear layer reads.
        probabilities: [n, classes], what it says.
        count: how many, at most n.
        rng: of the draws.

    Returns:
        [count] int64, no row twice.
    """
    if not 0 <= count <= len(features):
        raise ValueError(f"count must be in 0..{len(features)}, got {count}")
    error = output_gradient(probabilities)  # [n, classes]
    length = squared_length(features, error)  # [n]
    chosen: list[int] = []
    distance = length
    for number in range(count):
        row = int(distance.argmax()) if number == 0 else _drawn(distance, chosen, rng)
        chosen.append(row)
        inner = (error @ error[row]) * (features @ features[row])  # [n]
        away = (length + length[row] - 2 * inner).clamp_min(0)
        distance = away if number == 0 else torch.minimum(distance, away)
        distance[row] = 0
    return torch.tensor(chosen, dtype=torch.int64)


def output_gradient(probabilities: Tensor) -> Tensor:
    """p - onehot(argmax p) [n, classes]: the gradient of the cross entropy by the logits if the model is right."""
    return probabilities - functional.one_hot(probabilities.argmax(1), probabilities.shape[1])


def squared_length(features: Tensor, error: Tensor) -> Tensor:
    """Squared length [n] of the gradient embeddings error ⊗ features, of [n, d] and [n, classes]."""
    return features.square().sum(1) * error.square().sum(1)


def _drawn(weight: Tensor, chosen: list[int], rng: torch.Generator) -> int:
    """A row with a chance in proportion to its weight; where none weighs anything, any that is not chosen."""
    if not weight.sum() > 0:
        weight = torch.ones_like(weight)
        weight[chosen] = 0
    cumulative = weight.double().cumsum(0)  # torch.multinomial takes at most 2^24 rows
    point = torch.rand(1, generator=rng, dtype=torch.float64) * cumulative[-1]
    return int(torch.searchsorted(cumulative, point, right=True).clamp_max(len(weight) - 1))
