"""How far to trust a model and its labels: intervals, calibration, abstention, mistakes and suspects.

These are parts of the content of `results.json`; `records.RunResult` holds them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Predictions of about the same confidence, against how many of them are right.

    Attributes:
        low, high: ends of the bin; a confidence belongs to it if low < confidence <= high.
        count: predictions in it, at least 1: empty bins are left out.
        confidence: their mean confidence, 0..1.
        accuracy: the share of them that is right, 0..1.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How well probabilities say how often they are right, on the test images.

    Attributes:
        expected_calibration_error: mean distance of confidence and accuracy over the bins, 0..1 (Guo et al. 2017,
            eq. 3); the mean over the draws.
        brier: mean squared distance of the probabilities from the truth, 0..2 (Brier 1950); the mean over the draws.
        negative_log_likelihood: in nats, the mean over the draws.
        confidence: mean confidence over images and draws, 0..1; above the accuracy, the model is too sure.
        bins: over the images of all draws, rising.
    """

    expected_calibration_error: float
    brier: float
    negative_log_likelihood: float
    confidence: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Temperature scaling, fitted on the labels alone, and what it does on the test images.

    Attributes:
        temperatures: what each draw's logits are divided by: the first is that of the model handed over. 1 for a draw
            with too few labels to fit one.
        labels: out-of-fold labels that the first was fitted on; 0 if there were too few.
        before: with the probabilities as they come.
        after: with the logits divided by the temperature.
    """

    temperatures: tuple[float, ...]
    labels: int
    before: Reliability
    after: Reliability


@dataclass(frozen=True, kw_only=True)
class CoveragePoint:
    """What is answered, and how often rightly, where the model abstains below a confidence; all in 0..1.

    Attributes:
        threshold: the least confidence that is answered.
        coverage: the share of the images that is answered.
        accuracy: the share of those that is right.
    """

    threshold: float
    coverage: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class CoverageTarget:
    """The most that can be answered at a wanted accuracy.

    Attributes:
        accuracy: as wanted, 0..1.
        reached: the point of largest coverage that has it, or None if no part of the images has.
    """

    accuracy: float
    reached: CoveragePoint | None


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Accuracy over draws: mean, sample standard deviation, mean -/+ 2 of them, number of draws."""

    mean: float
    std: float
    low: float
    high: float
    draws: int


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The interval low..high that an accuracy lies in, each in 0..1."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Trust:
    """How far the chosen model is to be trusted, measured on the test images.

    Attributes:
        model, labels: the chosen model, and from how many labels it learnt.
        images: test images.
        over_draws: the accuracies of the draws, as in the summary of the run.
        over_images: 95 % bootstrap interval of that mean over test images, the draws as they are.
        overall: 95 % bootstrap interval over draws and test images together.
        calibration: whether confidences are what they say.
        coverage: accuracy against coverage, coverage rising, at most 60 points; confidences after scaling.
        area: under the curve of risk (1 - accuracy) against coverage, 0..1, lower is better.
        at_confidence: what is answered and right at some round thresholds.
        at_accuracy: what can be answered at some wanted accuracies.
        missing_classes: classes without a label among those the model learnt from: it can never predict them.
    """

    model: str
    labels: int
    images: int
    over_draws: Interval
    over_images: Bounds
    overall: Bounds
    calibration: Calibration
    coverage: tuple[CoveragePoint, ...]
    area: float
    at_confidence: tuple[CoveragePoint, ...]
    at_accuracy: tuple[CoverageTarget, ...]
    missing_classes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A test image that the chosen model got wrong.

    Attributes:
        index: its position in the test set.
        name: its file or row.
        true, predicted: class names.
        confidence: probability of the predicted class, 0..1.
    """

    index: int
    name: str
    true: str
    predicted: str
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A labelled image whose label looks wrong.

    Attributes:
        index: its position in the images to learn from.
        name: its file or row.
        given, suggested: class names: the label it carries, and the one that the other labels speak for.
        score: the probability that the given label is wrong, 0..1.
    """

    index: int
    name: str
    given: str
    suggested: str
    score: float


@dataclass(frozen=True, kw_only=True)
class PoolFindings:
    """The images to learn from, beside the labels that were taken of them.

    Attributes:
        labelled: labels by class that the model handed over learnt from.
        predicted: images by class as that model predicts them, labelled ones included.
        unlabelled: images that were learnt from without a label.
        apart: how many of them are like nothing that is labelled (see `Propagation.reach`); None where no labels were
            spread.
    """

    labelled: tuple[int, ...]
    predicted: tuple[int, ...]
    unlabelled: int
    apart: int | None = None
