"""Barlow Twins against loops written from the paper, its invariances, its bounds and its edge cases."""

import math

import pytest
import torch

from hundredfold.losses.barlow_twins import (
    BarlowTwinsLoss,
    barlow_twins,
    barlow_twins_chance,
    barlow_twins_floor,
    barlow_twins_terms,
)


def by_loops(za: list[list[float]], zb: list[list[float]], redundancy: float) -> float:
    """Equations 1 and 2 of the paper with floats."""
    n, d = len(za), len(za[0])

    def centred(z: list[list[float]], j: int) -> list[float]:
        mean = sum(row[j] for row in z) / n
        return [row[j] - mean for row in z]

    total = 0.0
    for i in range(d):
        for j in range(d):
            a, b = centred(za, i), centred(zb, j)
            c = sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))
            total += (1 - c) ** 2 if i == j else redundancy * c**2
    return total


def pair(n: int, d: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    za = torch.randn(n, d, generator=rng, dtype=dtype)
    return za, za + torch.randn(n, d, generator=rng, dtype=dtype)


@pytest.mark.parametrize(("n", "d"), [(2, 3), (6, 4), (9, 1)])
@pytest.mark.parametrize("redundancy", [0.0, 0.005, 2.0])
def test_equals_the_formula(n, d, redundancy):
    za, zb = pair(n, d)
    expected = by_loops(za.tolist(), zb.tolist(), redundancy)
    assert float(barlow_twins(za, zb, redundancy=redundancy)) == pytest.approx(expected, rel=1e-12)


def test_the_loss_is_the_weighted_sum_of_its_terms():
    za, zb = pair(6, 4)
    terms = barlow_twins_terms(za, zb)
    torch.testing.assert_close(barlow_twins(za, zb, redundancy=0.3), terms.invariance + 0.3 * terms.redundancy)


def test_order_offset_and_scale_do_not_matter():
    za, zb = pair(6, 4)
    value = barlow_twins(za, zb, redundancy=0.3)
    torch.testing.assert_close(barlow_twins(zb, za, redundancy=0.3), value)
    order, features = (torch.randperm(count, generator=torch.Generator().manual_seed(1)) for count in (6, 4))
    torch.testing.assert_close(barlow_twins(za[order], zb[order], redundancy=0.3), value)
    torch.testing.assert_close(barlow_twins(za[:, features], zb[:, features], redundancy=0.3), value)
    scale = torch.tensor([0.1, 1.0, 7.0, 100.0])
    torch.testing.assert_close(barlow_twins(za * scale + 3, zb / scale - 5, redundancy=0.3), value)


def test_gradient():
    za, zb = (z.requires_grad_() for z in pair(5, 3))
    assert torch.autograd.gradcheck(lambda a, b: barlow_twins(a, b, redundancy=0.3), (za, zb))


def test_views_that_agree_in_features_that_do_not_correlate_cost_nothing():
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert float(barlow_twins(z, z)) == 0.0
    assert float(barlow_twins(z, -z)) == pytest.approx(2 * 2**2)  # both correlations are -1


def test_a_feature_said_twice_costs_redundancy():
    z = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert float(barlow_twins(z, z, redundancy=0.5)) == pytest.approx(2 * 0.5)


@pytest.mark.parametrize("value", [0.0, 0.1, -1234.1])  # means that rounding misses
def test_a_constant_representation_costs_chance_and_has_a_finite_gradient(value):
    z = torch.full((10, 5), value, requires_grad=True)
    loss = barlow_twins(z, z)
    loss.backward()
    assert loss.item() == pytest.approx(barlow_twins_chance(5), rel=0.05)
    assert bool(z.grad.isfinite().all())


@pytest.mark.parametrize(("n", "d", "redundancy"), [(9, 8, 0.5), (3, 8, 0.005), (3, 8, 0.5), (4, 9, 1.0), (3, 5, 20.0)])
def test_no_descent_gets_below_the_floor(n, d, redundancy):
    floor = barlow_twins_floor(n, d, redundancy)
    za, zb = (z.requires_grad_() for z in pair(n, d))
    optimizer = torch.optim.Adam([za, zb], lr=0.02)
    for _ in range(500):
        optimizer.zero_grad()
        loss = barlow_twins(za, zb, redundancy=redundancy)
        loss.backward()
        optimizer.step()
    assert floor <= loss.item()
    if redundancy <= 0.5:  # and the bound is not far from what descent finds
        assert loss.item() == pytest.approx(floor, rel=0.6, abs=1e-3)


def test_the_floor_is_zero_where_the_images_can_span_the_features():
    assert barlow_twins_floor(256, 255) == 0.0
    assert 0 < barlow_twins_floor(256, 256) < 0.01
    assert barlow_twins_floor(2, 512) < barlow_twins_chance(512)


def test_half_precision_is_computed_in_float32():
    za, zb = pair(16, 8, dtype=torch.float32)
    half = barlow_twins(za.bfloat16(), zb.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, barlow_twins(za.bfloat16().float(), zb.bfloat16().float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = barlow_twins(za, zb)
    assert inside.dtype == torch.float32 and torch.equal(inside, barlow_twins(za, zb))


def test_module_keeps_its_setting():
    za, zb = pair(5, 3)
    assert torch.equal(BarlowTwinsLoss(redundancy=0.7)(za, zb), barlow_twins(za, zb, redundancy=0.7))


@pytest.mark.parametrize(
    ("shape_a", "shape_b", "says"),
    [
        ((3, 4), (3, 5), r"\(3, 4\) and \(3, 5\)"),
        ((4,), (4,), r"\[n, d\]"),
        ((1, 4), (1, 4), "at least 2, got 1"),
    ],
)
def test_shapes_that_cannot_serve_are_said(shape_a, shape_b, says):
    with pytest.raises(ValueError, match=says):
        barlow_twins(torch.zeros(shape_a), torch.zeros(shape_b))


@pytest.mark.parametrize("redundancy", [-0.1, math.nan])
def test_a_negative_weight_is_refused(redundancy):
    with pytest.raises(ValueError, match=f"redundancy must be >= 0, got {redundancy}"):
        barlow_twins(*pair(3, 2), redundancy=redundancy)
    with pytest.raises(ValueError, match="redundancy must be >= 0"):
        BarlowTwinsLoss(redundancy=redundancy)
