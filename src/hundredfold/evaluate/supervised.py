"""Training a whole network on the few labels: `finetune` from a pre-trained start, `baseline` from a random one.

Both run the same number of steps on the same loop. Fine-tuning starts its classifier from the linear probe, so that
the features are not torn apart by a random head: Kumar, Raghunathan, Jones, Ma & Liang, "Fine-Tuning can Distort
Pretrained Features and Underperform Out-of-Distribution", ICLR 2022 (LP-FT).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, as_float
from hundredfold.data.loader import Loader
from hundredfold.encoders._base import Encoder
from hundredfold.evaluate.probe import Probe
from hundredfold.methods.labelled.finetune import Config, Finetune
from hundredfold.random import derive, seeded
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings:
    """Settings of both supervised models.

    Attributes:
        steps: of training, whatever the number of labels.
        batch_size: labelled images in a step, at most.
        lr: peak learning rate of fine-tuning.
        baseline_lr: peak learning rate from a random start.
        views: train on random views of the images instead of the images themselves.
        weight_decay: see `Plan`.
        dropout: before the classifier, 0..1.
        label_smoothing: 0..1.
    """

    steps: int = 100
    batch_size: int = 64
    lr: float = 3e-4
    baseline_lr: float = 1e-3
    views: bool = False
    weight_decay: float = 1e-2
    dropout: float = 0.0
    label_smoothing: float = 0.0

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        rules = [
            (self.steps >= 1, f"steps must be >= 1, got {self.steps}"),
            (self.batch_size >= 2, f"batch_size must be >= 2, got {self.batch_size}"),
            (self.lr > 0 and self.baseline_lr > 0, f"lr must be > 0, got {self.lr} and {self.baseline_lr}"),
            (0 <= self.dropout < 1, f"dropout must be in 0..1, got {self.dropout}"),
        ]
        return [sentence for kept, sentence in rules if not kept]


def train_classifier(
    encoder: Encoder,
    images: ImageSet,
    index: Tensor,
    classes: int,
    *,
    settings: FinetuneSettings,
    lr: float,
    chain: Chain,
    engine: Engine,
    seed: int,
    start: Probe | None = None,
    stop: StopRequest | None = None,
) -> Finetune:
    """A copy of `encoder` with a classifier, trained on the labelled images at `index`.

    Args:
        encoder: where to start; it is not changed.
        images: the set; only the labels at `index` are read.
        index: [n] positions of labelled images.
        classes: number of classes.
        settings, lr: how to train.
        chain: view of each image.
        engine: where to compute.
        seed: of batches, views, dropout and the classifier's random start.
        start: a probe on this encoder's features to start the classifier from; None starts at random.
        stop: passed on to `fit`.
    """
    with seeded(derive(seed, "classifier")):
        method = Finetune(
            copy.deepcopy(encoder),
            classes,
            chain,
            Config(
                dropout=settings.dropout,
                label_smoothing=settings.label_smoothing,
                unit_length=start is not None and start.unit_length,
            ),
        )
    if start is not None:
        method.head.start_from(start.weight, start.bias)
    batch_size = min(settings.batch_size, max(2, len(index)))
    loader = Loader(images=images, index=index, batch_size=batch_size, seed=derive(seed, "supervised"))
    plan = Plan(
        epochs=-(-settings.steps // loader.steps_per_epoch),
        batch_size=batch_size,
        lr=lr,
        weight_decay=settings.weight_decay,
        warmup=0.1,
        validate=False,
    )
    fit(method, loader, plan, engine, stop=stop)
    return method


@torch.no_grad()
def predict_classifier(
    method: Finetune, images: ImageSet, index: Tensor, engine: Engine, *, batch_size: int = 500
) -> Tensor:
    """Probabilities [n, classes] of the images at `index`, float32 on the CPU."""
    engine.place(method).eval()
    parts = [
        method.logits(as_float(engine.images(images.take(part)))).float().softmax(1).cpu()
        for part in index.split(batch_size)
    ]
    return torch.cat(parts)
