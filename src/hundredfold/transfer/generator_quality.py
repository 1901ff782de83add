"""Whether a generator may be trusted: figures before anyone learns from its images.

Does it heed the class asked for, does the source's classifier see that class, does a mixture of classes act? And where
real images of the source are at hand: can a network learn the classes from its images, how far are these from real
ones, and do they repeat the images that the generator learnt from?

Source: Ravuri & Vinyals, "Classification Accuracy Score for Conditional Generative Models", NeurIPS 2019
(arXiv 1905.10887), who show that good-looking images can teach a network badly; and what the files name that compute
the other figures (`evaluate.frechet`, `evaluate.memorisation`). The limits are ours (see `generator_verdict`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.encoders._base import Encoder
from hundredfold.errors import DataError, Interrupted, SettingsError
from hundredfold.evaluate.memorisation import Memorisation
from hundredfold.random import derive
from hundredfold.random import generator as random_generator
from hundredfold.train.engine import Engine
from hundredfold.train.stop import StopRequest
from hundredfold.transfer.classification_accuracy_score import ScoreSettings
from hundredfold.transfer.generator import Generator, one_hot, responds
from hundredfold.transfer.generator_verdict import LEAST_CONSISTENCY, with_verdict
from hundredfold.transfer.real_comparison import (
    FrechetDistances,
    RealScores,
    features_of,
    frechet_distances,
    memorised,
    real_scores,
)
from hundredfold.transfer.real_source import RealSource, in_order_of
from hundredfold.transfer.source_classifier import SourceClassifier
from hundredfold.transfer_records import GeneratorQuality
from hundredfold.views.chain import Chain

BLOCK = 500  # images drawn at once
SHOWN = 8  # images of each class, and pairs, that are kept for pictures


@dataclass(frozen=True, kw_only=True)
class QualitySettings:
    """How closely a generator is looked at.

    Attributes:
        samples: images drawn, of all classes alike; at least `SHOWN` of each class are.
        least_consistency: share of samples that the classifier must take for the class asked for, 0..1.
        score: of the networks that learn from samples and from real images.
    """

    samples: int = 2000
    least_consistency: float = LEAST_CONSISTENCY
    score: ScoreSettings = field(default_factory=ScoreSettings)

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = [f"score.{sentence}" for sentence in self.score.problems()]
        if self.samples < 1:
            found.append(f"samples must be >= 1, got {self.samples}")
        if not 0 <= self.least_consistency <= 1:
            found.append(f"least_consistency must be in 0..1, got {self.least_consistency}")
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """What was found of a generator, with images to show.

    Attributes:
        quality: the figures and the sentences.
        samples: [k * 8, c, h, w] uint8, eight of each class, class by class.
        closest_samples: [p, c, h, w] uint8, the samples nearest to one training image, the nearest first; none
            without real images.
        closest_training: [p, c, h, w], the training image that is nearest to each of them, as stored.
    """

    quality: GeneratorQuality
    samples: Tensor
    closest_samples: Tensor
    closest_training: Tensor


def judge(
    generator: Generator,
    classifier: SourceClassifier,
    *,
    real: RealSource | None = None,
    settings: QualitySettings | None = None,
    engine: Engine,
    seed: int,
    encoder: Encoder | None = None,
    chain: Chain | None = None,
    stop: StopRequest | None = None,
) -> Judged:
    """Judges a generator by the source's classifier and, where there are some, by real images of the source.

    Args:
        generator: what is judged; placed on the engine's device.
        classifier: of the same classes, which are matched by name, or by place if the names differ; placed as well.
        real: images of the source; matched by name.
        settings: see `QualitySettings`.
        engine: where to compute.
        seed: of samples, and of the networks that learn from them.
        encoder: whose features the Frechet distance is taken in; None takes those of the classifier.
        chain: views of the images that the networks learn from; None takes the images themselves.
        stop: looked at between blocks of samples, and passed on to `fit`.

    Raises:
        SettingsError: settings that cannot be used.
        DataError: classifier, generator and real images that do not fit each other; before anything is drawn.
            Or test images that are all in the training set, before anything is trained.
        Interrupted: a signal came.
    """
    chosen = settings or QualitySettings()
    if problems := chosen.problems():
        raise SettingsError(problems)
    columns, notes = _columns(generator, classifier)
    source = in_order_of(real, generator) if real else None
    generator.place(engine)
    classifier.place(engine)

    count = max(chosen.samples, SHOWN * len(generator.classes))
    needed = min(chosen.score.images, len(source.train_index)) if source else 0
    drawn = draw_evenly(generator, max(count, needed), seed=derive(seed, "quality"), stop=stop)
    quality = _by_classifier(generator, classifier, drawn, count, columns, engine, seed)
    pairs = None
    if source:
        pairs = memorised(drawn, source, count=count)
        read, whose = _reader(classifier, encoder, engine)
        distances = frechet_distances(drawn, source, read=read, most=count, engine=engine, seed=seed)
        scores = real_scores(drawn, source, settings=chosen.score, engine=engine, seed=seed, chain=chain, stop=stop)
        quality = _with_real(quality, scores, distances, whose, pairs)
    quality = with_verdict(quality, least_consistency=chosen.least_consistency, notes=notes)
    return _with_pictures(quality, drawn, source, pairs)


def draw_evenly(generator: Generator, count: int, *, seed: int, stop: StopRequest | None = None) -> ImageSet:
    """New images in memory as bytes, image i of class i mod k; it follows from the seed and its block of images.

    Raises:
        Interrupted: a signal came.
    """
    labels = torch.arange(count) % len(generator.classes)
    parts = []
    for block, classes in enumerate(labels.split(BLOCK)):
        if stop and stop.received:
            raise Interrupted("stopped while the generator was judged", signal_number=stop.received)
        images = generator.sample(one_hot(classes, len(generator.classes)), random_generator(seed, "samples", block))
        parts.append((images * 255).round().to(torch.uint8).cpu())
    return ImageSet(
        source=f"samples of {generator.name}",
        pixels=MemoryPixels(torch.cat(parts)),
        labels=labels,
        classes=generator.classes,
    )


def _columns(generator: Generator, classifier: SourceClassifier) -> tuple[Tensor, tuple[str, ...]]:
    """The classifier's class [k] for each of the generator's, and a sentence where the names do not tell it."""
    asked, known = generator.classes, classifier.classes
    if len(asked) != len(known):
        raise DataError(
            "the generator and the source classifier do not know the same classes",
            why=f"the generator has {len(asked)}, the classifier {len(known)}",
            fix="give both of the same source",
        )
    forms = [(part.channels, *part.size) for part in (generator, classifier)]
    if forms[0] != forms[1]:
        shapes = (" x ".join(map(str, form)) for form in forms)
        raise DataError(
            "the source classifier takes other images than the generator draws",
            why="channels x height x width are {} of the generator and {} of the classifier".format(*shapes),
            fix="give both of the same source",
        )
    if set(asked) == set(known):
        return torch.tensor([known.index(name) for name in asked]), ()
    other = next(name for name in asked if name not in known)
    note = (
        f"The classifier knows no class named {other!r}: its classes were matched with the generator's by their place."
    )
    return torch.arange(len(asked)), (note,)


def _by_classifier(
    generator: Generator,
    classifier: SourceClassifier,
    drawn: ImageSet,
    count: int,
    columns: Tensor,
    engine: Engine,
    seed: int,
) -> GeneratorQuality:
    """What needs no real images: how far the generator heeds its condition, and what the classifier sees."""
    hard, soft = responds(generator, seed=derive(seed, "responds"))
    seen = features_of(drawn, torch.arange(count), read=classifier.logits, engine=engine).argmax(1)  # [count]
    labels = drawn.labels[:count]
    right = (seen == columns[labels]).double()
    each = torch.bincount(labels, minlength=len(columns))
    by_class = torch.bincount(labels, weights=right, minlength=len(columns)) / each  # [k]
    return GeneratorQuality(
        generator=generator.name,
        classes=generator.classes,
        samples=count,
        consistency=float(right.mean()),
        consistency_by_class=tuple(by_class.tolist()),
        hard_response=hard,
        soft_response=soft,
    )


def _with_real(
    quality: GeneratorQuality, scores: RealScores, distances: FrechetDistances | None, whose: str, pairs: Memorisation
) -> GeneratorQuality:
    """The same with the figures that real images give."""
    return replace(
        quality,
        classification_accuracy=scores.generated,
        real_accuracy=scores.real,
        test_images=scores.test_images,
        frechet=distances.generated if distances else None,
        frechet_real=distances.real if distances else None,
        frechet_features=whose if distances else "",
        memorised=pairs.share,
        nearest_ratio=pairs.ratio,
    )


def _reader(
    classifier: SourceClassifier, encoder: Encoder | None, engine: Engine
) -> tuple[Callable[[Tensor], Tensor], str]:
    """What makes features of images, and its name for people."""
    if encoder is None:
        return classifier.features, "the source classifier"
    engine.place(encoder)

    def read(images: Tensor) -> Tensor:
        training = encoder.training
        features: Tensor = encoder.eval()(images)
        encoder.train(training)
        return features

    return read, f"the encoder {encoder.spec.name}"


def _with_pictures(
    quality: GeneratorQuality, drawn: ImageSet, source: RealSource | None, pairs: Memorisation | None
) -> Judged:
    k = len(quality.classes)
    by_class = torch.arange(SHOWN * k).view(SHOWN, k).T.flatten()  # image i is of class i mod k
    nothing = torch.empty(0, drawn.channels, *drawn.size, dtype=torch.uint8)
    judged = Judged(quality=quality, samples=drawn.take(by_class), closest_samples=nothing, closest_training=nothing)
    if source is None or pairs is None:
        return judged
    shown = pairs.order[:SHOWN]
    training = source.train.take(source.train_index[pairs.nearest[shown]]).cpu()
    return replace(judged, closest_samples=drawn.take(shown), closest_training=training)
