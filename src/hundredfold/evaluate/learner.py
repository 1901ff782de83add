"""Learning any of the compared models from a few labels, on a pre-trained encoder and with the unlabelled images.

Each model ends as an encoder and a head that reads its features, whatever it learnt them with, so that all are asked
for probabilities in the same way, and any of them can be handed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.build import rebuild
from hundredfold.evaluate.features import features, pixels
from hundredfold.evaluate.knn import nearest_neighbours
from hundredfold.evaluate.label_propagation import NeighbourGraph, Propagation, neighbour_graph, propagate
from hundredfold.evaluate.probe import Linear, Probe, linear_probe
from hundredfold.evaluate.self_training import (
    FixMatchSettings,
    Lesson,
    StudentSettings,
    train_fixmatch,
    train_pseudo_label,
)
from hundredfold.evaluate.supervised import FinetuneSettings, train_classifier
from hundredfold.methods.labelled._classifier import ClassifierMethod
from hundredfold.random import derive
from hundredfold.train.engine import Engine
from hundredfold.train.stop import StopRequest
from hundredfold.views.chain import Chain
from hundredfold.views.recipe import ViewSettings
from hundredfold.views.recipe import build as build_views

REFERENCES = ("pixels", "random_encoder", "baseline")  # what pre-training is measured against
CANDIDATES = ("knn", "linear_probe", "finetune", "label_propagation", "pseudo_label", "fixmatch")
SLOW = ("pseudo_label", "fixmatch")  # minutes each: not for every point of a learning curve
MODELS = (*REFERENCES, *CANDIDATES)


class Head(Protocol):
    """What reads features."""

    def probabilities(self, features: Tensor) -> Tensor:
        """[n, classes] of features [n, d]; rows sum to 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learnt:
    """A model that has learnt.

    Attributes:
        head: reads features.
        encoder: makes them; None for a head that reads raw pixels.
        hyperparameters: what cross-validation on the labels chose.
        cross_validation: accuracy there, 0..1, or None.
    """

    head: Head
    encoder: Encoder | None
    hyperparameters: dict[str, float] = field(default_factory=dict)
    cross_validation: float | None = None


@dataclass(frozen=True, kw_only=True)
class LearnerSettings:
    """Settings of the models that train a network.

    Attributes:
        views: of pre-training; students see stronger ones.
        finetune: of `baseline` and `finetune`.
        pseudo_label, fixmatch: of the models of these names.
    """

    views: ViewSettings
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)
    pseudo_label: StudentSettings = field(default_factory=StudentSettings)
    fixmatch: FixMatchSettings = field(default_factory=FixMatchSettings)


class Learner:
    """Learns models from labelled images of one set. What it computes once for all of them, it keeps.

    Args:
        encoder: pre-trained; never changed.
        images: the set; labels are read at the positions that `learn` is given, and nowhere else.
        pool: [m] positions of the images that may be learnt from without a label.
        known: [k] positions of all images whose labels will be used, sorted.
        classes: number of classes.
        settings: of the models.
        engine: where to compute.
        seed: of random encoders.
        stop: passed on to training.
    """

    def __init__(
        self,
        encoder: Encoder,
        images: ImageSet,
        *,
        pool: Tensor,
        known: Tensor,
        classes: int,
        settings: LearnerSettings,
        engine: Engine,
        seed: int,
        stop: StopRequest | None = None,
    ) -> None:
        self.encoder = encoder
        self.images = images.to(engine.device)
        self.nodes = torch.cat([pool, known]).unique()  # positions, sorted
        self.known = known
        self.classes = classes
        self.settings = settings
        self.engine = engine
        self.seed = seed
        self.stop = stop
        self._kept: dict[tuple[Encoder | None, ImageSet, Tensor], Tensor] = {}
        self._random: Encoder | None = None
        self._graph: NeighbourGraph | None = None
        self._of_nodes: Tensor | None = None

    def learn(self, model: str, taught: Tensor, *, seed: int) -> Learnt:
        """A model learnt from the labels at `taught` [l].

        Args:
            model: one of `MODELS`.
            taught: positions among `known`.
            seed: of folds, batches, views and random starts.

        Raises:
            Interrupted: a signal came while a network was trained.
            DivergedError: as `fit`.
        """
        if model == "knn":
            found = nearest_neighbours(*self._taught(taught), self.classes, seed=derive(seed, "folds"))
            chosen = {"k": float(found.k)}
            accuracy = found.cross_validation
            return Learnt(head=found, encoder=self.encoder, hyperparameters=chosen, cross_validation=accuracy)
        if model == "label_propagation":
            spread = self.propagation(taught, seed=seed)
            accuracy = spread.cross_validation
            return Learnt(head=spread.neighbours(), encoder=self.encoder, cross_validation=accuracy)
        if model in ("linear_probe", "pixels", "random_encoder"):
            return self._linear(model, taught, seed)
        return of_network(self._network(model, taught, seed))

    def probabilities(self, learnt: Learnt, images: ImageSet, index: Tensor) -> Tensor:
        """[n, classes] of the images at `index` [n] of any set of the same form; rows sum to 1."""
        return learnt.head.probabilities(self.read(learnt.encoder, images, index))

    def read(self, encoder: Encoder | None, images: ImageSet, index: Tensor) -> Tensor:
        """What heads read of images [n, d]: features, or raw pixels; kept where several models read the same.

        Of the learner's own images, those at `nodes` can be read.
        """
        if encoder is self.encoder and images is self.images and index is not self.known:
            return self._features_of_nodes()[torch.searchsorted(self.nodes, index)]
        key = (encoder, images, index)  # they compare by identity
        if key in self._kept:
            return self._kept[key]
        found = pixels(images, index) if encoder is None else features(encoder, images, index, self.engine)
        if encoder in (None, self.encoder, self._random):
            self._kept[key] = found
        return found

    def probe(self, taught: Tensor, *, seed: int) -> Probe:
        """The linear probe on the pre-trained features."""
        return linear_probe(*self._taught(taught), self.classes, seed=derive(seed, "folds"))

    def propagation(self, taught: Tensor, *, seed: int) -> Propagation:
        """The labels at `taught`, spread over all images that may be learnt from."""
        graph, rows = self.graph(), torch.searchsorted(self.nodes, taught)
        return propagate(graph, rows, self.images.labels[taught], self.classes, seed=derive(seed, "folds"))

    def graph(self) -> NeighbourGraph:
        """The graph of `nodes` by their pre-trained features."""
        if self._graph is None:
            self._graph = neighbour_graph(self._features_of_nodes())
        return self._graph

    def _features_of_nodes(self) -> Tensor:
        """[nodes, d], computed together: the last digits of features depend on what else is in their batch."""
        if self._of_nodes is None:
            self._of_nodes = features(self.encoder, self.images, self.nodes, self.engine)
        return self._of_nodes

    def random_encoder(self) -> Encoder:
        """The same network with random weights, also where the encoder's came from a pre-trained one."""
        if self._random is None:
            self._random = rebuild(self.encoder.spec, seed=derive(self.seed, "random"))
        return self._random

    def _linear(self, model: str, taught: Tensor, seed: int) -> Learnt:
        x, y = self._taught(taught, model)
        probe = linear_probe(x, y, self.classes, seed=derive(seed, "folds"), unit_length=model != "pixels")
        return Learnt(
            head=probe,
            encoder=self._encoder_of(model),
            hyperparameters={"inverse_penalty": probe.inverse_penalty},
            cross_validation=probe.cross_validation,
        )

    def _network(self, model: str, taught: Tensor, seed: int) -> ClassifierMethod:
        if model in SLOW:
            return self._student(model, taught, seed)
        options, pretrained = self.settings.finetune, model == "finetune"
        chain = build_views(self.settings.views, self.images.channels, self.images.size)
        return train_classifier(
            self.encoder if pretrained else rebuild(self.encoder.spec, seed=derive(seed, "baseline")),
            self.images,
            taught,
            self.classes,
            settings=options,
            lr=options.lr if pretrained else options.baseline_lr,
            chain=chain if options.views else Chain(()),
            engine=self.engine,
            seed=derive(seed, "supervised"),
            start=self.probe(taught, seed=seed) if pretrained else None,
            stop=self.stop,
        )

    def _student(self, model: str, taught: Tensor, seed: int) -> ClassifierMethod:
        teacher = self.propagation(taught, seed=seed)
        lesson = Lesson(
            images=self.images,
            index=self._like_the_labelled(teacher, taught),
            taught=taught,
            classes=self.classes,
            views=self.settings.views,
            engine=self.engine,
            seed=derive(seed, model),
            stop=self.stop,
        )
        if model == "fixmatch":
            return train_fixmatch(self.encoder, self.probe(taught, seed=seed), lesson, self.settings.fixmatch)
        spread = teacher.distributions()[torch.searchsorted(self.nodes, lesson.index)]
        return train_pseudo_label(self.encoder, spread, lesson, self.settings.pseudo_label)

    def _like_the_labelled(self, teacher: Propagation, taught: Tensor) -> Tensor:
        """Positions of the labelled images and of those that a label reaches: others may be of no known class."""
        return torch.cat([self.nodes[~teacher.apart()], taught]).unique()

    def _taught(self, taught: Tensor, model: str = "linear_probe") -> tuple[Tensor, Tensor]:
        """What `model` reads of labelled images, [l, d], and their labels [l]."""
        of_all = self.read(self._encoder_of(model), self.images, self.known)
        return of_all[torch.searchsorted(self.known, taught)], self.images.labels[taught]

    def _encoder_of(self, model: str) -> Encoder | None:
        """The encoder that a model reads as it is."""
        if model == "random_encoder":
            return self.random_encoder()
        return None if model == "pixels" else self.encoder


def of_network(method: ClassifierMethod) -> Learnt:
    """What a method that trained a whole network learnt."""
    encoder, head = method.learnt()
    linear = head.linear
    return Learnt(
        head=Linear(
            weight=linear.weight.detach().float().cpu(),
            bias=linear.bias.detach().float().cpu(),
            unit_length=head.unit_length,
        ),
        encoder=encoder,
    )
