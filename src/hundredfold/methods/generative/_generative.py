"""What generative methods share: an image becomes a code, and a code an image."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from hundredfold.data.images import as_float
from hundredfold.encoders._base import Encoder
from hundredfold.methods._base import Method
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain

LIKELIHOODS = ("bernoulli", "mse")  # what the outputs of a decoder are: logits of pixels, or pixels


class GenerativeMethod(Method):
    """A method that keeps what it needs to turn a code back into an image.

    Args:
        encoder: what is trained.
        chain: changes the training images, if that is asked for.
        augment: whether it is.

    Attributes:
        latent: k, the length of a code.
    """

    latent: int

    def __init__(self, encoder: Encoder, chain: Chain, *, augment: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.chain = chain
        self.augment = augment

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """The codes [b, k] of images [b, c, h, w] in 0..1; of a distribution, its mean."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """The images [b, c, h, w] in 0..1 of codes [b, k]."""

    def reconstruct(self, images: Tensor) -> Tensor:
        """What becomes of images [b, c, h, w] on the way through their codes; the same shape and range."""
        return self.decode(self.encode(images))

    def training_images(self, batch: ImageBatch, rng: torch.Generator) -> Tensor:
        """The images that are to be said again, [b, c, h, w] float32 in 0..1: as they are, or changed by the chain."""
        return self.chain(batch.images, rng) if self.augment else as_float(batch.images)


def to_images(outputs: Tensor, likelihood: str) -> Tensor:
    """What a decoder's outputs [b, c, h, w] mean as pixels, in float32 in 0..1."""
    return outputs.float().sigmoid() if likelihood == "bernoulli" else outputs.float().clamp(0, 1)


def explained(reconstructed: Tensor, images: Tensor) -> Tensor:
    """The share of the pixels' variance over a batch that a reconstruction explains, a scalar without gradient.

    1 - sum (x - y)^2 / sum (x - mean image)^2: 1 for images said again exactly, 0 for the mean image of the batch,
    which is what a decoder gives that knows nothing; below 0 for less than that.

    Args:
        reconstructed, images: [b, c, h, w] in 0..1.
    """
    with torch.no_grad():
        missed = (images - reconstructed.float()).square().sum()
        spread = (images - images.mean(0)).square().sum()
        return 1 - missed / spread.clamp_min(torch.finfo(torch.float32).tiny)


def check_code(latent: int, likelihood: str) -> list[str]:
    """Sentences on a code's length and a likelihood that cannot be used."""
    found = [] if latent >= 1 else [f"latent must be >= 1, got {latent}"]
    if likelihood not in LIKELIHOODS:
        found.append(f"likelihood must be one of {', '.join(LIKELIHOODS)}, got {likelihood!r}")
    return found
