"""Labelled images out of a generator: classes from a prior, refused where a classifier sees another class.

Source: the label prior and the frozen generator: Yamaguchi et al., "Transfer Learning with Pre-trained Conditional
Generative Models", 2022 (arXiv 2204.12833), of whose pseudo pre-training only the abstract could be read; the rest is
ours. Refusing samples by a classifier: Ravuri & Vinyals, "Classification Accuracy Score for Conditional Generative
Models", NeurIPS 2019 (arXiv 1905.10887), shows why samples should not be trusted unseen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.random import generator as random_generator
from hundredfold.transfer.generator import Generator, one_hot
from hundredfold.transfer.source_classifier import SourceClassifier
from hundredfold.types import UNLABELLED, ImageBatch

TRIES = 5  # how often a refused image is drawn again
BLOCK = 500  # images drawn at once for a set


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """Which images are drawn.

    Attributes:
        class_prior: share of each class, > 0 in all; empty for equal shares.
        least_probability: an image is refused to which the source classifier gives less of its class, 0..1; 0 asks no
            classifier.
    """

    class_prior: tuple[float, ...] = ()
    least_probability: float = 0.0

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = []
        if any(not 0 <= share < math.inf for share in self.class_prior) or (
            self.class_prior and not sum(self.class_prior)
        ):
            found.append(f"class_prior must be shares >= 0, not all 0, got {list(self.class_prior)}")
        if not 0 <= self.least_probability < 1:
            found.append(f"least_probability must be at least 0 and below 1, got {self.least_probability}")
        return found


class Samples:
    """Draws labelled images.

    Args:
        generator: of the images.
        classifier: refuses images; needed if `least_probability` is not 0.
        settings: see `SampleSettings`.

    Raises:
        ValueError: settings that ask for a classifier without one, or a prior of other classes.
    """

    def __init__(
        self,
        generator: Generator,
        classifier: SourceClassifier | None = None,
        settings: SampleSettings | None = None,
    ) -> None:
        self.generator, self.classifier = generator, classifier
        self.settings = settings or SampleSettings()
        k = len(generator.classes)
        if self.settings.class_prior and len(self.settings.class_prior) != k:
            raise ValueError(f"class_prior has {len(self.settings.class_prior)} shares, the generator {k} classes")
        if self.settings.least_probability and classifier is None:
            raise ValueError("least_probability needs a source classifier")
        self.prior = torch.tensor(self.settings.class_prior or (1.0,) * k)

    def labels(self, count: int, rng: torch.Generator) -> Tensor:
        """Classes [count] drawn from the prior."""
        return torch.multinomial(self.prior, count, replacement=True, generator=rng)

    def of(self, labels: Tensor, rng: torch.Generator) -> Tensor:
        """An image for each class [b], accepted or drawn `TRIES` times: [b, c, h, w]."""
        conditions = one_hot(labels, len(self.generator.classes))
        images = self.generator.sample(conditions, rng)
        for _ in range(TRIES - 1):
            refused = (~self.accepts(images, labels)).nonzero().squeeze(1)
            if not len(refused):
                break
            images[refused.to(images.device)] = self.generator.sample(conditions[refused], rng)
        return images

    def accepts(self, images: Tensor, labels: Tensor) -> Tensor:
        """[b] on the CPU, which images [b, c, h, w] the classifier takes for their class [b]."""
        if self.classifier is None or not self.settings.least_probability:
            return torch.ones(len(labels), dtype=torch.bool)
        seen = self.classifier.probabilities(images).cpu()
        return seen.gather(1, labels[:, None]).squeeze(1) >= self.settings.least_probability

    def batch(self, count: int, rng: torch.Generator) -> ImageBatch:
        """New images with their classes; those refused to the last are unlabelled."""
        labels = self.labels(count, rng)
        images = self.of(labels, rng)
        known = torch.where(self.accepts(images, labels), labels, torch.full_like(labels, UNLABELLED))
        return ImageBatch(images, known, torch.arange(count))

    def image_set(self, count: int, *, seed: int) -> ImageSet:
        """A fixed set of images with their classes, in memory as bytes; image i follows from the seed and its block."""
        blocks = [
            self.batch(len(rows), random_generator(seed, "samples", block))
            for block, rows in enumerate(torch.arange(count).split(BLOCK))
        ]
        images = torch.cat([(block.images * 255).round().to(torch.uint8).cpu() for block in blocks])
        return ImageSet(
            source=f"samples of {self.generator.name}",
            pixels=MemoryPixels(images),
            labels=torch.cat([block.labels for block in blocks]),
            classes=self.generator.classes,
        )
