"""What stands on an encoder while it is trained, and is thrown away afterwards."""

from __future__ import annotations

from torch import nn


def projection_head(features: int, hidden: int, out: int, *, batch_norm: bool = False) -> nn.Sequential:
    """The projection head of SimCLR: z = W2 relu(W1 h), one hidden layer, no biases.

    Without it the loss makes the features forget what the views change; behind it they need not.

    Args:
        features: length of h.
        hidden: length of the hidden layer.
        out: length of z.
        batch_norm: normalise after each linear layer, as the authors' code does though their text does not say so.
            The last one then has no offset.

    Shapes: [b, features] -> [b, out].

    Source: Chen et al., A Simple Framework for Contrastive Learning of Visual Representations (2020), section 2.1.
    """
    layers: list[nn.Module] = [nn.Linear(features, hidden, bias=False)]
    if batch_norm:
        layers.append(nn.BatchNorm1d(hidden))
    layers += [nn.ReLU(inplace=True), nn.Linear(hidden, out, bias=False)]
    if batch_norm:
        layers.append(_batch_norm_without_offset(out))
    return nn.Sequential(*layers)


def _batch_norm_without_offset(features: int) -> nn.BatchNorm1d:
    norm = nn.BatchNorm1d(features)
    norm.bias.requires_grad_(False)  # stays at its start, 0
    return norm
