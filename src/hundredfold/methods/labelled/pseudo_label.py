"""Pseudo-labels: a student network learns the labels that a teacher gave to unlabelled images, as far as it is sure.

Source: Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks", ICML
2013 workshop; labels spread over a graph, and weights by certainty: Iscen, Tolias, Avrithis & Chum, CVPR 2019 (arXiv
1904.04717), equations 10-11; a student that sees stronger views than its teacher: Xie, Luong, Hovy & Le, "Self-training
with Noisy Student", CVPR 2020 (arXiv 1911.04252).
When to use it: a teacher that is right most of the time, as label propagation over good features is. When not: images
of no known class in the pool, which are labelled all the same.
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
    """Settings of the student.

    Attributes:
        momentum: of the moving average of the weights, 0..1.
        unit_length: bring features to length 1 before the classifier, as the linear probe does.
    """

    momentum: float = 0.99
    unit_length: bool = False


class PseudoLabelled(NamedTuple):
    """Images [b, c, h, w] in 0..1, the distributions that they should get [b, classes], and their weights [b]."""

    images: Tensor
    targets: Tensor
    weights: Tensor


class PseudoLabel(ClassifierMethod):
    """A student of given labels, on an encoder that may be pre-trained.

    Args:
        encoder: where to start; trained in place.
        targets: [n, classes] for each image of the set, by position; rows sum to 1.
        weights: [n] >= 0, how much each image counts.
        chain: draws the view of each image.
        config: see `Config`.
    """

    targets: Tensor
    weights: Tensor

    def __init__(
        self, encoder: Encoder, targets: Tensor, weights: Tensor, chain: Chain, config: Config | None = None
    ) -> None:
        chosen = config or Config()
        super().__init__(encoder, Head(encoder.features, targets.shape[1], unit_length=chosen.unit_length))
        self.config = chosen
        self.chain = chain
        self.average = Average(self.encoder, self.head, chosen.momentum)
        self.register_buffer("targets", targets, persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def learnt(self) -> tuple[Encoder, Head]:
        """The moving average."""
        return self.average.encoder, self.average.head

    def start_from(self, weight: Tensor, bias: Tensor) -> None:
        """Takes over a linear classifier, as `Head.start_from`."""
        self.head.start_from(weight, bias)
        self.average.head.start_from(weight, bias)

    def views(self, batch: ImageBatch, rng: torch.Generator) -> PseudoLabelled:
        """One view of each image, with what it should be taken for."""
        positions = batch.positions.to(self.targets.device)
        return PseudoLabelled(self.chain(batch.images, rng), self.targets[positions], self.weights[positions])

    def forward(self, views: PseudoLabelled) -> Step:
        """Weighted cross entropy, Iscen et al. equation 11 with soft targets."""
        logits = self.logits(views.images).float()
        each = functional.cross_entropy(logits, views.targets, reduction="none")  # [b]
        loss = (each * views.weights).sum() / views.weights.sum().clamp_min(1e-6)
        agreement = (logits.detach().argmax(1) == views.targets.argmax(1)).float().mean()
        return Step(loss, {"agreement": agreement})

    def after_step(self, progress: Progress) -> None:
        """The average follows."""
        self.average.follow(self.encoder, self.head, progress.step)


def certainty(distributions: Tensor) -> Tensor:
    """1 - entropy / log classes, [n] in 0..1, of distributions [n, classes]: Iscen et al. 2019, equation 10."""
    entropy = -(distributions * distributions.clamp_min(1e-12).log()).sum(1)
    scale = torch.log(torch.tensor(float(distributions.shape[1])))
    return (1 - entropy / scale).clamp(0, 1)
