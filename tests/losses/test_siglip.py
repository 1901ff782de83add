"""SigLIP against loops written from the paper, its sign of the bias, what learns, what its optimum is."""

import math

import pytest
import torch

from hundredfold.losses.siglip import SigLIPLoss, siglip, siglip_floor


def by_loops(za, zb, temperature, bias):
    """Algorithm 1 of the SigLIP paper with floats: -1/n sum over pairs of log sigmoid(label * logit)."""
    total = 0.0
    for i, x in enumerate(za):
        for j, y in enumerate(zb):
            cosine = sum(a * b for a, b in zip(x, y)) / math.hypot(*x) / math.hypot(*y)
            label = 1 if i == j else -1
            total -= math.log(1 / (1 + math.exp(-label * (temperature * cosine + bias))))
    return total / len(za)


def pair(n, d):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng, dtype=torch.float64), torch.randn(n, d, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize(("n", "d"), [(2, 3), (5, 4), (9, 2)])
@pytest.mark.parametrize(("temperature", "bias"), [(10.0, -10.0), (1.0, 0.0), (3.0, 2.0)])
def test_equals_the_formula(n, d, temperature, bias):
    za, zb = pair(n, d)
    expected = by_loops(za.tolist(), zb.tolist(), temperature, bias)
    assert float(siglip(za, zb, temperature=temperature, bias=bias)) == pytest.approx(expected, rel=1e-12)


def test_large_logits_do_not_overflow():
    z = torch.eye(3)
    assert float(siglip(z, z, temperature=1e4, bias=-5e3)) == 0
    assert float(siglip(z, -z, temperature=1e4, bias=-5e3)) == pytest.approx(15000)


def test_temperature_and_bias_may_be_tensors_that_learn():
    za, zb = pair(4, 3)
    temperature, bias = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (4.0, -3.0))
    torch.testing.assert_close(
        siglip(za, zb, temperature=temperature, bias=bias), siglip(za, zb, temperature=4.0, bias=-3.0)
    )
    assert torch.autograd.gradcheck(lambda t, b: siglip(za, zb, temperature=t, bias=b), (temperature, bias))
    with pytest.raises(ValueError, match=r"bias must be one number, got a tensor of the shape \(2,\)"):
        siglip(za, zb, bias=torch.zeros(2))
    with pytest.raises(ValueError, match=r"temperature must be one number, got a tensor of the shape \(1, 1\)"):
        siglip(za, zb, temperature=torch.ones(1, 1))


def test_the_module_learns_unless_told_not_to():
    loss = SigLIPLoss(temperature=5.0, bias=-2.0)
    loss(*(z.float() for z in pair(4, 3))).backward()
    assert loss.log_temperature.grad.isfinite() and loss.log_temperature.grad != 0 and loss.bias.grad != 0
    assert loss.log_temperature.exp().item() == pytest.approx(5.0) and loss.bias.item() == -2.0
    fixed = SigLIPLoss(learnable=False)
    assert not any(parameter.requires_grad for parameter in fixed.parameters())
    assert set(fixed.state_dict()) == {"log_temperature", "bias"}
    value = siglip(*pair(4, 3), temperature=10.0, bias=-10.0)
    torch.testing.assert_close(fixed(*pair(4, 3)), value, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("n", "parts"), [(22_039, False), (22_040, True)])
def test_when_the_first_settings_part_positives(n, parts):
    """Example 5.4: at temperature 10 and bias -10 that begins with 22,040 images; then the simplex is not the floor."""

    def softplus(x):
        return math.log1p(math.exp(x))

    simplex = softplus(0) + (n - 1) * softplus(-10 / (n - 1) - 10)
    assert siglip_floor(n, 10.0, -10.0) <= simplex
    assert (siglip_floor(n, 10.0, -10.0) < simplex * (1 - 1e-13)) == parts
