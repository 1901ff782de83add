"""The KL of appendix B, against floats, against torch, and against draws."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from hundredfold.losses.gaussian_kl import gaussian_kl, gaussian_kl_per_dimension


def codes(b=5, k=3, dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(b, k, generator=rng, dtype=dtype), torch.randn(b, k, generator=rng, dtype=dtype)


def test_it_is_the_formula_of_appendix_b():
    mean, log_variance = codes()
    for row, total in enumerate(gaussian_kl(mean, log_variance).tolist()):
        wanted = 0.0
        for m, v in zip(mean[row].tolist(), log_variance[row].tolist(), strict=True):
            sigma = math.exp(v / 2)
            wanted -= (1 + math.log(sigma**2) - m**2 - sigma**2) / 2
        assert total == pytest.approx(wanted, rel=1e-12)


def test_it_is_what_torch_says():
    mean, log_variance = codes()
    wanted = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(gaussian_kl_per_dimension(mean, log_variance), wanted)


def test_it_is_the_mean_log_ratio_of_draws():
    mean, log_variance = codes(b=2)
    sigma = (log_variance / 2).exp()
    epsilon = torch.randn(200_000, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    z = mean + sigma * epsilon
    ratio = (Normal(mean, sigma).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(2)  # [draws, b]
    error = ratio.std(0) / math.sqrt(len(ratio))
    assert bool(((ratio.mean(0) - gaussian_kl(mean, log_variance)).abs() < 5 * error).all())
    assert float(error.max()) < 0.01  # so that the line above says something


def test_it_is_zero_at_the_prior_and_nowhere_else():
    zero = torch.zeros(1, 1, dtype=torch.float64)
    assert gaussian_kl(zero, zero).item() == 0
    for shift in (-1.0, -0.01, 0.01, 1.0):
        assert gaussian_kl(zero + shift, zero).item() > 0 and gaussian_kl(zero, zero + shift).item() > 0


def test_a_variance_close_to_1_keeps_its_digits():
    zero, little = torch.zeros(1, 1), torch.full((1, 1), 1e-3)
    assert gaussian_kl(zero, little).item() == pytest.approx(1e-6 / 4, rel=1e-2)  # v^2 / 4 in first order, in float32


def test_gradient_and_precision():
    mean, log_variance = (part.requires_grad_() for part in codes())
    assert torch.autograd.gradcheck(gaussian_kl, (mean, log_variance))
    half = [part.detach().bfloat16() for part in (mean, log_variance)]
    assert gaussian_kl(*half).dtype == torch.float32
    torch.testing.assert_close(gaussian_kl(*half), gaussian_kl(*(part.float() for part in half)))


@pytest.mark.parametrize(("a", "b"), [((2, 3), (2, 4)), ((3,), (3,))])
def test_shapes_that_cannot_serve_are_said(a, b):
    with pytest.raises(ValueError, match=r"\[b, k\]"):
        gaussian_kl(torch.zeros(a), torch.zeros(b))
