"""Prototypes: learnt directions that stand for groups of images, and to which projections are compared."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.losses._pair import unit_length
from hundredfold.types import Progress


class Prototypes(nn.Module):
    """k directions of d dimensions, which may rest at their random start while the projections find their places.

    Args:
        count: k.
        dimensions: d.
        frozen: share of the steps of a run, in 0..1, in which they rest.

    Shapes: projections [n, d], of any length -> cosine similarities [n, k].
    """

    moving: Tensor  # scalar: 1 once they learn, 0 before; a buffer, so that a resumed run knows

    def __init__(self, count: int, dimensions: int, *, frozen: float = 0.0) -> None:
        super().__init__()
        self.frozen = frozen
        self.weight = nn.Parameter(functional.normalize(torch.randn(count, dimensions)))
        self.register_buffer("moving", torch.tensor(float(frozen == 0)))

    def forward(self, z: Tensor) -> Tensor:
        """Cosine similarities in float32 (float64 for float64 projections)."""
        with torch.autocast(z.device.type, enabled=False):
            resting = self.weight.detach()
            # The value of the weight, with its gradient times 0 while it rests: DDP waits for one, even if it is 0.
            weight = resting + self.moving * (self.weight - resting)
            return unit_length(z) @ functional.normalize(weight).T

    @torch.no_grad()
    def after_step(self, progress: Progress) -> None:
        """Lets them learn when their time has come, and brings them back to length 1."""
        self.moving.fill_(float(progress.step >= self.frozen * progress.steps))
        self.weight.copy_(functional.normalize(self.weight))


def perplexity(shares: Tensor) -> Tensor:
    """How many prototypes are used: k if shares [k] are equal, 1 if one has all."""
    return torch.special.entr(shares).sum().exp()


def check_prototypes(count: int, frozen: float) -> list[str]:
    """A sentence for each of the two that is out of range."""
    found = [] if count >= 2 else [f"prototypes must be >= 2, got {count}"]
    if not 0 <= frozen <= 1:
        found.append(f"frozen is a share of the steps, in 0..1, got {frozen}")
    return found
