"""InfoNCE: each view should find the other view of its image among the other views of all images of the batch.

Source: van den Oord, Li & Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018 (arXiv
1807.03748), equation 4; for two views, in both directions, as in Radford et al., CLIP, ICML 2021 (arXiv 2103.00020).

When to use it: as SimCLR; half of its similarities, those within a view, are left out, which is the form that theory
speaks of and that pairs of different kinds (an image and its text) need. When not: SimCLR costs the same and has twice
the negatives; take this one to compare, not to gain.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.losses.info_nce import info_nce, info_nce_chance, info_nce_floor
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod, positive
from hundredfold.types import Step


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of InfoNCE.

    Attributes:
        temperature: of the loss, > 0.
        symmetric: both directions; False looks from the first view for the second alone.
    """

    temperature: float = 0.5
    symmetric: bool = True

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        return [*positive("temperature", self.temperature), *super().problems()]


class InfoNCE(TwoViewMethod):
    """An encoder and a projection head that learn to find the other view."""

    config: Config

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """InfoNCE over the n images."""
        return Step(info_nce(za, zb, temperature=self.config.temperature, symmetric=self.config.symmetric), {})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """ln n, and the loss of the simplex."""
        return info_nce_chance(batch_size), info_nce_floor(batch_size, self.config.temperature)

    def softmax_temperature(self) -> float:
        """That of the settings."""
        return self.config.temperature
