"""Denoising autoencoder: says the clean image from a spoilt one, which no copying of pixels can do.

Source: Vincent, Larochelle, Bengio & Manzagol, "Extracting and Composing Robust Features with Denoising Autoencoders",
ICML 2008, section 2.3 (masking noise); Vincent et al., "Stacked Denoising Autoencoders", JMLR 11, 2010, section 3.3
(Gaussian noise).

Hypothesis: clean images are few among all images, and to find the nearest one takes knowing what images are like. When
to use it: to clean noisy images; as an autoencoder whose code may be long. When not: textures, or images whose detail
looks like the noise.

Trivial solutions: with little noise, the identity; with much, the blurred mean image (`explained` near 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.build import decoder
from hundredfold.methods.generative._generative import GenerativeMethod, check_code, explained, to_images
from hundredfold.types import ImageBatch, Step
from hundredfold.views.chain import Chain

CORRUPTIONS = ("gaussian", "masking")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the denoising autoencoder.

    Attributes:
        latent: length of a code, >= 1.
        corruption: "gaussian" adds noise and cuts to 0..1, "masking" sets pixels to 0.
        noise: the standard deviation, or the share of pixels set to 0: > 0, and <= 1 for "masking". Ten epochs of
            10,000 images of MNIST at 0.5 bring new images of that noise to 19.1 dB, where the better of a Gaussian and
            a median filter brings them to 14.2, and images of less noise to 20.2 and more.
        varied: whether each image draws a noise of its own between 0 and `noise`.
        augment: whether the training images are changed by the views first.
    """

    latent: int = 256
    corruption: str = "gaussian"
    noise: float = 0.5
    varied: bool = False
    augment: bool = False

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = check_code(self.latent, "mse")
        if self.corruption not in CORRUPTIONS:
            found.append(f"corruption must be one of {', '.join(CORRUPTIONS)}, got {self.corruption!r}")
        if not 0 < self.noise <= (1.0 if self.corruption == "masking" else 10.0):
            found.append(f"noise must be > 0, and at most 1 for masking and 10 for gaussian, got {self.noise}")
        return found


class NoisyAndClean(NamedTuple):
    """The same images spoilt and clean, each [b, c, h, w] in 0..1."""

    noisy: Tensor
    clean: Tensor


class DenoisingAutoencoder(GenerativeMethod):
    """An encoder, a code, and the encoder's mirror image, between a spoilt image and a clean one.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.
    """

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        super().__init__(encoder, chain, augment=config.augment)
        self.config = config
        self.latent = config.latent
        self.code = nn.Linear(encoder.features, config.latent)
        self.decoder = decoder(encoder, inputs=config.latent)

    def encode(self, images: Tensor) -> Tensor:
        """The codes [b, k] of images [b, c, h, w] in 0..1, spoilt or clean."""
        codes: Tensor = self.code(self.encoder(images))
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """The clean images [b, c, h, w] in 0..1 of codes [b, k]."""
        return to_images(self.decoder(codes), "mse")

    def denoise(self, images: Tensor) -> Tensor:
        """The clean images [b, c, h, w] in 0..1 that these spoilt ones [b, c, h, w] in 0..1 come from."""
        return self.reconstruct(images)

    def corrupt(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Images [b, c, h, w] in 0..1 spoilt as in training, the same shape and range."""
        strength = torch.rand(len(images), 1, 1, 1, generator=rng) if self.config.varied else torch.ones(1, 1, 1, 1)
        strength = (self.config.noise * strength).to(images.device)
        if self.config.corruption == "masking":
            return images * (torch.rand(images.shape, generator=rng).to(images.device) >= strength)
        noise = torch.randn(images.shape, generator=rng).to(images.device)
        return (images + strength * noise).clamp(0, 1)  # cut, as the values of any image file are

    def views(self, batch: ImageBatch, rng: torch.Generator) -> NoisyAndClean:
        """The images, and what noise makes of them."""
        clean = self.training_images(batch, rng)
        return NoisyAndClean(self.corrupt(clean, rng), clean)

    def forward(self, views: NoisyAndClean) -> Step:
        """The mean squared error of a pixel of the clean image."""
        outputs = self.decoder(self.encode(views.noisy)).float()  # [b, c, h, w]
        return Step(
            functional.mse_loss(outputs, views.clean), {"explained": explained(to_images(outputs, "mse"), views.clean)}
        )

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """Nothing is known of chance, which depends on the images; a squared error is not below 0."""
        return None, 0.0
