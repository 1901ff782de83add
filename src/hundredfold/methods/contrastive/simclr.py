"""SimCLR: two random views of an image should resemble each other more than any other image of the batch.

Source: Chen, Kornblith, Norouzi & Hinton, "A Simple Framework for Contrastive Learning of Visual Representations",
ICML 2020 (arXiv 2002.05709), section 2 and algorithm 1.

When to use it: the first thing to try on any images for which one can name changes that do not matter (a rotation,
a crop, a blur). When not: images whose meaning is destroyed by every view at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.losses._negatives import NEGATIVES
from hundredfold.losses.nt_xent import nt_xent, nt_xent_chance, nt_xent_floor
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod, positive
from hundredfold.types import Step


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of SimCLR.

    Attributes:
        temperature: of the loss, > 0. The paper's best for CIFAR-10 (appendix B.9) also suited MNIST, where 0.2 told
            images apart too well: 83.3 against 87.5 % with 20 labels after one epoch.
        negatives: which views an image is told apart from: "both", as in the paper, "cross" (other images in the other
            view) or "within" (in the same view).
    """

    temperature: float = 0.5
    negatives: str = "both"

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = [*positive("temperature", self.temperature), *super().problems()]
        if self.negatives not in NEGATIVES:
            found.append(f"negatives must be one of {', '.join(NEGATIVES)}, got {self.negatives!r}")
        return found


class SimCLR(TwoViewMethod):
    """An encoder and a projection head that learn from pairs of views."""

    config: Config

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """NT-Xent over the 2n views."""
        return Step(nt_xent(za, zb, temperature=self.config.temperature, negatives=self.config.negatives), {})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """ln(1 + negatives), and the loss of the simplex."""
        config = self.config
        return (
            nt_xent_chance(batch_size, config.negatives),
            nt_xent_floor(batch_size, config.temperature, config.negatives),
        )

    def softmax_temperature(self) -> float:
        """That of the settings."""
        return self.config.temperature
