"""Classification accuracy score (CAS): how well real images are told apart by a network that saw only generated ones.

Source: Ravuri & Vinyals, "Classification Accuracy Score for Conditional Generative Models", NeurIPS 2019
(arXiv 1905.10887), section 3: a classifier is trained on samples alone, and tested on real images; a generator that
leaves something out of the classes, or mixes them, loses accuracy by it. They take ResNet-50 and as many samples as the
training set has; here it is a small network and a fixed number of steps, and so a second network is trained alike on
as many real images: the two figures are to be compared with each other, not with those of the paper.
When to use it: before a network is pre-trained on samples; Frechet distances do not predict it. When not: without
labelled real images of the source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from hundredfold.data.channel_statistics import channel_statistics
from hundredfold.data.images import ImageSet
from hundredfold.encoders.build import encoder as build_encoder
from hundredfold.evaluate.supervised import FinetuneSettings, predict_classifier, train_classifier
from hundredfold.random import derive
from hundredfold.train.engine import Engine
from hundredfold.train.stop import StopRequest
from hundredfold.views.chain import Chain

BLOCK = 500  # images looked at at once
SMALL = {"widths": (16, 32), "features": 128}  # a third of the default's time a step; two networks are trained


@dataclass(frozen=True, kw_only=True)
class ScoreSettings:
    """How the network is trained.

    Attributes:
        encoder: name of its architecture (see `encoders.build`).
        encoder_settings: of that architecture.
        images: how many it learns from, at most, >= 2.
        steps: of training, >= 1.
        batch_size: images in a step, >= 2.
        lr: peak learning rate, > 0.
    """

    encoder: str = "convnet"
    encoder_settings: dict[str, Any] = field(default_factory=lambda: dict(SMALL))
    images: int = 10_000
    steps: int = 400
    batch_size: int = 128
    lr: float = 1e-3

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        rules = [
            (self.images >= 2, f"images must be >= 2, got {self.images}"),
            (self.steps >= 1, f"steps must be >= 1, got {self.steps}"),
            (self.batch_size >= 2, f"batch_size must be >= 2, got {self.batch_size}"),
            (self.lr > 0, f"lr must be > 0, got {self.lr}"),
        ]
        return [sentence for kept, sentence in rules if not kept]


def classification_accuracy_score(
    images: ImageSet,
    index: Tensor,
    *,
    test: ImageSet,
    test_index: Tensor,
    settings: ScoreSettings,
    engine: Engine,
    seed: int,
    chain: Chain | None = None,
    stop: StopRequest | None = None,
) -> float:
    """Accuracy on real test images, 0..1, of a network that learnt from the images at `index` alone.

    Args:
        images: generated ones, or real ones to compare with.
        index: [n] positions of labelled images in it, n >= 2.
        test: real images with the same classes in the same order.
        test_index: [m] positions of labelled images in it, m >= 1.
        settings: see `ScoreSettings`.
        engine: where to compute.
        seed: of weights, batches and views; two sets with one seed start from the same weights.
        chain: view of each training image; None takes images as they are.
        stop: passed on to `fit`.
    """
    mean, std = channel_statistics(images, index, seed=seed)
    encoder = build_encoder(
        settings.encoder,
        channels=images.channels,
        size=images.size,
        mean=mean,
        std=std,
        settings=settings.encoder_settings,
        seed=derive(seed, "score"),
    )
    training = FinetuneSettings(steps=settings.steps, batch_size=settings.batch_size)
    method = train_classifier(
        encoder,
        images,
        index,
        len(images.classes),
        settings=training,
        lr=settings.lr,
        chain=chain or Chain(()),
        engine=engine,
        seed=seed,
        stop=stop,
    )
    answers = predict_classifier(method, test, test_index, engine).argmax(1)  # [m]
    return float((answers == test.labels[test_index]).double().mean())
