"""Generated images beside real ones of the source: what a network learns from them, how far apart, how much copied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, as_float
from hundredfold.evaluate.features import pixels
from hundredfold.evaluate.frechet import LEAST_ROWS, frechet_distance
from hundredfold.evaluate.memorisation import Memorisation, memorisation
from hundredfold.random import generator as random_generator
from hundredfold.train.engine import Engine
from hundredfold.train.stop import StopRequest
from hundredfold.transfer.classification_accuracy_score import ScoreSettings, classification_accuracy_score
from hundredfold.transfer.real_source import RealSource
from hundredfold.views.chain import Chain

BLOCK = 500  # images looked at at once


@dataclass(frozen=True, kw_only=True)
class RealScores:
    """Accuracy on real test images, 0..1.

    Attributes:
        generated: of a network that learnt from generated images.
        real: of the same network that learnt from as many real images.
        test_images: how many were asked.
    """

    generated: float
    real: float
    test_images: int


@dataclass(frozen=True, kw_only=True)
class FrechetDistances:
    """Squared Frechet distances between sets of the same number of images.

    Attributes:
        generated: between generated and real images.
        real: between two halves of real images: what no generator can beat.
    """

    generated: float
    real: float


def real_scores(
    drawn: ImageSet,
    real: RealSource,
    *,
    settings: ScoreSettings,
    engine: Engine,
    seed: int,
    chain: Chain | None = None,
    stop: StopRequest | None = None,
) -> RealScores:
    """The classification accuracy score of generated images, and that of as many real ones.

    Args:
        drawn: generated images of all classes alike; the first are used.
        real: with classes in the order of the generated ones (see `real_source.in_order_of`).
        settings: see `ScoreSettings`; of fewer images, as many of both kinds as there are.
        engine, seed, chain, stop: see `classification_accuracy_score`.
    """
    count = min(settings.images, len(drawn), len(real.train_index))
    order = torch.randperm(len(real.train_index), generator=random_generator(seed, "real images"))

    def score(images: ImageSet, index: Tensor) -> float:
        return classification_accuracy_score(
            images,
            index,
            test=real.test,
            test_index=real.test_index,
            settings=settings,
            engine=engine,
            seed=seed,
            chain=chain,
            stop=stop,
        )

    return RealScores(
        generated=score(drawn, torch.arange(count)),
        real=score(real.train, real.train_index[order[:count]]),
        test_images=len(real.test_index),
    )


def frechet_distances(
    drawn: ImageSet,
    real: RealSource,
    *,
    read: Callable[[Tensor], Tensor],
    most: int,
    engine: Engine,
    seed: int,
) -> FrechetDistances | None:
    """How far generated images are from real test images, and these from each other.

    All three sets have as many images of each class as the others: the distance grows where images are fewer, and with
    other shares of the classes.

    Args:
        drawn: generated images of all classes alike; the first of each class are used.
        real: with classes in the order of the generated ones; half of its test images are compared with the others.
        read: features [b, d] of images [b, c, h, w] in 0..1.
        most: images in each set, at most (a little more where classes do not divide it).
        engine: where to compute.
        seed: of the halves.

    Returns:
        None where there are not two images in each set.
    """
    classes = range(len(drawn.classes))
    each = -(-most // len(classes))
    order = real.test_index[torch.randperm(len(real.test_index), generator=random_generator(seed, "halves"))]
    parts = []  # of each class, positions [3, n] of as many samples, real images and other real images
    for label in classes:
        own = order[real.test.labels[order] == label]
        samples = (drawn.labels == label).nonzero().squeeze(1)
        n = min(len(own) // 2, len(samples), each)
        parts.append(torch.stack([samples[:n], own[:n], own[n : 2 * n]]))
    index = torch.cat(parts, dim=1)  # [3, n]
    if index.shape[1] < LEAST_ROWS:
        return None
    generated, first, second = (
        features_of(images, rows, read=read, engine=engine)
        for images, rows in zip((drawn, real.test, real.test), index, strict=True)
    )  # [n, d] each
    return FrechetDistances(generated=frechet_distance(generated, first), real=frechet_distance(first, second))


def memorised(drawn: ImageSet, real: RealSource, *, count: int) -> Memorisation:
    """Whether generated images lie nearer to single training images than real test images do, in pixels.

    Features of the source's classifier would hide it: they are made to leave out what tells images of a class apart.

    Args:
        drawn: generated images; the first `count` are looked at.
        real: all of its training images are compared with; at most `count` test images, evenly taken.
        count: >= 1.
    """
    every = torch.linspace(0, len(real.test_index) - 1, min(count, len(real.test_index))).round().long()
    return memorisation(
        pixels(drawn, torch.arange(min(count, len(drawn)))),
        training=pixels(real.train, real.train_index),
        held_out=pixels(real.test, real.test_index[every]),
    )


@torch.no_grad()
def features_of(images: ImageSet, index: Tensor, *, read: Callable[[Tensor], Tensor], engine: Engine) -> Tensor:
    """What `read` makes of the images at `index`: [n, d] float32 on the CPU."""
    parts = [read(as_float(engine.images(images.take(part)))).float().cpu() for part in index.split(BLOCK)]
    return torch.cat(parts)
