"""Pseudo pre-training (PP): a network of any architecture learns from images that the source's generator draws.

Source: Yamaguchi, Kanai, Kumagai, Chijiwa & Kashima, "Transfer Learning with Pre-trained Conditional Generative Models"
(arXiv 2204.12833, abstract): "trains a target architecture with an artificial dataset synthesized by using conditional
source generative models". What the abstract leaves open is ours: classes drawn evenly, new images in each step, labels
as asked for. Contrastive learning on generated images: Jahanian, Puig, Tian & Isola, "Generative Models as a Data
Source for Multiview Representation Learning", ICLR 2022 (arXiv 2106.05258), whose positives are one code and its
neighbours; ours are also two images of a class, or one code under two classes.
When to use it: the source's data are gone, and its classes look like the target's. When not: a generator whose images
teach nothing of the source itself (see `generator_quality`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.encoders._base import Encoder
from hundredfold.errors import CheckpointError
from hundredfold.methods._base import Method
from hundredfold.methods.contrastive._two_views import TwoViewMethod, TwoViews
from hundredfold.random import generator as random_generator
from hundredfold.transfer.generator import one_hot
from hundredfold.transfer.samples import TRIES, Samples
from hundredfold.types import ImageBatch, Progress, Step

POSITIVES = ("view", "class", "noise")
LARGEST = 2**62
LEAST = 2  # images that a batch must keep: of fewer there are no batch statistics


class PseudoPretraining(Method):
    """Any method, trained on images drawn anew in each step instead of those of the loader.

    The loader gives the number of images and their places; see `nothing`.

    Args:
        inner: what is trained: `Finetune` to learn the source's classes, or a contrastive method.
        samples: draws the images.
        positive: of a contrastive method, what a pair is: two views of one image ("view"), views of two images of one
            class ("class"), or views of the images that one noise gives under two classes ("noise").

    Raises:
        ValueError: an unknown kind of positive, or one that this method does not compare.
    """

    def __init__(self, inner: Method, samples: Samples, *, positive: str = "view") -> None:
        super().__init__()
        if positive not in POSITIVES:
            raise ValueError(f"positive must be one of {', '.join(POSITIVES)}, got {positive!r}")
        if positive != "view" and not isinstance(inner, TwoViewMethod):
            raise ValueError(f"{type(inner).__name__} compares no two views: positive can only be 'view'")
        self.inner = inner
        self.samples = samples
        self.positive = positive

    @property
    def encoder(self) -> Encoder:  # type: ignore[override]  # one module, listed once in the state
        """That of the inner method."""
        return self.inner.encoder

    def views(self, batch: ImageBatch, rng: torch.Generator) -> Any:
        """The inner method's views of new images; those that the classifier refused to the last are left out.

        Raises:
            CheckpointError: it refused so many that fewer than two are left.
        """
        if self.positive == "view":
            drawn = self.samples.batch(len(batch.positions), rng)
            kept = self._kept(drawn.labels >= 0)
            images = drawn.images[kept.to(drawn.images.device)]
            return self.inner.views(ImageBatch(images, drawn.labels[kept], batch.positions[: len(kept)]), rng)
        assert isinstance(self.inner, TwoViewMethod)  # checked above
        first, second = self._pair(len(batch.positions), rng)
        return TwoViews(self.inner.chain(first, rng), self.inner.chain(second, rng))

    def forward(self, views: Any) -> Step:
        """The inner method's loss."""
        step: Step = self.inner(views)
        return step

    def after_step(self, progress: Progress) -> None:
        """The inner method's."""
        self.inner.after_step(progress)

    def project(self, views: Any) -> tuple[Tensor, Tensor] | None:
        """The inner method's."""
        return self.inner.project(views)

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """The inner method's."""
        return self.inner.levels(batch_size)

    def _pair(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two images [b, c, h, w] each that have their class or their noise in common."""
        if self.positive == "class":
            labels = self.samples.labels(count, rng)
            first, second = self.samples.of(labels, rng), self.samples.of(labels, rng)
            kept = self._kept(self.samples.accepts(first, labels) & self.samples.accepts(second, labels))
            return first[kept.to(first.device)], second[kept.to(second.device)]
        classes = len(self.samples.generator.classes)
        seed = int(torch.randint(LARGEST, (1,), generator=rng))
        conditions = (one_hot(self.samples.labels(count, rng), classes) for _ in range(2))
        first, second = (
            self.samples.generator.sample(condition, random_generator(seed, "noise")) for condition in conditions
        )
        return first, second

    def _kept(self, accepted: Tensor) -> Tensor:
        """Places of the accepted images of a batch; raises CheckpointError where fewer than two are left."""
        kept = accepted.nonzero().squeeze(1)
        if len(kept) >= min(LEAST, len(accepted)):
            return kept
        least = self.samples.settings.least_probability
        raise CheckpointError(
            f"the source classifier refused {len(accepted) - len(kept)} of {len(accepted)} images of the generator",
            why=f"it gave each less than {least:g} to be of the class that was asked for, {TRIES} times over",
            fix="ask for less with --set transfer.sampling.least_probability=0.1, or use another generator",
        )


def nothing(count: int, channels: int) -> ImageSet:
    """A set of `count` places without an image worth the name, for a loader whose method draws its own."""
    return ImageSet(
        source="nothing",
        pixels=MemoryPixels(torch.zeros(count, channels, 1, 1, dtype=torch.uint8)),
        labels=torch.full((count,), -1),
    )
