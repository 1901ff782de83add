"""The optimizer of a plan, with weight decay on matrices and filters only."""

from __future__ import annotations

import torch
from torch import nn

from hundredfold.train.lars import LARS
from hundredfold.train.plan import Plan

MOMENTUM = 0.9


def optimizer(method: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """AdamW, SGD or LARS over the trainable parameters of `method`.

    Parameters of one dimension (biases, normalisation) get neither weight decay nor LARS's trust ratio.
    """
    trainable = [parameter for parameter in method.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trainable if parameter.dim() > 1]
    exempt = [parameter for parameter in trainable if parameter.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": exempt, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if plan.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=plan.lr, fused=True)
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.lr, momentum=MOMENTUM, nesterov=True)
    groups[-1]["adapt"] = not exempt
    return LARS(groups, lr=plan.lr, momentum=MOMENTUM)
