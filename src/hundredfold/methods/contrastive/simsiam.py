"""SimSiam: from one view of an image predict the projection of the other, whose gradient is stopped.

Source: Chen & He, "Exploring Simple Siamese Representation Learning", CVPR 2021 (arXiv 2011.10566), algorithm 1 and
equations 1 to 4.

When to use it: small batches, and images of which many are alike: nothing is pushed apart, so there are no negatives
that are none. It holds one network and is the cheapest method of its kind. When not: as the first thing to try.
Nothing in the loss forbids that all images become one point; predictor, stopped gradient and normalisation prevent
it, and the loss alone does not tell. Look at the spread of the projections: near 1 is well, near 0 has collapsed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.heads import normalised_head, prediction_head
from hundredfold.losses._pair import unit_length
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod
from hundredfold.types import Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of SimSiam.

    Attributes:
        layers: linear layers of the projection head, >= 2; the paper has 3, and 2 for CIFAR-10.
        predictor_hidden: width of the predictor's hidden layer. The paper's is a bottleneck, a quarter of `projection`,
            in runs of 100 epochs and more. In short ones that leaves the features fewer directions: 128 of 512 an
            effective rank of 63, 512 of 93, after 312 steps on 10,000 images of MNIST (16x16, 256 features).
    """

    projection: int = 256
    layers: int = 2
    predictor_hidden: int = 512

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = super().problems()
        if self.layers < 2:
            found.append(f"layers must be >= 2, got {self.layers}")
        if self.predictor_hidden < 1:
            found.append(f"predictor_hidden must be >= 1, got {self.predictor_hidden}")
        return found


class SimSiam(TwoViewMethod):
    """An encoder, a projection head and a predictor that learn from pairs of views without negatives.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.
    """

    config: Config

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        head = normalised_head(encoder.features, config.hidden, config.projection, layers=config.layers)
        super().__init__(encoder, chain, config, head)
        self.predictor = prediction_head(config.projection, config.predictor_hidden, config.projection)

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """How far each view's prediction is from the other's projection, in 0..2; one pass through the predictor."""
        pa, pb = self.predictor(torch.cat([za, zb])).chunk(2)
        return Step((distance(pa, zb.detach()) + distance(pb, za.detach())) / 2, {})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """No chance: features that tell nothing apart reach the floor, 0, too."""
        return None, 0.0


def distance(prediction: Tensor, target: Tensor) -> Tensor:
    """1 - cosine, mean over rows: equation 1 plus 1, so that 0 is perfect and 1 is as good as unrelated.

    Shapes: [n, d] and [n, d] -> scalar in 0..2, in float32 (float64 for float64 inputs).
    """
    with torch.autocast(prediction.device.type, enabled=False):
        return 1 - (unit_length(prediction) * unit_length(target)).sum(1).mean()
