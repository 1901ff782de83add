"""SigLIP: for each pair of views on its own, are they of the same image? With a temperature and a bias that learn.

Source: Zhai, Mustafa, Kolesnikov & Beyer, "Sigmoid Loss for Language Image Pre-Training", ICCV 2023 (arXiv
2303.15343), section 3.2 and algorithm 1, here for two views of an image.

When to use it: no softmax over the batch, so a pair does not depend on the others, and the logit is calibrated: its
sigmoid is the probability that two views are of the same image. When not: few steps; temperature and bias start
from a guess and move slowly.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.losses.siglip import SigLIPLoss, siglip_chance
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod, positive
from hundredfold.types import Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of SigLIP.

    Attributes:
        temperature: what similarities are multiplied by, at the start, > 0.
        bias: what is added to them, at the start. The paper's 10 and -10 give identical views a logit of 0 and views at
            right angles one of -10. A new network finds all views alike, so the start is near 0 at any batch size,
            and a bias from the log-odds of one positive in 256, -5.5, is far too high: MNIST in batches of 256, 20
            labels after 60 steps, one run each: 79.9 % at -10, 60.9 % at -5.5, 58.8 % at -15.
        learnable: whether both learn.
    """

    temperature: float = 10.0
    bias: float = -10.0
    learnable: bool = True

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        return [*positive("temperature", self.temperature), *super().problems()]


class SigLIP(TwoViewMethod):
    """An encoder and a projection head that learn from pairs of views.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.
    """

    config: Config

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        super().__init__(encoder, chain, config)
        self.loss = SigLIPLoss(config.temperature, config.bias, config.learnable)

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """The logistic loss over the n^2 cross-view pairs, and where temperature and bias stand."""
        logs = {"temperature": self.loss.log_temperature.detach().exp(), "bias": self.loss.bias.detach()}
        return Step(self.loss(za, zb), logs)

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """The loss of equal similarities under the bias that suits them best; the floor moves with the temperature."""
        return siglip_chance(batch_size), None
