"""Gaussian likelihood: squared errors in nats, when each pixel is a normal number around what a network says.

Source: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014 (arXiv 1312.6114), appendix C.2, with one
variance for all pixels:

    -log p(x | z) = sum_i (x_i - y_i)^2 / (2 sigma^2) + ln(sigma) + ln(2 pi) / 2.

It is a density: below 0 where the error is small against a small sigma.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hundredfold.losses._pair import at_least_float32


def gaussian(means: Tensor, images: Tensor, *, sigma: float) -> Tensor:
    """-log p of each image, [b] in nats, summed over pixels and channels.

    Args:
        means: [b, ...], of any value.
        images: [b, ...] of the same shape.
        sigma: the standard deviation of every pixel, > 0.

    Returns:
        [b] in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ, or sigma is not > 0 and finite.

    >>> gaussian(torch.zeros(1, 2), torch.zeros(1, 2), sigma=1.0)  # ln(2 pi)
    tensor([1.8379])
    """
    if means.shape != images.shape or means.dim() < 2:
        shapes = f"{tuple(means.shape)} and {tuple(images.shape)}"
        raise ValueError(f"means and images must have the same shape [b, ...], got {shapes}")
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma must be > 0 and finite, got {sigma}")
    with torch.autocast(means.device.type, enabled=False):
        errors = (at_least_float32(means) - at_least_float32(images)).flatten(1)  # [b, d]
        constant = math.log(sigma) + math.log(2 * math.pi) / 2
        return errors.square().sum(1) / (2 * sigma**2) + constant * errors.shape[1]
