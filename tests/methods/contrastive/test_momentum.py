"""The copy that follows: the formula with floats, no gradient, nothing shared with what it follows."""

import math

import pytest
import torch
from torch import nn

from hundredfold.methods.contrastive._momentum import MomentumCopy, check_momentum, rising_momentum
from hundredfold.types import Progress


def parts():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Linear(4, 2)


def numbers(*modules):
    return [value for module in modules for p in module.parameters() for value in p.flatten().tolist()]


def test_begins_as_a_copy_that_shares_nothing():
    body, head = parts()
    target = MomentumCopy(body, head)
    assert numbers(target) == numbers(body, head)
    assert not {p.data_ptr() for p in target.parameters()} & {
        p.data_ptr() for p in (*body.parameters(), *head.parameters())
    }
    x = torch.randn(5, 3)
    assert torch.equal(target(x), head(body(x)))


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.99, 1.0])
def test_follows_by_the_formula(momentum):
    body, head = parts()
    target = MomentumCopy(body, head)
    before = numbers(target)
    with torch.no_grad():
        for p in (*body.parameters(), *head.parameters()):
            p.add_(torch.randn(p.shape))
    now = numbers(body, head)
    target.follow(body, head, momentum=momentum)
    expected = [momentum * old + (1 - momentum) * new for old, new in zip(before, now, strict=True)]
    assert numbers(target) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert numbers(body, head) == now


def test_no_gradient_reaches_it_or_passes_through_it():
    target = MomentumCopy(*parts())
    x = torch.randn(5, 3, requires_grad=True)
    assert not target(x).requires_grad
    assert not any(p.requires_grad for p in target.parameters())


def test_batch_statistics_are_its_own():
    body, head = parts()
    target = MomentumCopy(body, head)
    target(torch.randn(50, 3) + 7)
    target.follow(body, head, momentum=0.5)
    assert body[1].running_mean.abs().max() == 0 < target.network[0][1].running_mean.abs().max()


def test_others_than_those_copied_are_refused():
    body, head = parts()
    with pytest.raises(ValueError):
        MomentumCopy(body, head).follow(body, momentum=0.5)


def test_momentum_rises_on_the_cosine_of_the_paper():
    taus = [rising_momentum(Progress(step, 10), 0.9) for step in range(11)]
    assert taus == pytest.approx([1 - 0.1 * (math.cos(math.pi * k / 10) + 1) / 2 for k in range(11)])
    assert taus == sorted(taus) and taus[0] == 0.9 and taus[-1] == 1


def test_momentum_in_range():
    assert check_momentum(0) == check_momentum(1) == []
    assert check_momentum(1.2) == ["momentum must be in 0..1, got 1.2"]
