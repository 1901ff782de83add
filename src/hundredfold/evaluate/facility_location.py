"""Facility location: the few that stand best for all, chosen one after the other.

Everything to be covered counts by its weight and is covered as well as it is like the most similar chosen candidate;
the sum over everything is what a choice is worth. It is submodular: taking each time the candidate that adds most gives
at least 63 % of what the best choice of as many could (Nemhauser, Wolsey & Fisher 1978), for every beginning of the
order. What a candidate adds only falls as others are taken: one that adds most by its last count, and still does after
a new one, is the best without counting the others again (Minoux, "Accelerated greedy algorithms", 1978).
"""

from __future__ import annotations

import heapq

import torch
from torch import Tensor


def greedy_order(alike: Tensor, weight: Tensor, start: Tensor, count: int) -> Tensor:
    """The first `count` candidates in the order in which each adds most; of equals the one with the lowest number.

    Args:
        alike: [c, w] similarity of each candidate to everything that is to be covered.
        weight: [w] how much each of that counts, >= 0.
        start: [w] how well it is covered before.
        count: at most c.

    Returns:
        [count] int64 positions among the candidates, none twice.
    """
    best = start
    bounds = [(-gain, number) for number, gain in enumerate(((alike - best).clamp_min(0) @ weight).tolist())]
    heapq.heapify(bounds)
    chosen: list[int] = []
    while len(chosen) < count:
        _, number = heapq.heappop(bounds)
        now = -float((alike[number] - best).clamp_min(0) @ weight)
        if bounds and (now, number) > bounds[0]:
            heapq.heappush(bounds, (now, number))
            continue
        chosen.append(number)
        best = torch.maximum(best, alike[number])
    return torch.tensor(chosen, dtype=torch.int64)
