"""The expander: three linear layers, normalised between them, of nothing that the losses behind it would subtract."""

import torch
from torch import nn

from hundredfold.encoders.expander import expander


def test_the_order_and_the_widths_are_those_of_the_papers():
    head = expander(16, 12, 40)
    kinds = [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert [type(part) for part in head] == kinds
    layers = [part for part in head if isinstance(part, nn.Linear)]
    assert [(part.in_features, part.out_features) for part in layers] == [(16, 12), (12, 12), (12, 40)]
    assert all(part.bias is None for part in layers)


def test_features_become_what_is_compared():
    z = expander(16, 12, 40)(torch.randn(5, 16, generator=torch.Generator().manual_seed(0)))
    assert z.shape == (5, 40) and bool(z.isfinite().all())
