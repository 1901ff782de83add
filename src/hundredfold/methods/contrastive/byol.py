"""BYOL: from one view of an image predict what a slowly following copy of the network makes of the other.

Source: Grill, Strub, Altche et al., "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning", NeurIPS
2020 (arXiv 2006.07733), section 3, equations 1 and 2.

When to use it: small batches, and images of which many are alike: nothing is pushed apart, so there are no negatives
that are none. When not: as the first thing to try. Each step costs a pass through a second network, and nothing in the
loss forbids that all images become one point; predictor, slow target and normalisation prevent it, and the loss alone
does not tell. Look at the spread of the projections: near 1 is well, near 0 has collapsed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.heads import prediction_head
from hundredfold.losses._pair import unit_length
from hundredfold.methods._base import Method
from hundredfold.methods.contrastive._momentum import MomentumCopy, check_momentum, rising_momentum
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViews, two_views
from hundredfold.types import ImageBatch, Progress, Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of BYOL.

    Attributes:
        predictor_hidden: width of the predictor's hidden layer.
        momentum: tau at the start, in 0..1; it rises to 1 on a cosine. The target lags by about 1 / (1 - tau) steps,
            which has to be little of a run: the paper has 0.996 for hundreds of thousands of steps. In 936 steps on
            10,000 images of MNIST (16x16) 0.95 did better than 0.99: spread 0.88 against 0.86, 94.2 against 92.9 %
            with 100 labels, scored on other images to learn from.
    """

    predictor_hidden: int = 1024
    momentum: float = 0.95

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = super().problems()
        if self.predictor_hidden < 1:
            found.append(f"predictor_hidden must be >= 1, got {self.predictor_hidden}")
        return found + check_momentum(self.momentum)


class BYOL(Method):
    """An encoder, a projection head and a predictor that learn from a target which follows them.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.
    """

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        super().__init__()
        self.config = config
        self.chain = chain
        self.encoder = encoder
        self.head = prediction_head(encoder.features, config.hidden, config.projection)
        self.predictor = prediction_head(config.projection, config.predictor_hidden, config.projection)
        self.target = MomentumCopy(self.encoder, self.head)

    def views(self, batch: ImageBatch, rng: torch.Generator) -> TwoViews:
        """Two independent views of each image of the batch."""
        return two_views(self.chain, batch, rng)

    def project(self, views: TwoViews) -> tuple[Tensor, Tensor]:
        """The two projections [b, d] of the trained network; one pass, so that batch statistics are of all views."""
        za, zb = self.head(self.encoder(torch.cat([views.a, views.b]))).chunk(2)
        return za, zb

    def forward(self, views: TwoViews) -> Step:
        """How far each view's prediction is from the target of the other, in 0..4: half of the paper's sum of both.

        A mean over images whose terms do not depend on each other: the processes' mean is that of the joined batch.
        """
        za, zb = self.project(views)
        pa, pb = self.predictor(torch.cat([za, zb])).chunk(2)
        ta, tb = self.target(torch.cat([views.a, views.b])).chunk(2)
        loss = (squared_distance(pa, tb) + squared_distance(pb, ta)) / 2
        return Step(loss, {}, pair=(za, zb))

    def after_step(self, progress: Progress) -> None:
        """The target follows, ever more slowly."""
        self.target.follow(self.encoder, self.head, momentum=rising_momentum(progress, self.config.momentum))

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """No chance: features that tell nothing apart reach the floor, 0, too."""
        return None, 0.0


def squared_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared distance of rows brought to length 1, 2 - 2 cosine, mean over rows: equation 2; 2 if unrelated.

    Shapes: [n, d] and [n, d] -> scalar in 0..4, in float32 (float64 for float64 inputs).
    """
    with torch.autocast(prediction.device.type, enabled=False):
        return 2 - 2 * (unit_length(prediction) * unit_length(target)).sum(1).mean()
