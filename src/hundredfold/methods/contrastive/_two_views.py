"""What the methods that compare two views share: drawing both, one pass through network and head, one comparison."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hundredfold import distributed
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.heads import projection_head
from hundredfold.methods._base import Method
from hundredfold.types import ImageBatch, Step
from hundredfold.views.chain import Chain


class TwoViews(NamedTuple):
    """Two views of the same images, each [b, c, h, w] in 0..1."""

    a: Tensor
    b: Tensor


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """Settings of a projection head, which each method's `Config` begins with.

    Attributes:
        hidden: width of the projection head's hidden layer.
        projection: dimensions in which views are compared.
    """

    hidden: int = 512
    projection: int = 128

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        if self.hidden < 1 or self.projection < 1:
            return [f"hidden and projection must be >= 1, got {self.hidden} and {self.projection}"]
        return []


class TwoViewMethod(Method):
    """An encoder and a head whose projections of two views are compared; what differs is `compare`.

    A method declares the type of its settings, `config: Config`, and has an `__init__` of its own only if it holds more
    than an encoder and a head, or another head.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: the method's settings.
        head: [b, features] -> [b, d]; None takes SimCLR's projection head.
    """

    def __init__(self, encoder: Encoder, chain: Chain, config: HeadConfig, head: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.chain = chain
        self.encoder = encoder
        self.head = head or projection_head(encoder.features, config.hidden, config.projection)

    @abstractmethod
    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """The loss of two projections [n, d], those of all processes; row i of both is the same image."""

    def views(self, batch: ImageBatch, rng: torch.Generator) -> TwoViews:
        """Two independent views of each image of the batch."""
        return two_views(self.chain, batch, rng)

    def project(self, views: TwoViews) -> tuple[Tensor, Tensor]:
        """The two projections, each [b, d]; one pass, so that batch statistics are those of all views."""
        za, zb = self.head(self.encoder(torch.cat([views.a, views.b]))).chunk(2)
        return za, zb

    def forward(self, views: TwoViews) -> Step:
        """The loss over the images of all processes."""
        za, zb = self.project(views)
        return self.compare(distributed.gather(za), distributed.gather(zb))._replace(pair=(za, zb))


def two_views(chain: Chain, batch: ImageBatch, rng: torch.Generator) -> TwoViews:
    """Two independent views of each image of the batch, drawn and applied at once."""
    size = (batch.images.shape[2], batch.images.shape[3])
    drawn = chain.draw(2 * len(batch.images), size, rng)
    both = chain.apply(torch.cat([batch.images, batch.images]), drawn)  # [2b, c, h, w]
    return TwoViews(*both.chunk(2))


def positive(name: str, value: float) -> list[str]:
    """A sentence if a setting that must be > 0 is not."""
    return [] if value > 0 else [f"{name} must be > 0, got {value}"]
