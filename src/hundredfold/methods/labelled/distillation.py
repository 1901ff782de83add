"""Distillation: a network learns its own classes, and beside them what a teacher of other classes says of its images.

Source: the three kinds of answer are those of Ba & Caruana, NIPS 2014 (arXiv 1312.6184, logits), Hinton, Vinyals & Dean
2015 (arXiv 1503.02531, equation 1, soft targets) and Park, Kim, Lu & Cho, CVPR 2019 (arXiv 1904.05068, equations 4 to
9, relations of features). A teacher of other classes cannot speak to the student's classifier: as in Li & Hoiem,
"Learning without Forgetting", ECCV 2016 (arXiv 1606.09282), its logits are learnt by a head of their own.
Hypothesis: what tells the teacher's classes apart in these images helps to tell the student's apart.
When to use it: a classifier of related classes whose own images are not at hand. When not: a teacher whose answers say
little of these images, or one whose weights may be had and fit: fine-tune it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.encoders._base import Encoder
from hundredfold.errors import SettingsError
from hundredfold.losses.logit_matching import logit_matching
from hundredfold.losses.relational_distillation import relational_distillation
from hundredfold.losses.soft_target import soft_target
from hundredfold.methods.labelled._classifier import ClassifierMethod, Head
from hundredfold.types import ImageBatch, Step
from hundredfold.views.chain import Chain

KINDS = ("logits", "soft_target", "relational")


class Teacher(Protocol):
    """A frozen classifier of k classes, which need not be the student's.

    Attributes:
        classes: k names.
    """

    classes: tuple[str, ...]

    def logits(self, images: Tensor) -> Tensor:
        """[b, k] of images [b, c, h, w] in 0..1."""

    def features(self, images: Tensor) -> Tensor:
        """[b, e], what its last layer reads, of images [b, c, h, w] in 0..1."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of distillation.

    Attributes:
        kind: what is learnt of the teacher: "logits" (squared error), "soft_target" (probabilities at a temperature) or
            "relational" (distances and angles between features).
        weight: lambda, of what the teacher says beside the labels, >= 0; 0 does not ask it.
        temperature: of "soft_target", > 0.
        distance_weight, angle_weight: of "relational", >= 0; the paper's.
    """

    kind: str = "soft_target"
    weight: float = 1.0
    temperature: float = 4.0
    distance_weight: float = 1.0
    angle_weight: float = 2.0

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = []
        if self.kind not in KINDS:
            found.append(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if not 0 < self.temperature < math.inf:
            found.append(f"temperature must be > 0, got {self.temperature}")
        for name in ("weight", "distance_weight", "angle_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                found.append(f"{name} must be >= 0, got {getattr(self, name)}")
        return found


class DistillationViews(NamedTuple):
    """Images [b, c, h, w] in 0..1, their labels [b], and the teacher's answers [b, k] or [b, e]; None if not asked."""

    images: Tensor
    labels: Tensor
    answers: Tensor | None


class Distillation(ClassifierMethod):
    """An encoder with a linear classifier, trained on labelled images and on a teacher's answers to them.

    The teacher's logits are learnt by an auxiliary linear layer [d -> k] on the same features, which `learnt` leaves
    out: it shapes the encoder and is thrown away. Relations are those of the features themselves.

    Args:
        encoder: pre-trained or random; trained in place.
        classes: number of classes.
        chain: draws the view of each image, which student and teacher both see.
        teacher: frozen, in evaluation mode, on the images' device; it takes images as the chain gives them.
        config: see `Config`.

    Raises:
        SettingsError: settings that cannot be used, all of them.
    """

    def __init__(
        self, encoder: Encoder, classes: int, chain: Chain, teacher: Teacher, config: Config | None = None
    ) -> None:
        super().__init__(encoder, Head(encoder.features, classes))
        self.config = config or Config()
        if self.config.problems():
            raise SettingsError(self.config.problems())
        self.chain = chain
        relational = self.config.kind == "relational"
        # A method, not the teacher: a teacher that is a module would become part of this one, trained and stored.
        self.ask = teacher.features if relational else teacher.logits
        heard = bool(self.config.weight) and not relational
        self.auxiliary = nn.Linear(encoder.features, len(teacher.classes)) if heard else None

    def views(self, batch: ImageBatch, rng: torch.Generator) -> DistillationViews:
        """One view of each image, and what the teacher says of that view."""
        images = self.chain(batch.images, rng)
        return DistillationViews(images, batch.labels.to(images.device), self._answers(images))

    def forward(self, views: DistillationViews) -> Step:
        """Cross entropy of the labels, and the loss of the teacher's answers."""
        features = self.encoder(views.images)  # [b, d]
        logits = self.head(features).float()  # [b, classes]
        supervised = functional.cross_entropy(logits, views.labels)
        accuracy = (logits.detach().argmax(1) == views.labels).float().mean()
        if views.answers is None:
            return Step(supervised, {"accuracy": accuracy})
        distilled = self.distilled(features, views.answers)
        logs = {"accuracy": accuracy, "supervised": supervised.detach(), "distilled": distilled.detach()}
        return Step(supervised + self.config.weight * distilled, logs)

    def distilled(self, features: Tensor, answers: Tensor) -> Tensor:
        """The loss of features [b, d] against the teacher's answers [b, k] or [b, e], without its weight."""
        if self.auxiliary is None:
            weights = {"distance_weight": self.config.distance_weight, "angle_weight": self.config.angle_weight}
            return relational_distillation(features, answers, **weights)
        student = self.auxiliary(features)  # [b, k]
        if self.config.kind == "logits":
            return logit_matching(student, answers)
        return soft_target(student, answers, temperature=self.config.temperature)

    @torch.no_grad()
    def _answers(self, images: Tensor) -> Tensor | None:
        if not self.config.weight:
            return None
        return self.ask(images).to(images.device).float()
