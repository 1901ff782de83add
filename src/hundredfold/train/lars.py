"""LARS: the learning rate of each layer follows the ratio of its weights' norm to its gradient's.

Source: You, Gitman & Ginsburg, "Large Batch Training of Convolutional Networks" (arXiv 1708.03888), algorithm 1.
When to use it: batches of thousands. Groups with `adapt = False` (biases, normalisation) get plain momentum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer


class LARS(Optimizer):
    """SGD with momentum and a layer-wise trust ratio.

    Args:
        params: parameters or groups of them; a group may say `adapt = False`.
        lr: global learning rate.
        momentum: 0..1.
        weight_decay: added to the gradient, >= 0.
        trust: the trust coefficient eta of the paper.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 1e-3,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust, "adapt": True}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    def _update(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        assert parameter.grad is not None
        direction = parameter.grad + group["weight_decay"] * parameter
        if group["adapt"]:
            weights, change = parameter.norm(), direction.norm()
            ratio = torch.where((weights > 0) & (change > 0), group["trust"] * weights / change, 1.0)
            direction = direction * ratio
        velocity = self.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
        velocity.mul_(group["momentum"]).add_(direction, alpha=group["lr"])
        parameter.sub_(velocity)
