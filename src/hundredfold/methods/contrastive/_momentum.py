"""A copy of a network that follows it slowly: the target of BYOL, the key encoder of MoCo.

After each step of the network every weight w' of the copy moves towards its weight w there:

    w' <- tau w' + (1 - tau) w

Sources: He et al., "Momentum Contrast", CVPR 2020 (arXiv 1911.05722), equation 2; the schedule of tau: Grill et al.,
"Bootstrap Your Own Latent", NeurIPS 2020 (arXiv 2006.07733), section 3.3.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from hundredfold.types import Progress


class MomentumCopy(nn.Module):
    """A copy of modules called one after the other, which no gradient reaches.

    Its weights are part of the method's state. BatchNorm's running statistics are not averaged: the copy keeps those
    of its own activations.

    Args:
        parts: what to copy and to follow, in the order in which they are called.
    """

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.network = nn.Sequential(*copy.deepcopy(parts)).requires_grad_(False)

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """What the copy makes of the inputs, without a gradient."""
        outputs: Tensor = self.network(inputs)
        return outputs

    @torch.no_grad()
    def follow(self, *parts: nn.Module, momentum: float) -> None:
        """Moves every weight to momentum x itself + (1 - momentum) x that of `parts`.

        Raises:
            ValueError: `parts` are other modules than those copied.
        """
        for mine, theirs in zip(self.network.parameters(), nn.Sequential(*parts).parameters(), strict=True):
            mine.lerp_(theirs, 1 - momentum)


def rising_momentum(progress: Progress, base: float) -> float:
    """tau after a step: from `base` at the start on a cosine to 1 at the end, where the copy comes to rest.

    >>> [round(rising_momentum(Progress(step, 4), base=0.9), 3) for step in range(5)]
    [0.9, 0.915, 0.95, 0.985, 1.0]
    """
    return 1 - (1 - base) * (1 + math.cos(math.pi * progress.step / progress.steps)) / 2


def check_momentum(momentum: float) -> list[str]:
    """A sentence if a momentum is outside of 0..1."""
    return [] if 0 <= momentum <= 1 else [f"momentum must be in 0..1, got {momentum}"]
