"""How far to trust the chosen model: calibration, abstention and intervals, put together from the pure functions.

Source: the protocol of Guo et al. 2017 with the labels that there are: temperatures come from out-of-fold logits of
the labelled images, never from the test set; and of Geifman & El-Yaniv 2017 for abstention.

Shape letters: m draws, n test images, k classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hundredfold.errors import DataError
from hundredfold.evaluate.bootstrap import over_draws_and_images, over_images
from hundredfold.evaluate.calibration import fit_temperature, reliability, scaled
from hundredfold.evaluate.out_of_fold import OutOfFold
from hundredfold.evaluate.score import interval
from hundredfold.evaluate.selective import (
    area_under_risk_coverage,
    at_accuracy,
    points_at,
    risk_coverage,
    thinned,
)
from hundredfold.trust_records import Calibration, Trust

CONFIDENCES = (0.5, 0.8, 0.9, 0.95, 0.99)
ACCURACIES = (0.95, 0.98, 0.99, 0.995, 0.999)
FEWEST = 10  # out-of-fold labels: with fewer, a temperature would follow single images


def trust(
    probabilities: Sequence[Tensor],
    truth: Tensor,
    out_of_fold: Sequence[OutOfFold | None],
    *,
    classes: Sequence[str],
    labelled: Sequence[int],
    model: str,
    labels: int,
    seed: int,
) -> Trust:
    """The record of a model that was learnt from several draws of labels.

    Args:
        probabilities: for each draw [n, k] on the test images, as the model gives them.
        truth: [n] their classes.
        out_of_fold: for each draw, logits of labelled images by models that did not learn from them; None where there
            are none; without them, or with fewer than ten, that draw's probabilities stay as they are.
        classes: k names.
        labelled: k counts of the labelled images of each class that the model handed over learnt from.
        model, labels: kept as given.
        seed: of the bootstrap.

    Raises:
        DataError: no draw, no test image, or not as many draws of the one as of the other.
    """
    if not probabilities or not len(truth) or len(probabilities) != len(out_of_fold):
        raise DataError(
            "trust needs test images, and out-of-fold logits (or None) for each draw",
            why=f"{len(probabilities)} draws on {len(truth)} test images, but {len(out_of_fold)} of out-of-fold logits",
        )
    temperatures = tuple(_temperature(one) for one in out_of_fold)
    after = [scaled(one, degree) for one, degree in zip(probabilities, temperatures, strict=True)]  # m x [n, k]
    confidences, predicted = zip(*(one.max(1) for one in after), strict=True)
    right = torch.stack(predicted) == truth  # [m, n]
    curve = risk_coverage(torch.cat(confidences), right.flatten())
    return Trust(
        model=model,
        labels=labels,
        images=len(truth),
        over_draws=interval(right.double().mean(1).tolist()),
        over_images=over_images(right, seed=seed),
        overall=over_draws_and_images(right, seed=seed),
        calibration=Calibration(
            temperatures=temperatures,
            labels=_usable(out_of_fold[0]),
            before=reliability(list(probabilities), truth),
            after=reliability(after, truth),
        ),
        coverage=thinned(curve),
        area=area_under_risk_coverage(curve),
        at_confidence=points_at(curve, CONFIDENCES),
        at_accuracy=tuple(at_accuracy(curve, wanted) for wanted in ACCURACIES),
        missing_classes=tuple(name for name, count in zip(classes, labelled, strict=True) if not count),
    )


def _temperature(found: OutOfFold | None) -> float:
    return fit_temperature(found.logits, found.labels) if found is not None and _usable(found) else 1.0


def _usable(found: OutOfFold | None) -> int:
    """How many labels a temperature can be fitted on."""
    return 0 if found is None or len(found.labels) < FEWEST else len(found.labels)
