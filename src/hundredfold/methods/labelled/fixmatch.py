"""FixMatch: what the model is sure of on a weak view of an unlabelled image becomes the label of a strong view.

Source: Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence", NeurIPS 2020
(arXiv 2001.07685). How sure is sure enough is learnt, for each class: Wang et al., "FreeMatch: Self-adaptive
Thresholding for Semi-supervised Learning", ICLR 2023 (arXiv 2205.07246), equations 5-8. Labels come from the moving
average of the weights (Tarvainen & Valpola 2017). Distribution alignment: Berthelot et al., "ReMixMatch", ICLR 2020
(arXiv 1911.09785), section 3.1.
When to use it: few labels, many unlabelled images of the same classes, and minutes to spend. When not: images of no
known class among them, or views strong enough to change a class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.encoders._base import Encoder
from hundredfold.methods.labelled._classifier import Average, ClassifierMethod, Head
from hundredfold.types import ImageBatch, Progress, Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of FixMatch.

    Attributes:
        labelled: labelled images in a step.
        unlabelled_weight: of the loss on unlabelled images.
        momentum: of the moving average of the weights, 0..1.
        threshold: certainty from which on a label is taken, 0..1; 0 learns it for each class as FreeMatch does.
        threshold_momentum: of the moving averages of the thresholds, 0..1.
        align: pull the classes of the labels given to unlabelled images towards the shares of the labelled ones.
        unit_length: bring features to length 1 before the classifier, as the linear probe does.
    """

    labelled: int = 64
    unlabelled_weight: float = 1.0
    momentum: float = 0.99
    threshold: float = 0.0
    threshold_momentum: float = 0.99
    align: bool = False
    unit_length: bool = False


class FixMatchViews(NamedTuple):
    """Labelled images [l, c, h, w] with labels [l]; a weak and a strong view of each unlabelled one [b, c, h, w]."""

    labelled: Tensor
    labels: Tensor
    weak: Tensor
    strong: Tensor


class FixMatch(ClassifierMethod):
    """FixMatch with the thresholds of FreeMatch, on an encoder that may be pre-trained.

    Args:
        encoder: where to start; trained in place.
        images: [l, c, h, w] the labelled images, as stored.
        labels: [l] in 0..classes - 1.
        classes: number of classes.
        weak, strong: the two kinds of view.
        config: see `Config`.
    """

    images: Tensor
    labels: Tensor
    confidence: Tensor  # [] mean certainty so far, tau_t of FreeMatch, equation 5
    shares: Tensor  # [classes] mean probabilities so far, p_t of FreeMatch, equation 6

    def __init__(
        self,
        encoder: Encoder,
        images: Tensor,
        labels: Tensor,
        classes: int,
        *,
        weak: Chain,
        strong: Chain,
        config: Config | None = None,
    ) -> None:
        chosen = config or Config()
        super().__init__(encoder, Head(encoder.features, classes, unit_length=chosen.unit_length))
        self.config = chosen
        self.average = Average(self.encoder, self.head, chosen.momentum)
        self.weak, self.strong = weak, strong
        self.register_buffer("images", images, persistent=False)
        self.register_buffer("labels", labels, persistent=False)
        self.register_buffer("confidence", torch.tensor(1 / classes))
        self.register_buffer("shares", torch.full((classes,), 1 / classes))

    def learnt(self) -> tuple[Encoder, Head]:
        """The moving average."""
        return self.average.encoder, self.average.head

    def start_from(self, weight: Tensor, bias: Tensor) -> None:
        """Takes over a linear classifier, as `Head.start_from`."""
        self.head.start_from(weight, bias)
        self.average.head.start_from(weight, bias)

    def views(self, batch: ImageBatch, rng: torch.Generator) -> FixMatchViews:
        """Labelled images drawn anew, and two views of each image of the batch."""
        drawn = torch.randint(len(self.labels), (self.config.labelled,), generator=rng).to(self.labels.device)
        return FixMatchViews(
            labelled=self.strong(self.images[drawn], rng),
            labels=self.labels[drawn],
            weak=self.weak(batch.images, rng),
            strong=self.strong(batch.images, rng),
        )

    def forward(self, views: FixMatchViews) -> Step:
        """Cross entropy of the labels, and of the labels that the average gives where it is sure."""
        predicted = self.average.logits(views.weak).softmax(1)  # [b, classes]
        if self.training:
            self._adapt(predicted)
        given = self._align(predicted)
        certainty, label = given.max(1)  # [b], [b]
        sure = certainty >= self.thresholds()[label]  # [b]
        logits = self.logits(torch.cat([views.labelled, views.strong])).float()  # [l + b, classes]
        known, unknown = logits.split([len(views.labels), len(views.strong)])
        supervised = functional.cross_entropy(known, views.labels)
        unsupervised = (functional.cross_entropy(unknown, label, reduction="none") * sure).mean()
        loss = supervised + self.config.unlabelled_weight * unsupervised
        logs = {
            "supervised": supervised.detach(),
            "unsupervised": unsupervised.detach(),
            "sure": sure.float().mean(),
        }
        return Step(loss, logs)

    def after_step(self, progress: Progress) -> None:
        """The average follows."""
        self.average.follow(self.encoder, self.head, progress.step)

    def thresholds(self) -> Tensor:
        """[classes] certainty from which on a label is taken: FreeMatch, equation 8, unless it is fixed."""
        if self.config.threshold:
            return torch.full_like(self.shares, self.config.threshold)
        return self.shares / self.shares.max() * self.confidence

    def _adapt(self, predicted: Tensor) -> None:
        """FreeMatch, equations 5 and 6: of the predictions as they are, by whose mean alignment divides."""
        weight = 1 - self.config.threshold_momentum
        self.confidence.lerp_(predicted.max(1).values.mean(), weight)
        self.shares.lerp_(predicted.mean(0), weight)

    def _align(self, predicted: Tensor) -> Tensor:
        """ReMixMatch, section 3.1."""
        if not self.config.align:
            return predicted
        wanted = torch.bincount(self.labels, minlength=predicted.shape[1]) / len(self.labels)
        aligned = predicted * (wanted / self.shares.clamp_min(1e-6))
        return aligned / aligned.sum(1, keepdim=True).clamp_min(1e-12)
