"""Conditional VAE: a VAE that is told the class, so that the code keeps the rest: style, slant, thickness.

Source: Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS
2015, section 4. Unknown classes: Ho & Salimans, "Classifier-Free Diffusion Guidance", 2022 (arXiv 2207.12598).

Hypothesis: class and style are independent causes of an image. When to use it: to draw new images of a class that one
names, or the same style in all classes. When not: to pre-train for a classifier with few labels, for what the decoder
is told the features need not keep; without labels, where it is a VAE.

Trivial solutions: those of the VAE; and a decoder that does not listen, for the code can say the class as well. So the
class is said to every block of the decoder, and a short code has no room for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.build import decoder
from hundredfold.encoders.decoders import Decoder, Doubling
from hundredfold.methods.generative._conditions import of_labels
from hundredfold.methods.generative._generative import GenerativeMethod, to_images
from hundredfold.methods.generative._variational import Bound, Posterior, PosteriorHead, VariationalConfig
from hundredfold.types import ImageBatch, Progress, Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config(VariationalConfig):
    """Settings of the conditional VAE; first those of `VariationalConfig`.

    Attributes:
        latent: as there, but shorter: a long code has room to say the class again.
        classes: how many there are, >= 0; 0 where none is known, and every image counts as unlabelled.
        beta: as there, but higher; 0 for a price that follows from the size of the images (see `price`). What the
            condition says costs nothing, what the code says again does: the decoder listens where codes are dear. Of
            new images of MNIST (10,000 images, 10 epochs) a classifier of real ones sees the class that was asked for
            in 61, 87 and 98 % with 1, 2 and 4; on digits of 8x8 pixels 1 is enough and 4 silences the code.
        unknown: share of the labels that are hidden in training, 0..1, so that an image without one can be encoded too;
            those that have none are learnt from so anyway. It teaches the code to say the class: 87 % with 0.1.
    """

    latent: int = 8
    beta: float = 0.0
    classes: int = 0
    unknown: float = 0.0

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = super().problems()
        if self.classes < 0:
            found.append(f"classes must be >= 0, got {self.classes}")
        if not 0 <= self.unknown <= 1:
            found.append(f"unknown is a share of the labels, in 0..1, got {self.unknown}")
        return found


def price(numbers: int) -> float:
    """The weight of the KL for images of so many numbers: 4 from 28x28 on, less for smaller ones, 1 at least.

    What an image costs grows with its pixels, and what its code costs does not (Higgins et al. 2017, section 4.2, where
    beta is taken per pixel): a price that suits a large image silences the code of a small one.

    >>> price(64), price(392), price(784), price(3072)
    (1.0, 2.0, 4.0, 4.0)
    """
    return min(4.0, max(1.0, 4.0 * numbers / 784))


class ConditionalViews(NamedTuple):
    """Images [b, c, h, w] in 0..1, their conditions [b, q], and standard normal numbers [b, k]."""

    images: Tensor
    conditions: Tensor
    epsilon: Tensor


class ConditionalVAE(GenerativeMethod):
    """A VAE both of whose halves are told a condition: a point of the simplex over classes, or zeros for unknown.

    A condition is a row of shares that sum to 1: a class (one-hot), or how much of each class is wanted. Zeros say
    that the class is not known.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.

    Attributes:
        conditions: q, the length of a condition: the number of classes, and 1 (always 0) where none is known.
    """

    learns_from_labels = True

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        super().__init__(encoder, chain, augment=config.augment)
        self.config = config
        self.latent = config.latent
        self.conditions = max(1, config.classes)
        self.head = PosteriorHead(encoder.features + self.conditions, config.latent)
        self.decoder = ConditionalDecoder(decoder(encoder, inputs=config.latent + self.conditions), self.conditions)
        spec = encoder.spec
        dear = config.beta or price(spec.channels * spec.height * spec.width)
        self.bound = Bound(replace(config, beta=dear))

    def condition(self, labels: Tensor) -> Tensor:
        """Conditions [b, q] of labels [b]: one-hot, and zeros where there is none.

        Raises:
            ValueError: a label that is not below `classes`.
        """
        return of_labels(labels, self.config.classes)

    def posterior(self, images: Tensor, conditions: Tensor | None = None) -> Posterior:
        """The distributions of the codes of images [b, c, h, w] in 0..1 under conditions [b, q], or unknown ones."""
        features = self.encoder(images)  # [b, d]
        told = self._told(conditions, features)
        posterior: Posterior = self.head(torch.cat([features, told], dim=1))
        return posterior

    def encode(self, images: Tensor, conditions: Tensor | None = None) -> Tensor:
        """The means [b, k] of the posteriors of images [b, c, h, w] in 0..1 under conditions [b, q] or unknown ones."""
        return self.posterior(images, conditions).mean

    def decode(self, codes: Tensor, conditions: Tensor | None = None) -> Tensor:
        """The expected images [b, c, h, w] in 0..1 of codes [b, k] under conditions [b, q], or unknown ones."""
        return to_images(self.decoder(codes, self._told(conditions, codes)), self.config.likelihood)

    def reconstruct(self, images: Tensor, conditions: Tensor | None = None) -> Tensor:
        """What becomes of images [b, c, h, w] on the way through their codes; the same shape and range."""
        return self.decode(self.encode(images, conditions), conditions)

    def sample(self, conditions: Tensor, rng: torch.Generator) -> Tensor:
        """A new image for each condition [b, q]: the decoder's answer to codes from the prior, [b, c, h, w] in 0..1.

        The prior is the standard normal for every condition. The paper learns one for each: without it the codes of
        all classes mean the same, and a style can be carried from one class to another.
        """
        told = conditions.to(self.bound.weight.device)
        return self.decode(torch.randn(len(told), self.latent, generator=rng).to(told.device), told)

    def negative_elbo(self, images: Tensor, epsilon: Tensor, conditions: Tensor | None = None) -> Tensor:
        """An estimate, from one code an image, of the upper bound on -log p(image | condition).

        Args:
            images: [b, c, h, w] in 0..1.
            epsilon: [b, k] standard normal numbers.
            conditions: [b, q], or None for unknown ones.

        Returns:
            [b] in nats.
        """
        posterior = self.posterior(images, conditions)
        outputs = self.decoder(posterior.draw(epsilon), self._told(conditions, epsilon))
        return self.bound.negative_elbo(outputs, images, posterior)

    def views(self, batch: ImageBatch, rng: torch.Generator) -> ConditionalViews:
        """The images, their classes where those are known and not hidden, and the numbers to draw codes with."""
        images = self.training_images(batch, rng)
        hidden = torch.rand(len(images), 1, generator=rng) < self.config.unknown  # [b, 1]
        conditions = self.condition(batch.labels.cpu()) * ~hidden
        epsilon = torch.randn(len(images), self.latent, generator=rng)
        return ConditionalViews(images, conditions.to(images.device), epsilon.to(images.device))

    def forward(self, views: ConditionalViews) -> Step:
        """The negative bound in nats an image, its KL weighted as training stands."""
        posterior = self.posterior(views.images, views.conditions)
        outputs = self.decoder(posterior.draw(views.epsilon), views.conditions)
        step: Step = self.bound(outputs, views.images, posterior)
        return step

    def after_step(self, progress: Progress) -> None:
        """The weight of the KL rises."""
        self.bound.after_step(progress)

    def _told(self, conditions: Tensor | None, like: Tensor) -> Tensor:
        """[b, q] on the device of `like` [b, ...]; zeros where nothing was told."""
        if conditions is None:
            return torch.zeros(len(like), self.conditions, device=like.device)
        return conditions.to(like.device)


class ConditionalDecoder(nn.Module):
    """A decoder that is told the condition at its start and again behind each block, as a bias of each channel.

    Args:
        plain: takes codes and conditions side by side, [b, k + q].
        conditions: q.
    """

    def __init__(self, plain: nn.Module, conditions: int) -> None:
        super().__init__()
        assert isinstance(plain, Decoder)  # every mirror image is one
        self.plain = plain
        self.told = nn.ModuleList(nn.Linear(conditions, _width(block), bias=False) for block in plain.blocks)

    def forward(self, codes: Tensor, conditions: Tensor) -> Tensor:
        """Outputs [b, c, h, w] of codes [b, k] and conditions [b, q]."""
        plain = self.plain
        joined = torch.cat([codes, conditions.to(codes.dtype)], dim=1)  # [b, k + q]
        maps = plain.unfold(plain.linear(joined)).unflatten(1, plain.start)
        for block, told in zip(plain.blocks, self.told, strict=True):
            maps = block(maps) + told(conditions)[:, :, None, None]
        outputs: Tensor = plain.last(maps)
        return outputs


def _width(block: nn.Module) -> int:
    """The channels that come out of a block of a decoder."""
    return cast(nn.Conv2d, cast(Doubling, block).smooth[0]).out_channels
