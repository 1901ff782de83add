"""Barlow Twins: the features of two views should agree one by one, and no two features should say the same.

Source: Zbontar, Jing, Misra, LeCun & Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
ICML 2021 (arXiv 2103.03230), section 2 and algorithm 1.

When to use it: images of which many are alike, for nothing is pushed apart: features are compared, not images. When
not: runs of a few epochs, in which it learns more slowly than `simclr` and `vicreg`, and batches below about 64, over
which correlations are noise.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.expander import expander
from hundredfold.losses.barlow_twins import barlow_twins_chance, barlow_twins_floor, barlow_twins_terms
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod
from hundredfold.types import Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of Barlow Twins.

    Attributes:
        redundancy: weight of the correlations of different features, >= 0. The paper's 0.005 goes with 8192 features,
            each of which has as many others; with 512, and 100 labels of 10,000 images of MNIST, cross-validation
            gave 90.0 % at 0.005 and 92.5 % at 0.02.
        hidden: width of the head's two hidden layers.
        projection: features that are compared, >= 2; the paper gains up to 16384, for a ResNet-50.
    """

    redundancy: float = 0.02
    hidden: int = 512
    projection: int = 512

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = super().problems()
        if not self.redundancy >= 0:
            found.append(f"redundancy must be >= 0, got {self.redundancy}")
        if self.projection == 1:
            found.append("projection must be >= 2, got 1: a feature is compared with others")
        return found


class BarlowTwins(TwoViewMethod):
    """An encoder and a head whose features agree across views and do not repeat each other.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.
    """

    config: Config

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        head = expander(encoder.features, config.hidden, config.projection)
        super().__init__(encoder, chain, config, head)

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """The loss, and its two sums per feature."""
        terms = barlow_twins_terms(za, zb)
        loss = terms.invariance + self.config.redundancy * terms.redundancy
        return Step(loss, {name: (term / za.shape[1]).detach() for name, term in terms._asdict().items()})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """A constant representation, and what so many images allow at best."""
        d = self.config.projection
        return barlow_twins_chance(d), barlow_twins_floor(batch_size, d, self.config.redundancy)
