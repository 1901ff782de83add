"""VRNS against loops written from the paper, as variance and offset, and images that stand in a batch twice."""

import math

import pytest
import torch

from hundredfold.losses.variance_reduction import VarianceReductionLoss, variance_reduction


def by_loops(za, zb, positions, images):
    found = []
    for i, x in enumerate(za):
        for j, y in enumerate(zb):
            if positions[i] != positions[j]:
                cosine = sum(a * b for a, b in zip(x, y)) / math.hypot(*x) / math.hypot(*y)
                found.append((cosine + 1 / (images - 1)) ** 2)
    return sum(found) / len(found)


def pair(n, d):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng, dtype=torch.float64), torch.randn(n, d, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize(("m", "d", "images"), [(2, 3, 2), (5, 4, 5), (9, 2, 60_000)])
def test_equals_the_formula(m, d, images):
    za, zb = pair(m, d)
    expected = by_loops(za.tolist(), zb.tolist(), range(m), images)
    assert float(variance_reduction(za, zb, images=images)) == pytest.approx(expected, rel=1e-12)
    assert float(VarianceReductionLoss(images)(za, zb)) == pytest.approx(expected, rel=1e-12)


def test_it_is_the_variance_and_the_offset_of_negatives():
    za, zb = (torch.nn.functional.normalize(z, dim=1) for z in pair(7, 4))
    negative = (za @ zb.T)[~torch.eye(7, dtype=torch.bool)]
    expected = negative.var(correction=0) + (negative.mean() + 1 / 49) ** 2
    torch.testing.assert_close(variance_reduction(za, zb, images=50), expected)


def test_it_is_zero_on_the_simplex_of_the_data_set():
    simplex = torch.eye(6, dtype=torch.float64) - 1 / 6
    assert float(variance_reduction(simplex, simplex, images=6)) == pytest.approx(0, abs=1e-15)
    assert float(variance_reduction(simplex[:3], simplex[:3], images=6)) == pytest.approx(0, abs=1e-15)


def test_positives_are_not_looked_at():
    """u_i and v_i meet every other vector at a right angle, whatever their own angle."""
    base = torch.eye(6, dtype=torch.float64)
    za, zb = base[:3], base[:3] * 0.3 + base[3:]
    assert float(variance_reduction(za, zb, images=100)) == pytest.approx(1 / 99**2)
    assert float(variance_reduction(za, za, images=100)) == pytest.approx(1 / 99**2)


def test_an_image_that_stands_in_the_batch_twice_is_not_its_own_negative():
    za, zb = pair(5, 4)
    positions = [10, 4, 10, 7, 7]
    expected = by_loops(za.tolist(), zb.tolist(), positions, 50)
    found = variance_reduction(za, zb, images=50, positions=torch.tensor(positions))
    assert float(found) == pytest.approx(expected, rel=1e-12)
    module = VarianceReductionLoss(50)
    torch.testing.assert_close(module(za, zb, torch.tensor(positions)), found)
    torch.testing.assert_close(module(za, zb, torch.arange(5)), module(za, zb))


def test_what_cannot_serve_is_said():
    za, zb = pair(3, 2)
    with pytest.raises(ValueError, match="of which the batch has 3: got 2"):
        variance_reduction(za, zb, images=2)
    with pytest.raises(ValueError, match=r"positions must have the shape \(3,\), got \(2,\)"):
        variance_reduction(za, zb, images=9, positions=torch.arange(2))
    with pytest.raises(ValueError, match="all 3 rows are of the same image"):
        variance_reduction(za, zb, images=9, positions=torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match="images must be >= 2, got 1"):
        VarianceReductionLoss(1)
