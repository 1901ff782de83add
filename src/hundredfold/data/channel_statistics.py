"""Mean and standard deviation of each channel of some images: what an encoder normalises by."""

from __future__ import annotations

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, as_float
from hundredfold.random import generator

STATISTICS = 10_000  # images that channel means and deviations are taken over


def channel_statistics(images: ImageSet, index: Tensor, *, seed: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in 0..1, over at most 10,000 of the images at `index`."""
    order = torch.randperm(len(index), generator=generator(seed, "statistics"))[:STATISTICS]
    total = torch.zeros(images.channels, dtype=torch.float64)
    squares, count = torch.zeros_like(total), 0
    for part in index[order].sort().values.split(500):
        values = as_float(images.take(part)).double().cpu()  # [b, c, h, w]
        total += values.sum((0, 2, 3))
        squares += values.square().sum((0, 2, 3))
        count += values.numel() // images.channels
    mean = total / count
    std = (squares / count - mean.square()).clamp_min(0).sqrt()
    return tuple(mean.tolist()), tuple(std.tolist())
