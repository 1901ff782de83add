"""The spectral loss against loops written from the paper, and its optimum, which is not the simplex."""

import math

import pytest
import torch

from hundredfold.losses.spectral import FLOOR, spectral


def by_loops(za, zb):
    n = len(za)
    positive = negative = 0.0
    for i, x in enumerate(za):
        for j, y in enumerate(zb):
            cosine = sum(a * b for a, b in zip(x, y)) / math.hypot(*x) / math.hypot(*y)
            if i == j:
                positive += cosine / n
            else:
                negative += cosine**2 / (n * (n - 1))
    return negative - positive


@pytest.mark.parametrize(("n", "d"), [(2, 3), (5, 4), (9, 2)])
def test_equals_the_formula(n, d):
    rng = torch.Generator().manual_seed(0)
    za, zb = (torch.randn(n, d, generator=rng, dtype=torch.float64) for _ in range(2))
    assert float(spectral(za, zb)) == pytest.approx(by_loops(za.tolist(), zb.tolist()), rel=1e-12)


def test_right_angles_are_better_than_the_simplex():
    n = 6
    orthonormal = torch.eye(n, dtype=torch.float64)
    simplex = orthonormal - 1 / n
    assert float(spectral(orthonormal, orthonormal)) == FLOOR == -1
    assert float(spectral(simplex, simplex)) == pytest.approx(-1 + 1 / (n - 1) ** 2)
