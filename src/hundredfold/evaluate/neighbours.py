"""The nearest among many features by cosine similarity: exact to 100,000 rows, through an index beyond."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 1_000  # rows compared at a time with all others


def nearest(features: Tensor, count: int, *, among: Tensor, without_self: bool = False) -> tuple[Tensor, Tensor]:
    """The `count` most similar rows of `among` for each row of `features`, the most similar first.

    Args:
        features: [m, d], of length 1.
        count: 1..n, of them fewer than n without oneself.
        among: [n, d], of length 1.
        without_self: `features` are the rows of `among`, and no row counts as its own neighbour.

    Returns:
        Similarities [m, count] in -1..1 and positions [m, count] int64.
    """
    similarity, index = [], []
    for number, block in enumerate(features.split(BLOCK)):
        against = block @ among.T  # [b, n]
        if without_self:
            own = torch.arange(len(block))
            against[own, own + number * BLOCK] = -torch.inf
        found = against.topk(min(count, len(among)), dim=1)
        similarity.append(found.values)
        index.append(found.indices)
    return torch.cat(similarity), torch.cat(index)
