"""Learning rate over the steps: a linear rise, then a cosine to zero.

Source: Loshchilov & Hutter, "SGDR", ICLR 2017, equation 5, without restarts; warm-up as in Goyal et al. 2017.
"""

from __future__ import annotations

import math


def warmup_cosine(step: int, steps: int, *, peak: float, warmup: float) -> float:
    """The learning rate of step `step`, counted from 0, of `steps`.

    Args:
        peak: the highest rate.
        warmup: share of the steps that rise, in 0..1.

    >>> [round(warmup_cosine(step, 4, peak=1.0, warmup=0.5), 2) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    rising = round(warmup * steps)
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
