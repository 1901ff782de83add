"""Which model to hand over, decided without the test set: by labels held out, and by how stable a model is.

The labels are dealt into two halves. Each candidate learns from one half and is asked for the other: its accuracy there
is a two-fold cross-validation (Stone, "Cross-Validatory Choice and Assessment of Statistical Predictions", JRSS B
1974).
A hundred labels leave that open by points, so it can rule a model out but not rank the good ones. What ranks them is
counted on thousands of unlabelled images: how many get the same class from both halves (stability: Lange, Roth, Braun &
Buhmann, "Stability-Based Validation of Clustering Solutions", Neural Computation 2004). Two models that disagree
cannot both be right, so half of the disagreement is the least that their mean error can be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hundredfold.records import Candidate

TEACHERS = {"pseudo_label": "label_propagation"}  # student: the model whose labels it learns


def halves(labels: Tensor) -> tuple[Tensor, Tensor] | None:
    """Two halves of the labels [l], by position; each class is shared out as evenly as it goes.

    Returns:
        Positions of both, or None where a class has a single label: a half would know nothing of it.

    >>> first, second = halves(torch.tensor([0, 1, 0, 1, 1]))
    >>> first.tolist(), second.tolist()
    ([0, 1, 4], [2, 3])
    """
    counts = labels.bincount()
    if not len(labels) or counts[counts > 0].min() < 2:
        return None
    seen: dict[int, int] = {}
    turn = []
    for label in labels.tolist():
        seen[label] = seen.get(label, -1) + 1
        turn.append(seen[label] % 2)
    which = torch.tensor(turn)
    return (which == 0).nonzero().squeeze(1), (which == 1).nonzero().squeeze(1)


def best(candidates: Sequence[Candidate], labels: int, *, compared: int = 10_000) -> Candidate:
    """The most stable of those whose accuracy on held-out labels is within a standard error of the highest.

    A student gives way to its teacher unless it is more stable by two standard errors: it learnt to say the same, and
    smoothing alone makes it agree with itself a little more.

    Args:
        candidates: at least one; of equals the first wins.
        labels: how many labels were held out in all.
        compared: unlabelled images on which the agreement was counted.
    """
    top = max(candidate.held_out for candidate in candidates)
    error = math.sqrt(max(top * (1 - top), 1 / (4 * labels)) / labels)
    left = {c.model: c for c in candidates if c.held_out >= top - error}
    chosen = max(left.values(), key=lambda c: (c.agreement, c.held_out))
    teacher = left.get(TEACHERS.get(chosen.model, ""))
    if teacher is None or chosen.agreement - teacher.agreement > 2 * _error_of_difference(chosen, teacher, compared):
        return chosen
    return teacher


def _error_of_difference(one: Candidate, other: Candidate, compared: int) -> float:
    """Standard error of a difference of two shares of as many images."""
    spread = sum(c.agreement * (1 - c.agreement) for c in (one, other))
    return math.sqrt(spread / max(1, compared))
