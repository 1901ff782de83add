"""Channel statistics against means taken with loops."""

import numpy as np
import pytest
import torch

from hundredfold.data.channel_statistics import channel_statistics
from hundredfold.data.read import read


def test_statistics_are_those_of_the_pool():
    rng = np.random.default_rng(0)
    found = read(rng.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)).train
    index = torch.arange(10, 40)
    mean, std = channel_statistics(found, index, seed=0)
    values = found.take(index).double() / 255
    for channel in range(3):
        flat = values[:, channel].flatten().tolist()
        average = sum(flat) / len(flat)
        assert mean[channel] == pytest.approx(average)
        assert std[channel] == pytest.approx((sum((v - average) ** 2 for v in flat) / len(flat)) ** 0.5)
    flat = read(np.full((4, 4, 4), 77, dtype=np.uint8)).train
    assert channel_statistics(flat, torch.arange(4), seed=0)[1] == pytest.approx((0.0,), abs=1e-6)
