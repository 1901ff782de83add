"""VICReg: two views should agree, while each feature keeps its variance and none repeats another.

Source: Bardes, Ponce & LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
ICLR 2022 (arXiv 2105.04906), section 4 and algorithm 1.

When to use it: small batches, or images of which many are alike: nothing is pushed away, and the three terms in the
log say which of them gives in. When not: where one weight more to choose is one too many; `barlow_twins` has one.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.expander import expander
from hundredfold.losses.vicreg import vicreg_chance, vicreg_terms
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod
from hundredfold.types import Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of VICReg.

    Attributes:
        invariance: weight of the distance of two views, >= 0.
        variance: weight of what features lack of a standard deviation of 1, > 0: without it all collapses.
        covariance: weight of what different features share, >= 0.
        hidden: width of the head's two hidden layers.
        projection: features that are compared, >= 2. The paper has 8192 for batches of 2048; below the size of the
            batch none has to repeat others. With 100 labels of 10,000 images of MNIST 128 did as well as 256.
    """

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    hidden: int = 512
    projection: int = 128

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = super().problems()
        if not (self.invariance >= 0 and self.covariance >= 0):
            found.append(f"invariance and covariance must be >= 0, got {self.invariance} and {self.covariance}")
        if not self.variance > 0:
            found.append(f"variance must be > 0, got {self.variance}: without it all images become one point")
        if self.projection == 1:
            found.append("projection must be >= 2, got 1: a feature is compared with others")
        return found


class VICReg(TwoViewMethod):
    """An encoder and a head whose features agree across views, vary, and do not repeat each other.

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
        """The loss, and its three terms without their weights."""
        config = self.config
        terms = vicreg_terms(za, zb)
        loss = (
            config.invariance * terms.invariance
            + config.variance * terms.variance
            + config.covariance * terms.covariance
        )
        return Step(loss, {name: term.detach() for name, term in terms._asdict().items()})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """A constant representation; 0 if the images of a batch can span all features, not known otherwise."""
        return vicreg_chance(self.config.variance), 0.0 if self.config.projection < batch_size else None
