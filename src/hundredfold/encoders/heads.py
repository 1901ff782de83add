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


def prediction_head(features: int, hidden: int, out: int) -> nn.Sequential:
    """One hidden layer with BatchNorm: BYOL's projection head and predictor, SimSiam's predictor.

    Args:
        features: length of what comes in.
        hidden: length of the hidden layer.
        out: length of what goes out, which is not normalised.

    Shapes: [b, features] -> [b, out], b >= 2 while training.

    Source: Grill et al., Bootstrap Your Own Latent (2020), section 3.3; Chen & He, Exploring Simple Siamese
    Representation Learning (2021), section 3.
    """
    return nn.Sequential(*_normalised_layer(features, hidden), nn.Linear(hidden, out))


def normalised_head(features: int, hidden: int, out: int, *, layers: int = 3) -> nn.Sequential:
    """SimSiam's projection head: BatchNorm behind every linear layer, the last one included.

    The last one has neither scale nor offset, as in the authors' code; their text does not say.

    Args:
        features: length of what comes in.
        hidden: length of the hidden layers.
        out: length of what goes out.
        layers: linear layers, >= 2; the paper has 3, and 2 for CIFAR-10.

    Shapes: [b, features] -> [b, out], b >= 2 while training.

    Source: Chen & He, Exploring Simple Siamese Representation Learning (2021), section 3 and table 3.
    """
    inner = _normalised_layer(features, hidden)
    for _ in range(layers - 2):
        inner += _normalised_layer(hidden, hidden)
    return nn.Sequential(*inner, nn.Linear(hidden, out, bias=False), nn.BatchNorm1d(out, affine=False))


def _normalised_layer(features: int, out: int) -> list[nn.Module]:
    """Linear, BatchNorm, ReLU; without the bias that BatchNorm would take away."""
    return [nn.Linear(features, out, bias=False), nn.BatchNorm1d(out), nn.ReLU(inplace=True)]


def _batch_norm_without_offset(features: int) -> nn.BatchNorm1d:
    norm = nn.BatchNorm1d(features)
    norm.bias.requires_grad_(False)  # stays at its start, 0
    return norm
