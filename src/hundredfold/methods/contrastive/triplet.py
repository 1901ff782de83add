"""Triplet: a view should be nearer to the other view of its image than to views of other images, by a margin.

Source: Schroff, Kalenichenko & Philbin, "FaceNet: A Unified Embedding for Face Recognition and Clustering", CVPR 2015
(arXiv 1503.03832), section 3, with each image a class of its own.

When to use it: to look for the nearest images, where a margin says what is wanted, or as the ancestor to compare with.
When not: as the first choice; of all the negatives of a view one teaches. The loss stays near the margin in large
batches, as there is always a negative just beyond the positive: watch the share of triplets that violate the margin.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.losses.triplet_margin import MINING, triplet_margin, violating_share
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod
from hundredfold.types import Step

LARGEST = 2.0  # just below what squared distances of positives and negatives can differ by in a batch of any size


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of the triplet method.

    Attributes:
        margin: of squared distances between vectors of length 1, > 0 and at most 2. FaceNet's is 0.2; from
            there to 1 it hardly mattered on MNIST (one run each: 76.7 to 77.9 % with 20 labels after 60 steps).
        mining: which negatives make triplets: "semi-hard", "hard" or "all" (see `hundredfold.losses.triplet_margin`).
    """

    margin: float = 0.5
    mining: str = "semi-hard"

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = super().problems()
        if not 0 < self.margin <= LARGEST:
            found.append(f"margin must be > 0 and at most {LARGEST}, got {self.margin}")
        if self.mining not in MINING:
            found.append(f"mining must be one of {', '.join(MINING)}, got {self.mining!r}")
        return found


class Triplet(TwoViewMethod):
    """An encoder and a projection head that learn from triplets of views."""

    config: Config

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """The triplet loss of the 2n views as anchors, and the share of all triplets that violate the margin."""
        margin = self.config.margin
        loss = triplet_margin(za, zb, margin=margin, mining=self.config.mining)
        return Step(loss, {"violating": violating_share(za, zb, margin=margin)})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """No chance level: mined triplets violate the margin at any stage, and a good loss may be near the margin."""
        return None, 0.0
