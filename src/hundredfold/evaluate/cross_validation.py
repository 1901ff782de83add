"""Choosing a setting by cross-validation on the few labels there are, and on nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

LARGEST_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A setting and how well it did.

    Attributes:
        value: the chosen setting.
        accuracy: mean over the folds, 0..1, or None where a class has too few labels for folds.
    """

    value: float
    accuracy: float | None


def choose(
    grid: Sequence[float],
    default: float,
    fit_and_predict: Callable[[float, Tensor, Tensor, Tensor], Tensor],
    features: Tensor,
    labels: Tensor,
    *,
    seed: int,
) -> Choice:
    """The setting of `grid` with the best accuracy in stratified k-fold cross-validation.

    Args:
        grid: candidates, the most cautious first; of equals the first wins.
        default: what to take where the rarest class has a single label.
        fit_and_predict: (setting, training features, training labels, features) -> predicted labels.
        features, labels: [n, d] and [n].
        seed: of the folds.
    """
    parts = stratified_folds(labels, seed=seed)
    if not parts:
        return Choice(value=default, accuracy=None)
    correct = {
        value: sum(
            int((fit_and_predict(value, features[train], labels[train], features[out]) == labels[out]).sum())
            for train, out in parts
        )
        for value in grid
    }
    best = max(grid, key=lambda value: (correct[value], -list(grid).index(value)))
    return Choice(value=best, accuracy=correct[best] / len(labels))


def stratified_folds(labels: Tensor, *, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Up to five folds with the classes shared out evenly; none where the rarest class has a single label.

    Args:
        labels: [n].
        seed: of the folds.

    Returns:
        For each fold the positions to learn from and those held out.
    """
    import torch
    from sklearn.model_selection import StratifiedKFold

    counts = labels.bincount()
    folds = min(LARGEST_FOLDS, int(counts[counts > 0].min()))
    if folds < 2:
        return []
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed % (1 << 32))
    return [
        (torch.from_numpy(train), torch.from_numpy(held_out))
        for train, held_out in splitter.split(np.zeros(len(labels)), labels.numpy())
    ]
