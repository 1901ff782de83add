"""SimCLR: two random views of an image should resemble each other more than any other image of the batch.

Source: Chen, Kornblith, Norouzi & Hinton, "A Simple Framework for Contrastive Learning of Visual Representations",
ICML 2020 (arXiv 2002.05709), section 2 and algorithm 1.

When to use it: the first thing to try on any images for which one can name changes that do not matter (a rotation,
a crop, a blur). When not: batches below about 32, or images whose meaning is destroyed by every view at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hundredfold import distributed
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.heads import projection_head
from hundredfold.losses.nt_xent import nt_xent, nt_xent_chance, nt_xent_floor
from hundredfold.methods._base import Method
from hundredfold.types import ImageBatch, Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of SimCLR.

    Attributes:
        temperature: of the loss, > 0. The paper's best for CIFAR-10 (appendix B.9) also suited MNIST, where 0.2 told
            images apart too well: 83.3 against 87.5 % with 20 labels after one epoch.
        hidden: width of the projection head's hidden layer.
        projection: dimensions in which views are compared.
    """

    temperature: float = 0.5
    hidden: int = 512
    projection: int = 128

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = []
        if self.temperature <= 0:
            found.append(f"temperature must be > 0, got {self.temperature}")
        if self.hidden < 1 or self.projection < 1:
            found.append(f"hidden and projection must be >= 1, got {self.hidden} and {self.projection}")
        return found


class TwoViews(NamedTuple):
    """Two views of the same images, each [b, c, h, w] in 0..1."""

    a: Tensor
    b: Tensor


class SimCLR(Method):
    """An encoder and a projection head that learn from pairs of views.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.
    """

    def __init__(self, encoder: Encoder, chain: Chain, config: Config | None = None) -> None:
        super().__init__()
        self.config = config or Config()
        self.chain = chain
        self.encoder = encoder
        self.head: nn.Module = projection_head(encoder.features, self.config.hidden, self.config.projection)

    def views(self, batch: ImageBatch, rng: torch.Generator) -> TwoViews:
        """Two independent views of each image of the batch."""
        size = (batch.images.shape[2], batch.images.shape[3])
        count = len(batch.images)
        drawn = self.chain.draw(2 * count, size, rng)
        both = self.chain.apply(torch.cat([batch.images, batch.images]), drawn)  # [2b, c, h, w]
        return TwoViews(*both.chunk(2))

    def project(self, views: TwoViews) -> tuple[Tensor, Tensor]:
        """The two projections, each [b, d]; one pass, so that batch statistics are those of all views."""
        za, zb = self.head(self.encoder(torch.cat([views.a, views.b]))).chunk(2)
        return za, zb

    def forward(self, views: TwoViews) -> Step:
        """NT-Xent over the 2b views, those of all processes."""
        za, zb = self.project(views)
        za, zb = distributed.gather(za), distributed.gather(zb)
        return Step(nt_xent(za, zb, temperature=self.config.temperature), {})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """ln(2n - 1), and the loss of the simplex."""
        return nt_xent_chance(batch_size), nt_xent_floor(batch_size, self.config.temperature)
