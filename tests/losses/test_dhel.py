"""DHEL against loops written from the paper; positives across the views, negatives within."""

import math

import pytest
import torch

from hundredfold.losses.dcl import dcl
from hundredfold.losses.dhel import dhel


def by_loops(za, zb, temperature):
    n = len(za)

    def similarity(x, y):
        return sum(a * b for a, b in zip(x, y)) / math.hypot(*x) / math.hypot(*y) / temperature

    total = 0.0
    for view in (za, zb):
        for i in range(n):
            others = sum(math.exp(similarity(view[i], view[j])) for j in range(n) if j != i)
            total += math.log(others) - similarity(za[i], zb[i])
    return total / (2 * n)


def pair(n, d):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng, dtype=torch.float64), torch.randn(n, d, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize(("n", "d", "temperature"), [(2, 3, 0.1), (5, 4, 0.5), (9, 2, 2.0)])
def test_equals_the_formula(n, d, temperature):
    za, zb = pair(n, d)
    assert float(dhel(za, zb, temperature=temperature)) == pytest.approx(
        by_loops(za.tolist(), zb.tolist(), temperature), rel=1e-12
    )


def test_different_images_across_the_views_are_not_looked_at():
    """The second image's other view turns towards the first image, keeping its angle with all that DHEL compares."""
    za = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.float64)
    zb = torch.tensor([[0.6, 0, 0.8, 0], [0, 0.6, 0, 0.8]], dtype=torch.float64)
    turned = torch.tensor([[0.6, 0, 0.8, 0], [0.4, 0.6, -0.3, math.sqrt(0.39)]], dtype=torch.float64)
    torch.testing.assert_close(dhel(za, turned), dhel(za, zb))
    assert float(dcl(za, turned)) > float(dcl(za, zb)) + 0.1
