"""The nearest among many features by cosine similarity: exact to 100,000 rows, through an index beyond.

The index is the graph of Malkov & Yashunin, "Efficient and Robust Approximate Nearest Neighbor Search Using
Hierarchical Navigable Small World Graphs", TPAMI 2020, as faiss builds it. Where faiss is not installed the search
stays exact: its time grows with the square of the rows.
"""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor

EXACT = 100_000  # rows on either side up to which every pair is compared
BLOCK = 1_000  # rows compared at a time with all others
LINKS, BUILD, SEARCH = 32, 80, 128  # of the index: edges of a node, and how widely is looked


def nearest(
    features: Tensor, count: int, *, among: Tensor, without_self: bool = False, exact_up_to: int = EXACT
) -> tuple[Tensor, Tensor]:
    """The `count` most similar rows of `among` for each row of `features`, the most similar first.

    Args:
        features: [m, d], of length 1.
        count: 1..n, of them fewer than n without oneself.
        among: [n, d], of length 1.
        without_self: `features` are the rows of `among`, and no row counts as its own neighbour.
        exact_up_to: rows, of the fewer, up to which every pair is compared: an index takes longer to build than that.

    Returns:
        Similarities [m, count] in -1..1 and positions [m, count] int64.
    """
    if min(len(features), len(among)) > exact_up_to and importlib.util.find_spec("faiss"):
        return _through_index(features, count, among, without_self)
    return _exact(features, count, among, without_self)


def _exact(features: Tensor, count: int, among: Tensor, without_self: bool) -> tuple[Tensor, Tensor]:
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


def _through_index(features: Tensor, count: int, among: Tensor, without_self: bool) -> tuple[Tensor, Tensor]:
    import faiss

    built = faiss.IndexHNSWFlat(among.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    built.hnsw.efConstruction, built.hnsw.efSearch = BUILD, max(SEARCH, 2 * count)
    built.add(among.numpy())
    found = built.search(features.numpy(), count + without_self)
    # [m, count (+ 1)]; where too few were found, position -1 with the lowest number there is, which counts for nothing
    similarity, index = (torch.from_numpy(part) for part in found)
    if not without_self:
        return similarity, index.clamp_min(0)
    own = index == torch.arange(len(features))[:, None]
    own[:, -1] |= ~own.any(1)  # not found among its own neighbours: the farthest goes instead
    others = (~own).nonzero()[:, 1].view(len(features), count)
    return similarity.gather(1, others), index.gather(1, others).clamp_min(0)
