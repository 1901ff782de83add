"""Supervised learning of the whole network: fine-tuning from a pre-trained start, the baseline from a random one.

When to use it: as the reference that pre-training must beat (random start), and when there are enough labels for the
encoder to move without forgetting what it learnt (pre-trained start).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.encoders._base import Encoder
from hundredfold.methods.labelled._classifier import ClassifierMethod, Head
from hundredfold.types import ImageBatch, Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of supervised training.

    Attributes:
        label_smoothing: share of the target spread over all classes, 0..1.
        dropout: before the classifier, 0..1.
        unit_length: bring features to length 1 before the classifier, as the linear probe does.
    """

    label_smoothing: float = 0.0
    dropout: float = 0.0
    unit_length: bool = False


class LabelledImages(NamedTuple):
    """Images [b, c, h, w] in 0..1 and their labels [b]."""

    images: Tensor
    labels: Tensor


class Finetune(ClassifierMethod):
    """An encoder with a linear classifier, all of it trained on labelled images.

    Args:
        encoder: pre-trained or random.
        classes: number of classes.
        chain: draws the view of each image; an empty one leaves images as they are.
        config: see `Config`.
    """

    def __init__(self, encoder: Encoder, classes: int, chain: Chain, config: Config | None = None) -> None:
        chosen = config or Config()
        head = Head(encoder.features, classes, dropout=chosen.dropout, unit_length=chosen.unit_length)
        super().__init__(encoder, head)
        self.config = chosen
        self.chain = chain

    def views(self, batch: ImageBatch, rng: torch.Generator) -> LabelledImages:
        """One view of each image."""
        return LabelledImages(self.chain(batch.images, rng), batch.labels.to(batch.images.device))

    def forward(self, views: LabelledImages) -> Step:
        """Cross entropy of the labels."""
        logits = self.logits(views.images).float()
        loss = functional.cross_entropy(logits, views.labels, label_smoothing=self.config.label_smoothing)
        accuracy = (logits.detach().argmax(1) == views.labels).float().mean()
        return Step(loss, {"accuracy": accuracy})
