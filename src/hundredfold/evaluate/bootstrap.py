"""How far an accuracy would move with other test images, and with other draws of labels: percentile bootstrap.

Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7 (1979); the percentile
interval: Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
When not to use it: where everything is right there is nothing to resample, and the interval has no width; there
`score.wilson` says what the number of images leaves open.

All that matters of a test image is which draws got it right. So images are resampled by that pattern: their counts
are multinomial, which is the same resample exactly, at a cost that does not grow with the number of images.

Shape letters: m draws, n test images, p different patterns, r resamples.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from hundredfold.errors import DataError
from hundredfold.random import numpy_generator
from hundredfold.trust_records import Bounds

RESAMPLES = 10_000
LEVEL = 0.95


def over_images(right: Tensor, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL) -> Bounds:
    """The interval of the mean accuracy over test images, the draws as they are.

    Args:
        right: [m, n] whether each draw's model gets each image right; [n] for one model.
        seed: of the resamples.
        resamples: how many.
        level: the share of resampled accuracies inside, 0..1.

    Raises:
        DataError: no image.
    """
    table, shares, count = _patterns(right)
    images = numpy_generator(seed, "bootstrap images").multinomial(count, shares, size=resamples)  # [r, p]
    return _percentiles(images @ table.mean(0) / count, level)


def over_draws_and_images(right: Tensor, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL) -> Bounds:
    """The interval of the mean accuracy where draws are resampled and then the images, the same for all draws.

    This is how sure one can be in all; few draws tell little about their own spread, and five resampled ones spread
    about a tenth less than the five did. Arguments and errors as `over_images`.
    """
    table, shares, count = _patterns(right)
    draws = len(table)
    rng = numpy_generator(seed, "bootstrap draws and images")
    weights = rng.multinomial(draws, np.full(draws, 1 / draws), size=resamples) / draws  # [r, m]
    images = rng.multinomial(count, shares, size=resamples) / count  # [r, p]
    return _percentiles(((weights @ table) * images).sum(1), level)


def _patterns(right: Tensor) -> tuple[np.ndarray, np.ndarray, int]:
    """The different columns of `right` [m, p], the share of the images that has each [p], and n."""
    columns = np.atleast_2d(right.cpu().numpy()).astype(np.float64)  # [m, n]
    if not columns.size:
        raise DataError("an accuracy needs test images", why="there are none")
    table, counts = np.unique(columns, axis=1, return_counts=True)
    return table, counts / counts.sum(), columns.shape[1]


def _percentiles(accuracies: np.ndarray, level: float) -> Bounds:
    low, high = np.quantile(accuracies, [(1 - level) / 2, (1 + level) / 2])
    return Bounds(low=float(low), high=float(high))
