"""DCL: SimCLR without the positive pair in the denominator, so that small batches keep pulling it together.

Source: Yeh, Hong, Hsu, Liu, Chen & LeCun, "Decoupled Contrastive Learning", ECCV 2022 (arXiv 2110.06848), section 3.

When to use it: as SimCLR, where memory allows batches of tens or a few hundreds alone. When not: with large batches
it comes to the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.losses.dcl import dcl, dcl_chance, dcl_floor
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod, positive
from hundredfold.types import Step


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of DCL.

    Attributes:
        temperature: of the loss, > 0.
    """

    temperature: float = 0.5

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        return [*positive("temperature", self.temperature), *super().problems()]


class DCL(TwoViewMethod):
    """An encoder and a projection head that learn from pairs of views."""

    config: Config

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """The decoupled loss over the 2n views."""
        return Step(dcl(za, zb, temperature=self.config.temperature), {})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """ln(2n - 2), and the loss of the simplex, which may be negative."""
        return dcl_chance(batch_size), dcl_floor(batch_size, self.config.temperature)

    def softmax_temperature(self) -> float:
        """That of the settings."""
        return self.config.temperature
