"""VICReg against loops written from the paper, term by term, its invariances and its edge cases."""

import math

import pytest
import torch

from hundredfold.losses.vicreg import VICRegLoss, vicreg, vicreg_chance, vicreg_terms

Rows = list[list[float]]


def covariance(z: Rows, j: int, k: int) -> float:
    n = len(z)
    mean_j, mean_k = (sum(row[i] for row in z) / n for i in (j, k))
    return sum((row[j] - mean_j) * (row[k] - mean_k) for row in z) / (n - 1)


def s(za: Rows, zb: Rows) -> float:
    """Algorithm 1: equation 5, divided by d."""
    return sum((x - y) ** 2 for a, b in zip(za, zb) for x, y in zip(a, b)) / len(za) / len(za[0])


def v(z: Rows) -> float:
    """Equations 1 and 2, gamma = 1."""
    d = len(z[0])
    return sum(max(0.0, 1 - math.sqrt(covariance(z, j, j) + 1e-4)) for j in range(d)) / d


def c(z: Rows) -> float:
    """Equations 3 and 4."""
    d = len(z[0])
    return sum(covariance(z, j, k) ** 2 for j in range(d) for k in range(d) if j != k) / d


def pair(n: int, d: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Some features vary by more than the target of 1 and some by less."""
    rng = torch.Generator().manual_seed(0)
    za = torch.randn(n, d, generator=rng, dtype=dtype) * torch.linspace(0.2, 2, d, dtype=dtype)
    return za, za + 0.5 * torch.randn(n, d, generator=rng, dtype=dtype)


@pytest.mark.parametrize(("n", "d"), [(2, 3), (6, 4), (9, 1)])
def test_each_term_equals_its_formula(n, d):
    za, zb = pair(n, d)
    a, b = za.tolist(), zb.tolist()
    expected = (s(a, b), v(a) + v(b), c(a) + c(b))
    assert [float(term) for term in vicreg_terms(za, zb)] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weights", [(25.0, 25.0, 1.0), (1.0, 0.0, 0.0), (0.0, 3.0, 7.0)])
def test_the_loss_is_the_weighted_sum(weights):
    za, zb = pair(6, 4)
    expected = sum(weight * float(term) for weight, term in zip(weights, vicreg_terms(za, zb), strict=True))
    value = vicreg(za, zb, invariance=weights[0], variance=weights[1], covariance=weights[2])
    assert float(value) == pytest.approx(expected, rel=1e-12)


def test_the_weights_are_those_of_the_paper_unless_given():
    za, zb = pair(6, 4)
    assert torch.equal(vicreg(za, zb), vicreg(za, zb, invariance=25.0, variance=25.0, covariance=1.0))


def test_order_and_a_common_offset_do_not_matter_but_scale_does():
    za, zb = pair(6, 4)
    value = vicreg(za, zb)
    torch.testing.assert_close(vicreg(zb, za), value)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(vicreg(za[order], zb[order]), value)
    torch.testing.assert_close(vicreg(za + 3, zb + 3), value)
    assert abs(float(vicreg(0.1 * za, 0.1 * zb) - value)) > 1


def test_gradient():
    za, zb = (z.requires_grad_() for z in pair(5, 3))
    assert torch.autograd.gradcheck(vicreg, (za, zb))


def test_each_term_is_the_only_one_to_see_what_it_is_for():
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])  # variances 4/3, covariance 0
    assert [float(term) for term in vicreg_terms(z, z)] == [0, 0, 0]
    assert [float(term) for term in vicreg_terms(z, z + 2)] == [4, 0, 0]
    small = torch.stack([z[:, 0], 0 * z[:, 1]], dim=1)  # the second feature is dead in both views
    assert [float(term) for term in vicreg_terms(small, small)] == pytest.approx([0, 0.99, 0])
    twice = z[:, :1].expand(-1, 2)  # Cov = 4/3 twice, in both views, over d = 2
    assert [float(term) for term in vicreg_terms(twice, twice)] == pytest.approx([0, 0, 2 * (4 / 3) ** 2])


@pytest.mark.parametrize("value", [0.0, 0.1, -100.0])
def test_a_constant_representation_costs_chance_and_has_a_finite_gradient(value):
    z = torch.full((8, 5), value, requires_grad=True)
    loss = vicreg(z, z, variance=3.0)
    loss.backward()
    assert loss.item() == pytest.approx(vicreg_chance(3.0)) == pytest.approx(3 * 2 * 0.99)
    assert bool(z.grad.isfinite().all())


def test_half_precision_is_computed_in_float32():
    za, zb = pair(16, 8, dtype=torch.float32)
    half = vicreg(za.bfloat16(), zb.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, vicreg(za.bfloat16().float(), zb.bfloat16().float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = vicreg(za, zb)
    assert inside.dtype == torch.float32 and torch.equal(inside, vicreg(za, zb))


def test_module_keeps_its_settings():
    za, zb = pair(5, 3)
    module = VICRegLoss(invariance=2.0, variance=3.0, covariance=0.5)
    assert torch.equal(module(za, zb), vicreg(za, zb, invariance=2.0, variance=3.0, covariance=0.5))


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
        vicreg(torch.zeros(shape_a), torch.zeros(shape_b))


@pytest.mark.parametrize("name", ["invariance", "variance", "covariance"])
def test_a_negative_weight_is_refused(name):
    with pytest.raises(ValueError, match=r"must be >= 0, got \(.*-1.0"):
        vicreg(*pair(3, 2), **{name: -1.0})
    with pytest.raises(ValueError, match="must be >= 0"):
        VICRegLoss(**{name: -1.0})
