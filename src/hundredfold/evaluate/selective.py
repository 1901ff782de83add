"""What a model is worth that may abstain: accuracy against coverage, where only confident predictions are answered.

Source: El-Yaniv & Wiener, "On the Foundations of Noise-free Selective Classification", JMLR 2010 (the risk-coverage
curve); Geifman & El-Yaniv, "Selective Classification for Deep Neural Networks", NeurIPS 2017 (softmax response:
answer where the largest probability reaches a threshold); the same with Uziel, ICLR 2019 (area under the curve).
When to use it: where a person can look at what the model leaves unanswered.

Shape letters: n predictions; u different confidences among them, each one point of the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.errors import DataError
from hundredfold.trust_records import CoveragePoint, CoverageTarget

LARGEST_CURVE = 60  # points kept in a record


@dataclass(frozen=True, kw_only=True, eq=False)
class RiskCoverage:
    """The whole curve, coverage rising: one point for each different confidence, as equal ones are answered together.

    Attributes:
        threshold: [u] float64, the least confidence that is answered, falling.
        answered: [u] int64, how many predictions reach it.
        right: [u] int64, how many of those are right.
    """

    threshold: Tensor
    answered: Tensor
    right: Tensor

    @property
    def coverage(self) -> Tensor:
        """[u] the share that is answered, 0..1."""
        return self.answered.double() / self.answered[-1]

    @property
    def accuracy(self) -> Tensor:
        """[u] the share of the answered that is right, 0..1."""
        return self.right.double() / self.answered

    def point(self, place: int) -> CoveragePoint:
        """One point as a record."""
        return CoveragePoint(
            threshold=float(self.threshold[place]),
            coverage=float(self.coverage[place]),
            accuracy=float(self.accuracy[place]),
        )


def risk_coverage(confidence: Tensor, right: Tensor) -> RiskCoverage:
    """The curve of predictions with these confidences [n], of which some are `right` [n].

    Raises:
        DataError: there is no prediction.
    """
    if not len(confidence):
        raise DataError("a curve of accuracy against coverage needs predictions", why="there are none")
    order = confidence.double().argsort(descending=True, stable=True)
    levels, sizes = confidence.double()[order].unique_consecutive(return_counts=True)  # [u]
    answered = sizes.cumsum(0)
    return RiskCoverage(threshold=levels, answered=answered, right=right[order].long().cumsum(0)[answered - 1])


def area_under_risk_coverage(curve: RiskCoverage) -> float:
    """Mean risk (1 - accuracy) over the n coverages 1/n, 2/n, ..., 1: 0 if nothing is wrong, lower is better.

    Predictions of equal confidence have no order: each adds the same share of their errors.
    """
    zero = torch.zeros(1, dtype=torch.int64)
    sizes = torch.diff(curve.answered, prepend=zero)  # [u]
    errors = sizes - torch.diff(curve.right, prepend=zero)
    each = (errors.double() / sizes).repeat_interleave(sizes)  # [n]
    return float((each.cumsum(0) / torch.arange(1, len(each) + 1)).mean())


def at_threshold(curve: RiskCoverage, threshold: float) -> CoveragePoint | None:
    """What is answered with at least this confidence; None if nothing is."""
    answered = int((curve.threshold >= threshold).sum())
    if not answered:
        return None
    found = curve.point(answered - 1)
    return CoveragePoint(threshold=threshold, coverage=found.coverage, accuracy=found.accuracy)


def at_accuracy(curve: RiskCoverage, accuracy: float) -> CoverageTarget:
    """The point of largest coverage at which at least this share of the answered is right."""
    enough = (curve.accuracy >= accuracy).nonzero().squeeze(1)
    return CoverageTarget(accuracy=accuracy, reached=curve.point(int(enough[-1])) if len(enough) else None)


def thinned(curve: RiskCoverage, most: int = LARGEST_CURVE) -> tuple[CoveragePoint, ...]:
    """At most so many points of the curve: those nearest to evenly spaced coverages, the last one among them."""
    wanted = torch.arange(1, most + 1, dtype=torch.float64) / most
    places = torch.searchsorted(curve.coverage, wanted).clamp_max(len(curve.threshold) - 1).unique()
    return tuple(curve.point(place) for place in places.tolist())


def points_at(curve: RiskCoverage, thresholds: Sequence[float]) -> tuple[CoveragePoint, ...]:
    """The points at those of the `thresholds` that any prediction reaches."""
    found = [at_threshold(curve, threshold) for threshold in thresholds]
    return tuple(point for point in found if point is not None)
