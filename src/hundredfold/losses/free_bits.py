"""Free bits: each dimension of a code may say a little of the image at no cost, lest it say nothing at all.

Source: Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling, "Improving Variational Inference with Inverse
Autoregressive Flow", NeurIPS 2016 (arXiv 1606.04934), appendix C, "objective with free bits", one group a dimension:

    sum_j max(lambda, mean_i KL_ij).
"""

from __future__ import annotations

from torch import Tensor


def free_bits(divergences: Tensor, *, nats: float) -> Tensor:
    """What the divergences of a batch cost when each dimension has `nats` of them free.

    Args:
        divergences: [b, k] in nats, of each image and dimension, b >= 1 (see `gaussian_kl_per_dimension`).
        nats: lambda >= 0, for each dimension; 0 gives the mean divergence of an image.

    Returns:
        Scalar in nats, >= k * nats. A dimension whose mean over the batch is below `nats` has no gradient.

    Raises:
        ValueError: divergences that are not [b, k], or nats below 0.

    >>> import torch
    >>> free_bits(torch.tensor([[0.1, 3.0], [0.3, 5.0]]), nats=0.5).item()
    4.5
    """
    if divergences.dim() != 2 or not len(divergences):
        raise ValueError(f"divergences must have the shape [b, k], b >= 1, got {tuple(divergences.shape)}")
    if not nats >= 0:
        raise ValueError(f"nats must be >= 0, got {nats}")
    return divergences.mean(0).clamp_min(nats).sum()
