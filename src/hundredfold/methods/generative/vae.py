"""VAE: an autoencoder whose codes are spread like a standard normal, so that a code drawn at random is an image too.

Source: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014 (arXiv 1312.6114), section 3; with `beta`:
Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework", ICLR 2017.

Hypothesis: images come from a few independent causes, and every mixture of causes is an image. When to use it: to draw
new images, to go from one to another, to say how likely an image is. When not: where only the features count, for a
posterior is noisy; or where sharp images are wanted, for a likelihood of pixels blurs what the code does not say.

Trivial solutions: posterior collapse, where the code is noise and all images are the mean image (`kl` near 0; warm-up
and free bits are against it); and the opposite with beta = 0, where codes drawn at random are no images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.build import decoder
from hundredfold.methods.generative._generative import GenerativeMethod, to_images
from hundredfold.methods.generative._variational import Bound, Posterior, PosteriorHead, VariationalConfig
from hundredfold.types import ImageBatch, Progress, Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config(VariationalConfig):
    """Settings of the VAE, those of `VariationalConfig`."""


class VAEViews(NamedTuple):
    """Images [b, c, h, w] in 0..1 and standard normal numbers [b, k], from which their codes are drawn."""

    images: Tensor
    epsilon: Tensor


class VAE(GenerativeMethod):
    """An encoder that says a distribution of codes, and the encoder's mirror image.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.
    """

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        super().__init__(encoder, chain, augment=config.augment)
        self.config = config
        self.latent = config.latent
        self.head = PosteriorHead(encoder.features, config.latent)
        self.decoder = decoder(encoder, inputs=config.latent)
        self.bound = Bound(config)

    def posterior(self, images: Tensor) -> Posterior:
        """The distributions of the codes of images [b, c, h, w] in 0..1."""
        posterior: Posterior = self.head(self.encoder(images))
        return posterior

    def encode(self, images: Tensor) -> Tensor:
        """The means [b, k] of the posteriors of images [b, c, h, w] in 0..1."""
        return self.posterior(images).mean

    def decode(self, codes: Tensor) -> Tensor:
        """The expected images [b, c, h, w] in 0..1 of codes [b, k]."""
        return to_images(self.decoder(codes), self.config.likelihood)

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """New images [count, c, h, w] in 0..1: the decoder's answer to codes drawn from the prior."""
        return self.decode(torch.randn(count, self.latent, generator=rng).to(self.bound.weight.device))

    def negative_elbo(self, images: Tensor, epsilon: Tensor) -> Tensor:
        """An estimate, from one code an image, of the upper bound on -log p(image).

        Args:
            images: [b, c, h, w] in 0..1.
            epsilon: [b, k] standard normal numbers.

        Returns:
            [b] in nats; with "mse" of a density of pixels, so it may be below 0.
        """
        posterior = self.posterior(images)
        return self.bound.negative_elbo(self.decoder(posterior.draw(epsilon)), images, posterior)

    def views(self, batch: ImageBatch, rng: torch.Generator) -> VAEViews:
        """The images, and the numbers that their codes are drawn with."""
        images = self.training_images(batch, rng)
        return VAEViews(images, torch.randn(len(images), self.latent, generator=rng).to(images.device))

    def forward(self, views: VAEViews) -> Step:
        """The negative bound in nats an image, its KL weighted as training stands."""
        posterior = self.posterior(views.images)
        step: Step = self.bound(self.decoder(posterior.draw(views.epsilon)), views.images, posterior)
        return step

    def after_step(self, progress: Progress) -> None:
        """The weight of the KL rises."""
        self.bound.after_step(progress)
