"""What generative methods share: an image becomes a code, and a code an image."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from hundredfold.methods._base import Method


class GenerativeMethod(Method):
    """A method that keeps what it needs to turn a code back into an image.

    Attributes:
        latent: k, the length of a code.
    """

    latent: int

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """The codes [b, k] of images [b, c, h, w] in 0..1; of a distribution, its mean."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """The images [b, c, h, w] in 0..1 of codes [b, k]."""

    def reconstruct(self, images: Tensor) -> Tensor:
        """What becomes of images [b, c, h, w] on the way through their codes; the same shape and range."""
        return self.decode(self.encode(images))
