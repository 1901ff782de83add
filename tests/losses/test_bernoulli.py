"""The cost of pixels that are coins, against floats and torch."""

import math

import pytest
import torch
from torch.distributions import Bernoulli

from hundredfold.losses.bernoulli import bernoulli


def drawn(dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(3, 2, 2, 2, generator=rng, dtype=dtype)
    return logits, torch.rand(3, 2, 2, 2, generator=rng, dtype=dtype)


def test_it_is_equation_11():
    logits, images = drawn()
    for row, total in enumerate(bernoulli(logits, images).tolist()):
        wanted = 0.0
        for logit, x in zip(logits[row].flatten().tolist(), images[row].flatten().tolist(), strict=True):
            y = 1 / (1 + math.exp(-logit))
            wanted -= x * math.log(y) + (1 - x) * math.log(1 - y)
        assert total == pytest.approx(wanted, rel=1e-10)


def test_of_black_and_white_it_is_what_torch_says():
    logits, images = drawn()
    binary = images.round()
    torch.testing.assert_close(bernoulli(logits, binary), -Bernoulli(logits=logits).log_prob(binary).flatten(1).sum(1))


def test_it_is_lowest_where_the_network_says_the_grey_value_and_not_zero_there():
    _, images = drawn()
    best = bernoulli(torch.logit(images), images)
    torch.testing.assert_close(best, Bernoulli(images).entropy().flatten(1).sum(1))
    for shift in (-0.1, 0.1):
        assert bool((bernoulli(torch.logit(images) + shift, images) > best).all())


def test_far_logits_stay_finite():
    logits = torch.tensor([[1000.0, -1000.0]], requires_grad=True)
    cost = bernoulli(logits, torch.tensor([[0.0, 0.0]]))
    cost.sum().backward()
    assert cost.item() == 1000 and logits.grad.tolist() == [[1.0, 0.0]]


def test_gradient_and_precision():
    logits, images = drawn()
    assert torch.autograd.gradcheck(lambda part: bernoulli(part, images), logits.requires_grad_())
    half, exact = logits.detach().bfloat16(), images.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = bernoulli(half, exact)
    assert inside.dtype == torch.float32 and torch.equal(inside, bernoulli(half.float(), exact))


@pytest.mark.parametrize(("a", "b"), [((2, 3), (2, 4)), ((3,), (3,))])
def test_shapes_that_cannot_serve_are_said(a, b):
    with pytest.raises(ValueError, match="same shape"):
        bernoulli(torch.zeros(a), torch.zeros(b))
