"""A few permutations out of all, as unlike each other as can be: what a jigsaw asks for.

Source: Noroozi & Favaro, "Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles", ECCV 2016
(arXiv 1603.09246), algorithm 1.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import torch
from torch import Tensor

from hundredfold.random import generator

ALL = 9  # places up to which every permutation is a candidate: 362,880
CANDIDATES = 50_000  # how many are drawn where there are more
MOST = 1_000  # permutations that are chosen: the paper's largest set; the time grows with their number


@lru_cache(maxsize=8)
def distant_permutations(places: int, count: int) -> Tensor:
    """Permutations chosen one after the other, each the farthest from those before it; the same for the same arguments.

    The distance is Hamming's, the number of places that hold something else, added up over those chosen. The paper
    starts from one at random, here it is the identity, and leaves ties open, here the candidate that is farther from
    the nearest one chosen wins, then the first.

    Args:
        places: p, >= 1.
        count: k, 1..`most_permutations(p)`. Among more than 9 places they are chosen from 50,000 drawn at random.

    Returns:
        [k, p] int64, the identity first: row[i] is what place i holds. Not to be written to.

    Raises:
        ValueError: a count out of range.
    """
    if not 1 <= count <= most_permutations(places):
        raise ValueError(f"count must be in 1..{most_permutations(places)} for {places} places, got {count}")
    candidates = _candidates(places)  # [m, p]
    total = torch.zeros(len(candidates), dtype=torch.int64)
    least = torch.full_like(total, places)
    chosen = [0]
    while len(chosen) < count:
        distance = (candidates != candidates[chosen[-1]]).sum(1)  # [m]
        total += distance
        least = torch.minimum(least, distance)
        merit = total * (places + 1) + least
        merit[least == 0] = -1  # chosen already
        chosen.append(int(merit.argmax()))
    return candidates[chosen].long()


def most_permutations(places: int) -> int:
    """How many can be asked for: all there are, at most 1,000."""
    return min(math.factorial(places), MOST)


def _candidates(places: int) -> Tensor:
    """[m, p] int8, all different, the identity first."""
    if places <= ALL:
        return torch.tensor(list(itertools.permutations(range(places))), dtype=torch.int8)
    keys = torch.rand(CANDIDATES, places, generator=generator(0, "permutations", places))
    drawn = keys.argsort(1).to(torch.int16)
    drawn[0] = torch.arange(places)
    return drawn
