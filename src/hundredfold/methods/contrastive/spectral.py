"""Spectral contrastive learning: two views of an image point the same way, different images at right angles.

Source: HaoChen, Wei, Gaidon & Ma, "Provable Guarantees for Self-Supervised Deep Learning with Spectral Contrastive
Loss", NeurIPS 2021 (arXiv 2106.04156), with the weights of Lee, Lim, Lee & Sohn, ICML 2025 (arXiv 2506.09781), table 3.

When to use it: to have features with a proof behind them, of a graph whose edges join views of one image; there is no
temperature to choose. When not: to gain the last percent; negatives count by the square of their similarity, so the
hardest weigh little more than the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.losses.spectral import CHANCE, FLOOR, spectral
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod
from hundredfold.types import Step


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of the spectral method: those of its head alone."""


class Spectral(TwoViewMethod):
    """An encoder and a projection head that learn from pairs of views."""

    config: Config

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """The spectral loss over the n images."""
        return Step(spectral(za, zb), {})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """0 and -1, whatever the batch size."""
        return CHANCE, FLOOR
