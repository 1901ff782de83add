"""What generative methods can be asked that hold a distribution of codes for each image."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from hundredfold.methods.generative._variational import Posterior


@runtime_checkable
class WithPosterior(Protocol):
    """A method that says how sure it is of a code, and bounds the probability of an image."""

    def posterior(self, images: Tensor) -> Posterior:
        """The distributions of the codes of images [b, c, h, w] in 0..1."""

    def negative_elbo(self, images: Tensor, epsilon: Tensor) -> Tensor:
        """[b] nats, of images [b, c, h, w] in 0..1 with codes drawn by standard normal numbers [b, k]."""
