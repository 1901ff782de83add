"""Predictions against the truth: accuracy, macro F1, confusion matrix, precision and recall of each class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from hundredfold.records import ClassScore, Interval, Score


def confusion_matrix(true: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """[classes, classes] counts: rows are the true classes, columns the predicted ones.

    >>> confusion_matrix(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return torch.bincount(true * classes + predicted, minlength=classes * classes).view(classes, classes)


def class_scores(confusion: Tensor, names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Precision and recall of each class; 0 where there is nothing to divide by."""
    hits = confusion.diagonal().double()
    precision = (hits / confusion.sum(0).clamp_min(1)).tolist()
    recall = (hits / confusion.sum(1).clamp_min(1)).tolist()
    support = confusion.sum(1).tolist()
    return tuple(
        ClassScore(name=name, precision=p, recall=r, support=s)
        for name, p, r, s in zip(names, precision, recall, support, strict=True)
    )


def macro_f1(scores: Iterable[ClassScore]) -> float:
    """Mean over the classes that occur in the truth of 2 p r / (p + r), 0 where p + r = 0."""
    each = [
        2 * score.precision * score.recall / (score.precision + score.recall) if score.recall else 0.0
        for score in scores
        if score.support
    ]
    return sum(each) / len(each) if each else 0.0


def score(
    true: Tensor,
    predicted: Tensor,
    names: Sequence[str],
    *,
    model: str,
    labels: int,
    draw: int,
    seed: int,
    seconds: float,
    hyperparameters: dict[str, float],
    cross_validation: float | None,
) -> Score:
    """The record of one model on one test set; the arguments after `names` are kept as given."""
    confusion = confusion_matrix(true, predicted, len(names))
    per_class = class_scores(confusion, names)
    return Score(
        model=model,
        labels=labels,
        draw=draw,
        seed=seed,
        accuracy=float(confusion.diagonal().sum() / confusion.sum()),
        macro_f1=macro_f1(per_class),
        seconds=seconds,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        per_class=per_class,
        hyperparameters=hyperparameters,
        cross_validation=cross_validation,
    )


def interval(values: Sequence[float]) -> Interval:
    """Mean, sample standard deviation (0 for a single value) and mean -/+ 2 of them, clipped to 0..1.

    >>> interval([0.5, 0.7]).mean
    0.6
    """
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / (len(values) - 1) if len(values) > 1 else 0.0
    std = math.sqrt(spread)
    return Interval(mean=mean, std=std, low=max(0.0, mean - 2 * std), high=min(1.0, mean + 2 * std), draws=len(values))


def wilson(share: float, count: int, *, z: float = 1.96) -> tuple[float, float]:
    """The interval of an accuracy that the number of test images alone leaves open, 95 % by default.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.

    Args:
        share: right ones among `count`, 0..1.
        count: test images, >= 1.
        z: standard normal quantile.

    >>> [round(bound, 3) for bound in wilson(1.0, 60)]
    [0.94, 1.0]
    """
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return min(share, max(0.0, (centre - spread) / scale)), max(share, min(1.0, (centre + spread) / scale))


def summarise(records: Iterable[Score]) -> dict[str, dict[str, Interval]]:
    """model -> number of labels (as text) -> interval of the accuracy over the draws."""
    by_cell: dict[tuple[str, int], list[float]] = {}
    for record in records:
        by_cell.setdefault((record.model, record.labels), []).append(record.accuracy)
    summary: dict[str, dict[str, Interval]] = {}
    for (model, labels), values in sorted(by_cell.items()):
        summary.setdefault(model, {})[str(labels)] = interval(values)
    return summary
