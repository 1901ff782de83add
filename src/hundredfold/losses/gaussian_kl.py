"""Gaussian KL: how far the distribution of a code is from the standard normal, in nats.

Source: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014 (arXiv 1312.6114), appendix B.

For q = N(mean, diag(exp(log_variance))) and p = N(0, I), dimension j contributes

    KL_j = 1/2 (mean_j^2 + exp(log_variance_j) - 1 - log_variance_j)  >= 0,

which is 0 where q is p: that dimension then says nothing of the image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hundredfold.losses._pair import at_least_float32


def gaussian_kl_per_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL_j of each image and dimension, [b, k] in nats, >= 0.

    Args:
        mean, log_variance: [b, k], of the distributions of b codes.

    Returns:
        [b, k] in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ or are not [b, k].

    >>> gaussian_kl_per_dimension(torch.tensor([[0.0, 2.0]]), torch.zeros(1, 2)).tolist()
    [[0.0, 2.0]]
    """
    if mean.dim() != 2 or mean.shape != log_variance.shape:
        shapes = f"{tuple(mean.shape)} and {tuple(log_variance.shape)}"
        raise ValueError(f"mean and log_variance must have the same shape [b, k], got {shapes}")
    with torch.autocast(mean.device.type, enabled=False):
        mean, log_variance = at_least_float32(mean), at_least_float32(log_variance)
        # expm1, for exp(v) - 1 of a v near 0 would lose its digits.
        return (mean.square() + torch.expm1(log_variance) - log_variance) / 2


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The divergence of each image's code, [b] in nats: the sum over dimensions. Arguments and errors as above."""
    return gaussian_kl_per_dimension(mean, log_variance).sum(1)
