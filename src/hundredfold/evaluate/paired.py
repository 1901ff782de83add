"""What a change does, measured in pairs: both runs of a pair share their seed, so what the seed is worth cancels.

Source: Student, "The Probable Error of a Mean", Biometrika 6 (1908): the interval of a mean of few differences.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

COVERAGE = 0.95


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A mean difference and what the pairs leave open.

    Attributes:
        mean: of the differences, in the unit of the values.
        low, high: ends of its 95 % interval; None for one pair, which tells nothing about its own spread.
        count: pairs.
    """

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out "no difference"; one pair cannot tell."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def paired_difference(before: Sequence[float], after: Sequence[float]) -> Paired:
    """The mean of `after - before` over the pairs, with its 95 % t interval.

    Args:
        before, after: one value a pair, in the same order.

    Raises:
        ValueError: no pair, or the two are not equally many.

    >>> found = paired_difference([0.80, 0.84, 0.82], [0.83, 0.86, 0.86])
    >>> f"{found.mean:.3f} in {found.low:.3f}..{found.high:.3f}"
    '0.030 in 0.005..0.055'
    """
    if not before or len(before) != len(after):
        raise ValueError(f"pairs need as many values before as after, at least one: got {len(before)} and {len(after)}")
    differences = [second - first for first, second in zip(before, after, strict=True)]
    count, mean = len(differences), statistics.fmean(differences)
    if count == 1:
        return Paired(mean=mean, low=None, high=None, count=1)
    half = _quantile(count - 1) * statistics.stdev(differences) / math.sqrt(count)
    return Paired(mean=mean, low=mean - half, high=mean + half, count=count)


def _quantile(degrees: int) -> float:
    """How many standard errors the interval reaches to each side."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]  # comes with scikit-learn

    return float(stdtrit(degrees, (1 + COVERAGE) / 2))
