"""The cost of pixels that are normal, against floats and torch."""

import math

import pytest
import torch
from torch.distributions import Normal

from hundredfold.losses.gaussian import gaussian


def drawn():
    rng = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, 1, 2, 2, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.0])
def test_it_is_the_log_density(sigma):
    means, images = drawn()
    for row, total in enumerate(gaussian(means, images, sigma=sigma).tolist()):
        wanted = 0.0
        for y, x in zip(means[row].flatten().tolist(), images[row].flatten().tolist(), strict=True):
            wanted -= math.log(math.exp(-((x - y) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi)))
        assert total == pytest.approx(wanted, rel=1e-9)
    torch.testing.assert_close(
        gaussian(means, images, sigma=sigma), -Normal(means, sigma).log_prob(images).flatten(1).sum(1)
    )


def test_a_small_sigma_makes_it_a_density_below_zero():
    means, _ = drawn()
    assert bool((gaussian(means, means, sigma=0.1) < 0).all())


def test_gradient_and_precision():
    means, images = drawn()
    assert torch.autograd.gradcheck(lambda part: gaussian(part, images, sigma=0.5), means.requires_grad_())
    half = means.detach().bfloat16()
    assert gaussian(half, images.float(), sigma=0.5).dtype == torch.float32


def test_what_cannot_serve_is_said():
    for sigma in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"sigma must be > 0 and finite, got {sigma}"):
            gaussian(torch.zeros(1, 2), torch.zeros(1, 2), sigma=sigma)
    for a, b in [((2, 3), (2, 4)), ((3,), (3,))]:
        with pytest.raises(ValueError, match="same shape"):
            gaussian(torch.zeros(a), torch.zeros(b), sigma=1.0)
