"""The nearest among many rows by Euclidean distance, exact to the last digits even where rows are equal.

The usual expansion |x|^2 - 2xy + |y|^2 is one matrix product, but subtracts large numbers: two equal rows may come out
0.01 apart. Here it only picks the nearest; their distances are then taken from the differences themselves.

When to use it: where lengths mean something, as in pixels. Features are compared by cosine (`evaluate.neighbours`).
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 500  # rows compared at a time with all others


def nearest_euclidean(rows: Tensor, count: int, *, among: Tensor, block: int = BLOCK) -> tuple[Tensor, Tensor]:
    """The `count` rows of `among` with the least Euclidean distance to each row, the nearest first.

    Args:
        rows: [m, d] floats.
        count: 1..n; at most n are given.
        among: [n, d] floats, n >= 1.
        block: rows compared at a time; changes nothing but memory.

    Returns:
        Distances [m, count] and positions [m, count] int64.
    """
    centre = among.mean(0)  # small numbers lose less in the expansion
    among, lengths = among - centre, (among - centre).square().sum(1)  # [n, d], [n]
    found = [_nearest(part - centre, min(count, len(among)), among, lengths) for part in rows.split(block)]
    distances, index = zip(*found, strict=True)
    return torch.cat(distances), torch.cat(index)


def _nearest(rows: Tensor, count: int, among: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    apart = lengths - 2 * rows @ among.T  # [b, n], the squared distance less |row|^2, which changes no order
    index = apart.topk(count, dim=1, largest=False).indices  # [b, count]
    exact = torch.stack([(rows - among[column]).norm(dim=1) for column in index.T], dim=1)  # [b, count]
    distances, order = exact.sort(dim=1, stable=True)
    return distances, index.gather(1, order)
