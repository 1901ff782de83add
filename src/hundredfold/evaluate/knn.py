"""Nearest neighbours by cosine similarity: what the representation says before anything is learnt on top of it.

Source: Wu, Xiong, Yu & Lin, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", CVPR 2018,
section 3.4 (votes weighted by exp(similarity / temperature)).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.evaluate.cross_validation import choose
from hundredfold.evaluate.neighbours import BLOCK, nearest

GRID = (1.0, 3.0, 5.0, 10.0, 20.0)
DEFAULT = 1.0
TEMPERATURE = 0.07


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """Labelled features that vote.

    Attributes:
        features: [n, d], of length 1.
        votes: [n, classes], what each of them votes for; rows sum to 1.
        k: how many neighbours vote.
        cross_validation: accuracy on the labels in cross-validation, or None where there are too few.
    """

    features: Tensor
    votes: Tensor
    k: int
    cross_validation: float | None = None

    def probabilities(self, features: Tensor) -> Tensor:
        """Shares of the vote [m, classes] for features [m, d]."""
        return vote(self.features, self.votes, features, k=self.k)


def nearest_neighbours(features: Tensor, labels: Tensor, classes: int, *, seed: int) -> Neighbours:
    """Neighbours whose number is chosen by cross-validation on these labels alone.

    Args:
        features: [n, d]; labels: [n]; classes: number of classes; seed: of the folds.
    """

    votes = functional.one_hot(labels, classes).float()  # [n, classes]

    def fit_and_predict(k: float, x: Tensor, y: Tensor, out: Tensor) -> Tensor:
        return vote(x, functional.one_hot(y, classes).float(), out, k=int(k)).argmax(1)

    grid = tuple(k for k in GRID if k <= max(1, len(labels) // 2))
    choice = choose(grid, DEFAULT, fit_and_predict, features, labels, seed=seed)
    return Neighbours(
        features=functional.normalize(features, dim=1),
        votes=votes,
        k=int(choice.value),
        cross_validation=choice.accuracy,
    )


def vote(known: Tensor, votes: Tensor, features: Tensor, *, k: int, temperature: float = TEMPERATURE) -> Tensor:
    """Shares of the vote of the k nearest known features, weighted by exp(cosine / temperature).

    Args:
        known: [n, d]; votes: [n, classes], rows sum to 1; features: [m, d].
        k: neighbours, at most n are used.

    Returns:
        [m, classes], rows sum to 1.
    """
    known, features = functional.normalize(known, dim=1), functional.normalize(features, dim=1)
    similarity, index = nearest(features, min(k, len(known)), among=known)  # [m, k]
    weights = (similarity / temperature).softmax(1)
    blocks = zip(weights.split(BLOCK), index.split(BLOCK), strict=True)  # all at once would take k times the result
    return torch.cat([torch.einsum("mk,mkc->mc", some, votes[rows]) for some, rows in blocks])
