"""Whether a model is right as often as it says, and one number that brings the two together: temperature scaling.

Source: Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017 (expected calibration
error: eq. 3; reliability diagrams: section 2; temperature scaling: eq. 9); Brier, "Verification of Forecasts Expressed
in Terms of Probability", Monthly Weather Review 78 (1950).
When to use it: always, as it changes no prediction. It cannot help where some images deserve more trust than others of
the same confidence; one number moves them all alike.

Shape letters: n predictions, k classes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hundredfold.errors import DataError
from hundredfold.trust_records import Reliability, ReliabilityBin

BINS = 15  # as in the paper
# Where hardly any label is predicted wrongly, the sharpest is nearly best; where hardly any rightly, the flattest. Few
# labels cannot tell how far to go, so the search ends at a factor of 20 to either side.
LOWEST, HIGHEST = 0.05, 20.0
HALVINGS = 50  # of the range of log T: its end is far below what float64 tells apart in the loss
SMALLEST = 1e-6  # a probability below this counts as this: a class without a label has 0, and its logarithm no end


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature T at which softmax(logits / T) gives the labels the lowest negative log-likelihood.

    The likelihood is convex in 1/T, so its only minimum is found by halving the range in which its slope changes sign.
    Where all n labels are predicted rightly it has none, as sharper is always better. There each label counts as
    (n + 1) / (n + 2) right, which is the most that n of them can say (Platt, "Probabilistic Outputs for Support Vector
    Machines", 1999, section 2.2), and the rest is shared by the other classes.

    Args:
        logits: [n, k] of images that the model did not learn from; -inf for a class that it does not know.
        labels: [n] in 0..k - 1.

    Returns:
        T in 0.05..20: above 1 the model was too sure, below 1 not sure enough.

    Raises:
        DataError: no label, or the logit of a label is not finite.
    """
    if not len(labels):
        raise DataError("a temperature needs labels", why="none were given", fix="label at least two images of a class")
    scores = logits.double()  # [n, k]
    if not scores.gather(1, labels[:, None]).isfinite().all():
        raise DataError(
            "a temperature needs a finite logit for every label",
            why="a label is of a class that its model does not know",
            fix="leave out images of classes that were not learnt",
        )
    finite = scores.masked_fill(~scores.isfinite(), 0.0)
    wanted = (_targets(scores, labels) * finite).sum(1).mean()  # the mean logit that the labels ask for
    low, high = math.log(1 / HIGHEST), math.log(1 / LOWEST)  # of log(1/T)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        expected = ((scores * math.exp(middle)).softmax(1) * finite).sum(1).mean()
        low, high = (middle, high) if expected < wanted else (low, middle)  # the slope in 1/T: expected - wanted
    return math.exp(-(low + high) / 2)


def scaled(probabilities: Tensor, temperature: float) -> Tensor:
    """softmax(logits / temperature) of the probabilities [n, k] that softmax(logits) gave; 0 stays 0."""
    return (probabilities.double().log() / temperature).softmax(1)


def expected_calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy over bins of equal width, weighted by their counts: eq. 3.

    Args:
        confidence: [n] probabilities of the predicted classes, 0..1.
        right: [n] whether the prediction is right.
        bins: how many.

    Returns:
        0..1, lower is better; 0 for no prediction.

    >>> expected_calibration_error(torch.tensor([0.75, 0.75]), torch.tensor([True, False]))
    0.25
    """
    found = reliability_bins(confidence, right, bins)
    total = sum(one.count for one in found)
    return sum(one.count * abs(one.accuracy - one.confidence) for one in found) / max(total, 1)


def reliability_bins(confidence: Tensor, right: Tensor, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The bins ((m - 1)/bins, m/bins] that hold a prediction, rising. Arguments as `expected_calibration_error`."""
    place = (confidence.double() * bins).ceil().long().clamp(1, bins) - 1  # [n]
    counts = place.bincount(minlength=bins)
    confidences = place.bincount(confidence.double(), minlength=bins) / counts.clamp_min(1)
    accuracies = place.bincount(right.double(), minlength=bins) / counts.clamp_min(1)
    return tuple(
        ReliabilityBin(
            low=number / bins,
            high=(number + 1) / bins,
            count=int(counts[number]),
            confidence=float(confidences[number]),
            accuracy=float(accuracies[number]),
        )
        for number in counts.nonzero().squeeze(1).tolist()
    )


def brier_score(probabilities: Tensor, labels: Tensor) -> float:
    """Mean squared distance of the probabilities [n, k] from the truth [n]: 0 perfect, 2 certain and wrong."""
    truth = torch.nn.functional.one_hot(labels, probabilities.shape[1])
    return float((probabilities.double() - truth).square().sum(1).mean())


def negative_log_likelihood(probabilities: Tensor, labels: Tensor) -> float:
    """Mean -log of the probability [n, k] of the true class [n], in nats; none counts as less than 1e-6."""
    return float(-probabilities.double().gather(1, labels[:, None]).clamp_min(SMALLEST).log().mean())


def reliability(probabilities: list[Tensor], labels: Tensor) -> Reliability:
    """All of these for several models [n, k] on the same labels [n]: figures are means, bins hold all predictions."""
    confidence, right = zip(*(_predicted(one, labels) for one in probabilities), strict=True)
    errors = [expected_calibration_error(*pair) for pair in zip(confidence, right, strict=True)]
    return Reliability(
        expected_calibration_error=_mean(errors),
        brier=_mean([brier_score(one, labels) for one in probabilities]),
        negative_log_likelihood=_mean([negative_log_likelihood(one, labels) for one in probabilities]),
        confidence=float(torch.cat(confidence).double().mean()),
        bins=reliability_bins(torch.cat(confidence), torch.cat(right)),
    )


def _targets(scores: Tensor, labels: Tensor) -> Tensor:
    """[n, k] what each label says: all of it its class, unless no prediction is wrong."""
    all_right = bool((scores.argmax(1) == labels).all())
    rest = 1 / (len(labels) + 2) if all_right else 0.0
    known = scores.isfinite()
    others = rest / (known.sum(1, keepdim=True) - 1).clamp_min(1)  # [n, 1]
    return (known * others).scatter(1, labels[:, None], 1 - rest)


def _predicted(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    confidence, predicted = probabilities.max(1)
    return confidence, predicted == labels


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
