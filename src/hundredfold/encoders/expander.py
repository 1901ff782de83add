"""The head of methods that compare features: three layers, wide at the end, where each output is a feature to fill."""

from __future__ import annotations

from torch import nn


def expander(features: int, hidden: int, out: int) -> nn.Sequential:
    """Linear, BatchNorm, ReLU, twice, and a linear layer; without biases, which the loss would subtract.

    Args:
        features: length of h.
        hidden: length of both hidden layers.
        out: length of z.

    Shapes: [b, features] -> [b, out].

    Source: Zbontar et al., Barlow Twins (2021), section 2.2; Bardes et al., VICReg (2022), section 4.2, which gives it
    the name. Both have 8192 throughout, for a ResNet-50 on ImageNet.
    """
    return nn.Sequential(
        nn.Linear(features, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, out, bias=False),
    )
