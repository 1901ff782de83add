"""Bernoulli likelihood: what an image costs in nats when each pixel is a coin whose bias a network says.

Source: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014 (arXiv 1312.6114), appendix C.1, equation 11:

    -log p(x | z) = -sum_i x_i log y_i + (1 - x_i) log(1 - y_i),    y = sigmoid(logits).

A grey value x in 0..1 counts as the mean of so many coins. It then is no density of grey values, but a usual figure:
it is lowest at y = x, and there it is not 0 but the sum of the entropies of the pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.losses._pair import at_least_float32


def bernoulli(logits: Tensor, images: Tensor) -> Tensor:
    """-log p of each image, [b] in nats: binary cross entropy, summed over pixels and channels.

    Args:
        logits: [b, ...], of any value.
        images: [b, ...] of the same shape, in 0..1.

    Returns:
        [b] >= 0 in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ.

    >>> bernoulli(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2))  # 4 ln 2
    tensor([2.7726])
    """
    if logits.shape != images.shape or logits.dim() < 2:
        shapes = f"{tuple(logits.shape)} and {tuple(images.shape)}"
        raise ValueError(f"logits and images must have the same shape [b, ...], got {shapes}")
    with torch.autocast(logits.device.type, enabled=False):
        logits, images = at_least_float32(logits), at_least_float32(images)
        return functional.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)
