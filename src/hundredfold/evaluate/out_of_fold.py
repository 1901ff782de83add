"""What a linear probe says of labelled images that it did not learn from: logits from stratified cross-validation.

Source: Stone, "Cross-Validatory Choice and Assessment of Statistical Predictions", JRSS B 36 (1974). Temperature and
label suspects need honest probabilities, and a test set is not there to be learnt from.

Shape letters: n labelled images, d features, k classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.evaluate.cross_validation import LARGEST_FOLDS
from hundredfold.evaluate.probe import logistic_regression
from hundredfold.random import generator

LEFT_IN, SET_ASIDE = -1, -2  # in place of a fold: always learnt from, never learnt from


@dataclass(frozen=True, kw_only=True, eq=False)
class OutOfFold:
    """Predictions for the labelled images whose class has another label to learn from.

    Attributes:
        positions: [m] rows of the labelled images, rising.
        logits: [m, k], of probes that did not see the image; -inf for a class without a label.
        labels: [m].
    """

    positions: Tensor
    logits: Tensor
    labels: Tensor


def out_of_fold(
    features: Tensor,
    labels: Tensor,
    classes: int,
    *,
    inverse_penalty: float,
    seed: int,
    repeat: int = 0,
    aside: Tensor | None = None,
    unit_length: bool = True,
) -> OutOfFold:
    """Logits of each labelled image by a probe on the other folds; none for an image that is alone in its class.

    Args:
        features: [n, d].
        labels: [n] in 0..classes - 1; at least two of the classes have labels.
        classes: number of classes.
        inverse_penalty: of the probe, as cross-validation chose it on all labels (`Probe.inverse_penalty`).
        seed, repeat: of the folds; each repeat deals them anew.
        aside: [n] whether an image is never learnt from; its logits are the mean of those of all folds.
        unit_length: bring features to length 1 first.
    """
    from threadpoolctl import threadpool_limits

    read = functional.normalize(features, dim=1) if unit_length else features
    fold = _folds(labels, aside, generator(seed, "out of fold", repeat))  # [n]
    numbers = fold[fold >= 0].unique().tolist()
    logits = torch.zeros(len(labels), classes)
    with threadpool_limits(1):  # a hundred rows: threads would only wait for each other
        for number in numbers:
            held_out, left_out = fold == number, fold == SET_ASIDE
            known = ~(held_out | left_out)
            weight, bias = logistic_regression(read[known], labels[known], classes, inverse_penalty=inverse_penalty)
            logits[held_out] = read[held_out] @ weight.T + bias
            logits[left_out] += (read[left_out] @ weight.T + bias) / len(numbers)
    positions = (fold != LEFT_IN).nonzero().squeeze(1)
    return OutOfFold(positions=positions, logits=logits[positions], labels=labels[positions])


def stratified_folds(labels: Tensor, folds: int, rng: torch.Generator) -> Tensor:
    """The fold of each label [n], 0..folds - 1, each class spread evenly over them; -1 if it is alone in its class.

    A class of two or more always has a label outside of each fold.
    """
    fold = torch.full((len(labels),), LEFT_IN)
    shuffled = torch.randperm(len(labels), generator=rng)
    by_class = shuffled[labels[shuffled].argsort(stable=True)]  # dealt one class after the other, like cards
    dealt = by_class[labels.bincount()[labels[by_class]] > 1]
    fold[dealt] = torch.arange(len(dealt)) % folds
    return fold


def _folds(labels: Tensor, aside: Tensor | None, rng: torch.Generator) -> Tensor:
    kept = torch.ones(len(labels), dtype=torch.bool) if aside is None else ~aside
    fold = torch.full((len(labels),), SET_ASIDE)
    fold[kept] = stratified_folds(labels[kept], LARGEST_FOLDS, rng)
    return fold
