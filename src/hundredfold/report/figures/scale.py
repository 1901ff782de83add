"""From values to pixels, and which values to write on an axis.

Ticks follow the 1-2-5 rule: the step is 1, 2 or 5 times a power of ten.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Values `low`..`high` onto pixels `start`..`end`; by their logarithm if `logarithmic`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; values outside are held at the ends."""
        low, high, value = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round values inside low..high, about so many.

    >>> ticks(0, 1)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    >>> ticks(5.16, 5.79)
    (5.2, 5.3, 5.4, 5.5, 5.6, 5.7)
    """
    if not high > low:
        return (low,)
    step = _step(high - low, about)
    digits = max(0, 2 - math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(number * step, digits) + 0.0 for number in range(first, last + 1))


def widened(low: float, high: float, about: int = 5) -> tuple[float, float]:
    """The next round values at or outside low..high; a single value gets room on both sides.

    >>> widened(0.43, 0.97)
    (0.4, 1.0)
    """
    if not high > low:
        room = abs(low) * 0.1 or 1.0
        low, high = low - room, low + room
    step = _step(high - low, about)
    digits = max(0, 2 - math.floor(math.log10(step)))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return round(first * step, digits) + 0.0, round(last * step, digits) + 0.0


def wants_logarithm(values: Iterable[float]) -> bool:
    """Whether values spread so far (more than 20 times) that equal steps would crowd the small ones."""
    known = [value for value in values if value > 0]
    return bool(known) and max(known) > 20 * min(known)


def thinned(values: Sequence[float], scale: Scale, gap: float) -> tuple[float, ...]:
    """Those of the rising `values` that stand at least `gap` pixels apart; the last one always stays."""
    kept: list[float] = []
    for value in reversed(values):
        if not kept or abs(scale(kept[-1]) - scale(value)) >= gap:
            kept.append(value)
    return tuple(reversed(kept))


def spread_apart(wanted: Sequence[float], gap: float, low: float, high: float) -> tuple[float, ...]:
    """Positions near the wanted ones, at least `gap` apart, inside low..high as long as there is room.

    Neighbours that would collide are moved as one block around the mean of what they want.
    """
    order = sorted(range(len(wanted)), key=lambda position: wanted[position])
    blocks: list[list[int]] = []
    for position in order:
        blocks.append([position])
        while len(blocks) > 1 and _start(blocks[-1], wanted, gap, low, high) < (
            _start(blocks[-2], wanted, gap, low, high) + len(blocks[-2]) * gap
        ):
            last = blocks.pop()
            blocks[-1].extend(last)
    placed = [0.0] * len(wanted)
    for block in blocks:
        for place, position in enumerate(block):
            placed[position] = _start(block, wanted, gap, low, high) + place * gap
    return tuple(placed)


def _start(block: list[int], wanted: Sequence[float], gap: float, low: float, high: float) -> float:
    mean = sum(wanted[position] for position in block) / len(block)
    length = (len(block) - 1) * gap
    return max(low, min(high - length, mean - length / 2))


def _step(span: float, about: int) -> float:
    magnitude = 10.0 ** math.floor(math.log10(span / about))
    return min((step * magnitude for step in STEPS), key=lambda step: abs(span / step - about))
