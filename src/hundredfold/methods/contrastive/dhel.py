"""DHEL: two views of an image agree, and within each view all images keep their distance.

Source: Koromilas, Bouritsas, Giannakopoulos, Nicolaou & Panagakis, "Bridging Mini-Batch and Asymptotic Analysis in
Contrastive Learning: From InfoNCE to Kernel-Based Losses", ICML 2024 (arXiv 2405.18045).

When to use it: as DCL; its two aims, agreement across views and spread within them, do not meet in any similarity, so
the optimum does not depend on the balance between them. When not: views that differ so much that they could be of two
kinds; nothing then pushes different images apart across the views.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.losses.dhel import dhel, dhel_chance, dhel_floor
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod, positive
from hundredfold.types import Step


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of DHEL.

    Attributes:
        temperature: of the loss, > 0.
    """

    temperature: float = 0.5

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        return [*positive("temperature", self.temperature), *super().problems()]


class DHEL(TwoViewMethod):
    """An encoder and a projection head that learn from pairs of views."""

    config: Config

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """The decoupled loss whose negatives are within the views."""
        return Step(dhel(za, zb, temperature=self.config.temperature), {})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """ln(n - 1), and the loss of the simplex, which may be negative."""
        return dhel_chance(batch_size), dhel_floor(batch_size, self.config.temperature)

    def softmax_temperature(self) -> float:
        """That of the settings."""
        return self.config.temperature
