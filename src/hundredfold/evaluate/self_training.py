"""Students: networks that learn from the labels that models give to unlabelled images. FixMatch and pseudo-labels.

Both train a copy of the pre-trained encoder on the views of pre-training with boxes painted over. FixMatch, which few
labels lead, starts from the linear probe (LP-FT, see `supervised`); the student of spread labels has thousands.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.data.images import ImageSet
from hundredfold.data.loader import Loader
from hundredfold.encoders._base import Encoder
from hundredfold.evaluate.probe import Linear
from hundredfold.methods.labelled import fixmatch, pseudo_label
from hundredfold.methods.labelled._classifier import ClassifierMethod
from hundredfold.methods.labelled.fixmatch import FixMatch
from hundredfold.methods.labelled.pseudo_label import PseudoLabel, certainty
from hundredfold.random import derive, generator, seeded
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.views.chain import Chain
from hundredfold.views.recipe import ViewSettings
from hundredfold.views.recipe import build as build_views

ERASING = 0.5  # share of the images that lose a box
Student = TypeVar("Student", bound=ClassifierMethod)


@dataclass(frozen=True, kw_only=True)
class StudentSettings:
    """Settings of `pseudo_label`, and what `fixmatch` has in common with it.

    Attributes:
        steps: of training, about: whole passes, or a part of the images where one pass is longer.
        batch_size: unlabelled images in a step, at most.
        lr: peak learning rate.
        weight_decay: see `Plan`.
        momentum: of the moving average of the weights, which is what is kept, 0..1.
    """

    steps: int = 200
    batch_size: int = 256
    lr: float = 2e-3
    weight_decay: float = 1e-2
    momentum: float = 0.99

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        rules = [
            (self.steps >= 1, f"steps must be >= 1, got {self.steps}"),
            (self.batch_size >= 2, f"batch_size must be >= 2, got {self.batch_size}"),
            (self.lr > 0, f"lr must be > 0, got {self.lr}"),
            (0 <= self.momentum < 1, f"momentum must be in 0..1 (not 1), got {self.momentum}"),
        ]
        return [sentence for kept, sentence in rules if not kept]


@dataclass(frozen=True, kw_only=True)
class FixMatchSettings(StudentSettings):
    """Settings of `fixmatch`.

    Attributes:
        labelled: labelled images in a step.
        threshold, align: see `methods.labelled.fixmatch.Config`.
    """

    steps: int = 200
    lr: float = 1e-3
    labelled: int = 64
    threshold: float = 0.0
    align: bool = False

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        rules = [
            (self.labelled >= 1, f"labelled must be >= 1, got {self.labelled}"),
            (0 <= self.threshold <= 1, f"threshold must be in 0..1, got {self.threshold}"),
        ]
        return super().problems() + [sentence for kept, sentence in rules if not kept]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What a student learns from, and where.

    Attributes:
        images: the set.
        index: [m] positions of the images to learn from, sorted, the labelled ones among them.
        taught: [l] positions of those whose labels may be used.
        classes: number of classes.
        views: of pre-training.
        engine: where to compute.
        seed: of batches and views.
        stop: passed on to `fit`.
    """

    images: ImageSet
    index: Tensor
    taught: Tensor
    classes: int
    views: ViewSettings
    engine: Engine
    seed: int
    stop: StopRequest | None = None

    @property
    def labels(self) -> Tensor:
        """[l] of the images at `taught`."""
        return self.images.labels[self.taught]


def train_fixmatch(encoder: Encoder, start: Linear, lesson: Lesson, settings: FixMatchSettings) -> FixMatch:
    """FixMatch on a copy of `encoder`.

    Args:
        encoder: pre-trained; it is not changed.
        start: the classifier of its features to start from.
        lesson: images and labels.
        settings: how to train.

    Raises:
        Interrupted, DivergedError: as `fit`.
    """
    config = fixmatch.Config(
        labelled=settings.labelled,
        threshold=settings.threshold,
        align=settings.align,
        momentum=settings.momentum,
        unit_length=start.unit_length,
    )
    with seeded(derive(lesson.seed, "classifier")):
        method = FixMatch(
            copy.deepcopy(encoder),
            lesson.images.take(lesson.taught),
            lesson.labels,
            lesson.classes,
            weak=Chain(()),
            strong=strong_views(lesson),
            config=config,
        )
    method.start_from(start.weight, start.bias)
    return _trained(method, lesson, settings)


def train_pseudo_label(encoder: Encoder, spread: Tensor, lesson: Lesson, settings: StudentSettings) -> PseudoLabel:
    """A student of labels that were spread over a graph; arguments and errors as `train_fixmatch`, and:

    Args:
        spread: [m, classes] what the images at `lesson.index` are taken for; rows sum to 1.
    """
    distributions = spread.clone()
    rows = torch.searchsorted(lesson.index, lesson.taught)
    distributions[rows] = functional.one_hot(lesson.labels, lesson.classes).float()
    targets = torch.zeros(len(lesson.images), lesson.classes)
    weights = torch.zeros(len(lesson.images))
    targets[lesson.index], weights[lesson.index] = distributions, certainty(distributions)
    with seeded(derive(lesson.seed, "classifier")):
        method = PseudoLabel(
            copy.deepcopy(encoder),
            targets.to(lesson.engine.device),
            weights.to(lesson.engine.device),
            strong_views(lesson),
            pseudo_label.Config(momentum=settings.momentum),
        )
    return _trained(method, lesson, settings)


def strong_views(lesson: Lesson) -> Chain:
    """The views of pre-training, and boxes painted over as in Zhong et al. 2017."""
    views, images = lesson.views, lesson.images
    strong = replace(views, erasing_probability=max(ERASING, views.erasing_probability))
    return build_views(strong, images.channels, images.size)


def _trained(method: Student, lesson: Lesson, settings: StudentSettings) -> Student:
    batch_size = min(settings.batch_size, max(2, len(lesson.index)))
    order = torch.randperm(len(lesson.index), generator=generator(lesson.seed, "part"))
    index = lesson.index[order[: settings.steps * batch_size].sort().values]
    loader = Loader(images=lesson.images.without_labels(), index=index, batch_size=batch_size, seed=lesson.seed)
    plan = Plan(
        epochs=max(1, round(settings.steps / loader.steps_per_epoch)),
        batch_size=batch_size,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        validate=False,
    )
    fit(method, loader, plan, lesson.engine, stop=lesson.stop)
    return method
