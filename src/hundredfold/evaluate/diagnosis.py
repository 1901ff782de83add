"""What a finding on a representation is, and the names that findings have."""

from __future__ import annotations

from dataclasses import dataclass

HEALTHY = "healthy"
COLLAPSED = "collapsed"
FLAT = "dimensional collapse"
OVER_SEPARATED = "over-separated"
NOT_LEARNING = "not learning"
SMALL_BATCH = "batch too small"
TOO_HOT = "temperature too high"
TOO_COLD = "temperature too low"
OVERFITTED = "overfitted"
POSTERIOR_COLLAPSE = "posterior collapse"
CONSTANT = "constant answers"
SHORTCUT = "shortcut"
ILLNESSES = (
    COLLAPSED,
    FLAT,
    OVER_SEPARATED,
    NOT_LEARNING,
    SMALL_BATCH,
    TOO_HOT,
    TOO_COLD,
    OVERFITTED,
    POSTERIOR_COLLAPSE,
    CONSTANT,
    SHORTCUT,
)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """One finding.

    Attributes:
        illness: one of `ILLNESSES`, or `HEALTHY`.
        sentence: what was seen, with its figure, and what to change.
    """

    illness: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What a representation is good for, with the labels of a run: accuracies, 0..1.

    Attributes:
        probe: of a linear probe on its features.
        random: of the same probe on the features of a random encoder.
    """

    probe: float
    random: float
