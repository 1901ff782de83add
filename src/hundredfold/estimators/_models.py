"""What a few-label classifier learns on a pre-trained encoder, and the choice between models by their labels alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet
from hundredfold.encoders._base import Encoder
from hundredfold.errors import SettingsError, unknown_name
from hundredfold.estimators._alike import of_all
from hundredfold.evaluate.choice import best, halves
from hundredfold.evaluate.features import features
from hundredfold.evaluate.learner import CANDIDATES, Learner, LearnerSettings, Learnt
from hundredfold.random import derive, generator
from hundredfold.records import Candidate
from hundredfold.settings import merge
from hundredfold.studies.choice import SAFEST
from hundredfold.studies.evaluation import COMPARED
from hundredfold.train.engine import Engine
from hundredfold.views.recipe import ViewSettings

AUTO = ("linear_probe", "label_propagation", "knn")  # they read features that are there, so all cost seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """What there is to learn from.

    Attributes:
        encoder: pre-trained.
        images: all of them, with label numbers, -1 where there is none.
        classes: number of classes.
        views: of pre-training.
        settings: of the models, by their names, where they are not the default.
        engine: where to compute.
        seed: of everything that is random.
    """

    encoder: Encoder
    images: ImageSet
    classes: int
    views: ViewSettings
    settings: Mapping[str, Any]
    engine: Engine
    seed: int

    def learner(self) -> Learner:
        """What learns models from these images."""
        return Learner(
            self.encoder,
            self.images,
            pool=torch.arange(len(self.images)),
            known=self.images.labelled(),
            classes=self.classes,
            settings=_settings(self.views, self.settings),
            engine=self.engine,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Taught:
    """A model that has learnt.

    Attributes:
        name: of the model; empty where a single class is labelled.
        learnt: its head and its encoder.
        candidates: what it was chosen from; empty where nothing was compared.
    """

    name: str
    learnt: Learnt
    candidates: tuple[Candidate, ...] = ()

    def probabilities(self, images: ImageSet, engine: Engine) -> Tensor:
        """[n, classes] of all images, float32 on the CPU."""
        encoder = self.learnt.encoder
        assert encoder is not None  # only heads that read pixels have none, and they are no candidates
        head = self.learnt.head
        found = of_all(len(images), lambda index: head.probabilities(features(encoder, images, index, engine)))
        encoder.cpu()
        return found.float()


class _OneClass:
    """What there is to say where a single class is labelled."""

    def probabilities(self, features: Tensor) -> Tensor:
        """All of it for that class."""
        return torch.ones(len(features), 1)


def asked_for(model: str | Sequence[str], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the models to choose from. This is also the check of their settings, before anything is trained.

    Raises:
        SettingsError: unknown names or settings, values out of range.
    """
    names = (model,) if isinstance(model, str) else tuple(model)
    if names == ("auto",):
        names = AUTO
    problems = [unknown_name("model", str(name), ["auto", *CANDIDATES]) for name in names if name not in CANDIDATES]
    if problems or not names:
        raise SettingsError(problems or [f"model names nothing to learn, got {model!r}"])
    _settings(ViewSettings(), settings)
    return names


def teach(names: Sequence[str], task: Task) -> Taught:
    """The model of this name, or the one of these names that is chosen as a run chooses (see `evaluate.choice`).

    Raises:
        DivergedError: as `fit`.
    """
    learner, known = task.learner(), task.images.labelled()
    if task.classes == 1:
        return Taught(name="", learnt=Learnt(head=_OneClass(), encoder=task.encoder))
    name, candidates = _chosen(names, learner, known, task.seed)
    learnt = learner.learn(name, known, seed=derive(task.seed, "model"))
    task.encoder.cpu()  # where estimators leave it, also if another was trained from it
    return Taught(name=name, learnt=learnt, candidates=candidates)


def _settings(views: ViewSettings, given: Mapping[str, Any]) -> LearnerSettings:
    return merge(LearnerSettings(views=views), given, where="model_settings.")


def _chosen(names: Sequence[str], learner: Learner, known: Tensor, seed: int) -> tuple[str, tuple[Candidate, ...]]:
    if len(names) == 1:
        return names[0], ()
    parts = halves(learner.images.labels[known])
    if parts is None:
        return next(name for name in SAFEST if name in names), ()
    if "label_propagation" in names:
        learner.graph()  # it takes the features of all images, which the other models then need not take
    asked = _unlabelled(learner.images, seed)
    candidates = tuple(_candidate(name, learner, known[parts[0]], known[parts[1]], asked, seed) for name in names)
    return best(candidates, len(known), compared=len(asked)).model, candidates


def _candidate(name: str, learner: Learner, first: Tensor, second: Tensor, asked: Tensor, seed: int) -> Candidate:
    """What a model of each half [l] of the labels says of the other half, and both of the images at `asked` [m]."""
    right, said = 0, []
    for half, (taught, other) in enumerate(((first, second), (second, first))):
        learnt = learner.learn(name, taught, seed=derive(seed, "half", half))
        predicted = learner.probabilities(learnt, learner.images, torch.cat([other, asked])).argmax(1)
        right += int((predicted[: len(other)] == learner.images.labels[other]).sum())
        said.append(predicted[len(other) :])
    return Candidate(
        model=name,
        held_out=right / (len(first) + len(second)),
        agreement=float((said[0] == said[1]).float().mean()) if len(asked) else 0.0,
    )


def _unlabelled(images: ImageSet, seed: int) -> Tensor:
    """Positions of images without a label, at most 10,000, on which two models are compared."""
    positions = (images.labels < 0).nonzero().squeeze(1)
    order = torch.randperm(len(positions), generator=generator(seed, "compared"))
    return positions[order[:COMPARED]]
