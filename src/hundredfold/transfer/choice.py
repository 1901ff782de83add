"""Choosing lambda and tau on the labels alone: each half of them is predicted by a model that learnt from the other.

An extra loss that does harm is worse than none, so its weight is 0 unless another is better by more than one standard
error of the difference, over the same images. With a few labels a class little can be seen, and the answer is often 0.

Source: Breiman, Friedman, Olshen & Stone, "Classification and Regression Trees", 1984, section 3.4.3 (the simplest
model within one standard error of the best).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hundredfold.evaluate.choice import halves
from hundredfold.transfer.arms import Arm, Workshop
from hundredfold.transfer.settings import TransferSettings
from hundredfold.transfer_records import Trial


def grid(arm: Arm, settings: TransferSettings) -> tuple[dict[str, float], ...]:
    """The settings to choose among, the simplest first; a single empty one for an arm that has none."""
    if not arm.lesson:
        return ({},)
    weights = sorted(set(settings.weights))
    if arm.lesson != "pseudo_samples":
        return tuple({"weight": weight} for weight in weights)
    found = [{"weight": 0.0}] if 0 in weights else []
    pairs = itertools.product([weight for weight in weights if weight], settings.temperatures)
    return (*found, *({"weight": weight, "temperature": temperature} for weight, temperature in pairs))


def choose(workshop: Workshop, arm: Arm, taught: Tensor) -> tuple[dict[str, float], tuple[Trial, ...]]:
    """The settings of an arm for these labels, and what was tried; nothing is tried where there is no choice,
    or where a class has a single label: the simplest is taken.

    Args:
        workshop: trains the arm.
        arm: which.
        taught: [l] positions of the labels, one of each class in turn.

    Raises:
        Interrupted, DivergedError: as `fit`.
    """
    possible = grid(arm, workshop.task.settings)
    if len(possible) == 1 or halves(workshop.task.images.labels[taught]) is None:
        return possible[0], ()
    hits = [held_out(workshop, arm, taught, settings) for settings in possible]  # [l] each
    trials = tuple(
        Trial(settings=settings, held_out=float(right.float().mean())) for settings, right in zip(possible, hits)
    )
    return possible[simplest_of_the_best(hits)], trials


def held_out(workshop: Workshop, arm: Arm, taught: Tensor, settings: Mapping[str, float]) -> Tensor:
    """[l] which labels are predicted rightly by the model that learnt from the other half.

    Raises:
        ValueError: a class with a single label, of which one half would know nothing.
    """
    images = workshop.task.images
    parts = halves(images.labels[taught])
    if parts is None:
        raise ValueError("each class needs two labels to be halved")
    # Without its extra loss an arm is the plain one from the same start: several arms ask for that.
    plain = not arm.lesson or not settings.get("weight")
    key = (arm.start, arm.longer, tuple(taught.tolist()))
    if plain and key in workshop.plain_answers:
        return workshop.plain_answers[key]
    right = torch.zeros(len(taught), dtype=torch.bool)
    for asked, told in (parts, parts[::-1]):
        learnt = workshop.learn(arm, taught[told], settings).learnt
        predicted = workshop.probabilities(learnt, images, taught[asked]).argmax(1)
        right[asked] = predicted == images.labels[taught[asked]]
    if plain:
        workshop.plain_answers[key] = right
    return right


def simplest_of_the_best(hits: Sequence[Tensor]) -> int:
    """The place of the best of several settings, or 0 unless it is better than the first by a standard error.

    Args:
        hits: [l] booleans each, which of the same images each setting got right; the simplest setting first.
    """
    rates = [float(right.float().mean()) for right in hits]
    best = max(range(len(hits)), key=lambda place: (rates[place], -place))
    differences = hits[best].float() - hits[0].float()  # [l]
    error = float(differences.std(unbiased=False)) / math.sqrt(len(differences))
    return best if rates[best] - rates[0] > error else 0
