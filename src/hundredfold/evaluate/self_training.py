"""Students: networks that learn from the labels that models give to unlabelled images. FixMatch and pseudo-labels.

Both start from the pre-trained encoder and the linear probe on it (LP-FT, see `supervised`), and see the views of
pre-training with boxes painted over.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.data.images import ImageSet
from hundredfold.data.loader import Loader
from hundredfold.encoders._base import Encoder
from hundredfold.evaluate.features import features
from hundredfold.evaluate.label_propagation import Propagation, neighbour_graph, propagate
from hundredfold.evaluate.probe import Probe
from hundredfold.methods.labelled import fixmatch
from hundredfold.methods.labelled.fixmatch import FixMatch
from hundredfold.methods.labelled.pseudo_label import PseudoLabel, certainty
from hundredfold.random import derive
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.views.chain import Chain
from hundredfold.views.recipe import ViewSettings
from hundredfold.views.recipe import build as build_views

ERASING = 0.5  # share of the images that lose a box


@dataclass(frozen=True, kw_only=True)
class FixMatchSettings:
    """Settings of `fixmatch`.

    Attributes:
        steps: of training.
        batch_size: unlabelled images in a step, at most.
        labelled: labelled images in a step.
        lr: peak learning rate.
        weight_decay: see `Plan`.
    """

    steps: int = 1000
    batch_size: int = 256
    labelled: int = 64
    lr: float = 1e-3
    weight_decay: float = 1e-2


@dataclass(frozen=True, kw_only=True)
class PseudoLabelSettings:
    """Settings of `pseudo_label`.

    Attributes:
        rounds: how often a student becomes the next teacher.
        epochs: passes over the pool in each round.
        batch_size: images in a step, at most.
        lr: peak learning rate.
        weight_decay: see `Plan`.
    """

    rounds: int = 3
    epochs: int = 1
    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 1e-2


@dataclass(frozen=True, kw_only=True, eq=False)
class Unlabelled:
    """What a student learns from.

    Attributes:
        images: the set.
        index: [m] positions of all images to learn from, sorted, the labelled ones among them.
        taught: [l] positions of those whose labels may be used.
        classes: number of classes.
    """

    images: ImageSet
    index: Tensor
    taught: Tensor
    classes: int


def train_fixmatch(
    encoder: Encoder,
    given: Unlabelled,
    start: Probe,
    settings: FixMatchSettings,
    *,
    views: ViewSettings,
    engine: Engine,
    seed: int,
    stop: StopRequest | None = None,
) -> FixMatch:
    """FixMatch on a copy of `encoder`.

    Args:
        encoder: pre-trained; it is not changed.
        given: images and labels.
        start: the probe that the classifier starts from.
        settings: how to train.
        views: of pre-training.
        engine: where to compute.
        seed: of batches and views.
        stop: passed on to `fit`.

    Raises:
        Interrupted, DivergedError: as `fit`.
    """
    images = given.images
    method = FixMatch(
        copy.deepcopy(encoder),
        images.take(given.taught),
        images.labels[given.taught],
        given.classes,
        weak=Chain(()),
        strong=strong_views(views, images),
        config=fixmatch.Config(labelled=settings.labelled, unit_length=start.unit_length),
    )
    method.start_from(start.weight, start.bias)
    batch_size = min(settings.batch_size, max(2, len(given.index)))
    loader = Loader(images=images.without_labels(), index=given.index, batch_size=batch_size, seed=seed)
    plan = Plan(
        epochs=-(-settings.steps // loader.steps_per_epoch),
        batch_size=batch_size,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        validate=False,
    )
    fit(method, loader, plan, engine, stop=stop)
    return method


def train_pseudo_label(
    encoder: Encoder,
    given: Unlabelled,
    teacher: Propagation,
    start: Probe,
    settings: PseudoLabelSettings,
    *,
    views: ViewSettings,
    engine: Engine,
    seed: int,
    stop: StopRequest | None = None,
) -> PseudoLabel:
    """Rounds of students, each taught by label propagation over the features of the one before.

    Arguments and errors as `train_fixmatch`, and:

    Args:
        teacher: labels spread over the images at `given.index`.
    """
    labels = given.images.labels[given.taught]
    rows = torch.searchsorted(given.index, given.taught)
    student, graph_features = None, None
    for number in range(settings.rounds):
        if student is not None:
            own, _ = student.learnt()
            graph_features = features(own, given.images, given.index, engine)
            teacher = propagate(neighbour_graph(graph_features), rows, labels, given.classes, seed=seed)
        student = _taught_by(
            teacher,
            encoder if student is None else student.learnt()[0],
            given,
            start,
            settings,
            views,
            engine,
            derive(seed, "round", number),
            stop,
        )
    assert student is not None
    return student


def _taught_by(
    teacher: Propagation,
    encoder: Encoder,
    given: Unlabelled,
    start: Probe,
    settings: PseudoLabelSettings,
    views: ViewSettings,
    engine: Engine,
    seed: int,
    stop: StopRequest | None,
) -> PseudoLabel:
    distributions = teacher.distributions()  # [m, classes]
    rows = torch.searchsorted(given.index, given.taught)
    distributions[rows] = functional.one_hot(given.images.labels[given.taught], given.classes).float()
    targets = torch.zeros(len(given.images), given.classes)
    weights = torch.zeros(len(given.images))
    targets[given.index], weights[given.index] = distributions, certainty(distributions)
    method = PseudoLabel(copy.deepcopy(encoder), targets, weights, strong_views(views, given.images))
    batch_size = min(settings.batch_size, max(2, len(given.index)))
    loader = Loader(images=given.images.without_labels(), index=given.index, batch_size=batch_size, seed=seed)
    plan = Plan(
        epochs=settings.epochs,
        batch_size=batch_size,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        validate=False,
    )
    fit(method, loader, plan, engine, stop=stop)
    return method


def strong_views(views: ViewSettings, images: ImageSet) -> Chain:
    """The views of pre-training, and boxes painted over as in Zhong et al. 2017."""
    strong = replace(views, erasing_probability=max(ERASING, views.erasing_probability))
    return build_views(strong, images.channels, images.size)
