"""Prototypes: their cosines, their rest and their length."""

import pytest
import torch
from torch.nn import functional

from hundredfold.methods.contrastive._prototypes import Prototypes, check_prototypes, perplexity
from hundredfold.types import Progress


def make(**settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Prototypes(5, 6, **settings)


def projections(n=10):
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(1))


def test_scores_are_cosines_whatever_the_lengths():
    prototypes, z = make(), projections()
    expected = functional.cosine_similarity(z[:, None], prototypes.weight[None], dim=2)
    torch.testing.assert_close(prototypes(z), expected)
    with torch.no_grad():
        prototypes.weight.mul_(torch.arange(2.0, 7.0)[:, None])
    torch.testing.assert_close(prototypes(3 * z), expected)


def test_scores_are_float32_under_autocast():
    prototypes, z = make(), projections()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(prototypes(z), prototypes(z.clone())) and prototypes(z).dtype == torch.float32
        inside = prototypes(z)
    assert torch.equal(inside, prototypes(z))


@pytest.mark.parametrize(("frozen", "learns"), [(0.0, True), (0.1, False)])
def test_at_rest_the_gradient_is_there_and_is_zero(frozen, learns):
    prototypes, z = make(frozen=frozen), projections().requires_grad_()
    prototypes(z)[:, 0].sum().backward()
    assert prototypes.weight.grad is not None and bool((prototypes.weight.grad != 0).any()) == learns
    assert bool((z.grad != 0).any())  # projections learn in any case


@pytest.mark.parametrize(("frozen", "learning"), [(0.0, [1, 1, 1, 1]), (0.5, [0, 1, 1, 1]), (1.0, [0, 0, 0, 1])])
def test_they_rest_for_their_share_of_the_steps(frozen, learning):
    prototypes = make(frozen=frozen)
    found = []
    for step in range(1, 5):
        prototypes.after_step(Progress(step, 4))
        found.append(prototypes.moving.item())
    assert found == learning
    fresh = make(frozen=frozen)
    fresh.load_state_dict(prototypes.state_dict())
    assert fresh.moving.item() == 1  # what a resumed run has to know


def test_they_keep_length_1():
    prototypes = make()
    torch.testing.assert_close(prototypes.weight.norm(dim=1), torch.ones(5))
    with torch.no_grad():
        prototypes.weight.mul_(torch.arange(2.0, 7.0)[:, None])
    prototypes.after_step(Progress(1, 10))
    torch.testing.assert_close(prototypes.weight.norm(dim=1), torch.ones(5))


def test_perplexity_counts_what_is_used():
    assert float(perplexity(torch.full((8,), 1 / 8))) == pytest.approx(8)
    assert float(perplexity(torch.tensor([0.5, 0.5, 0.0]))) == pytest.approx(2)
    assert float(perplexity(torch.tensor([0.0, 1.0]))) == pytest.approx(1)


def test_settings():
    assert check_prototypes(2, 0) == check_prototypes(2, 1) == []
    assert [problem.split()[0] for problem in check_prototypes(1, -0.1)] == ["prototypes", "frozen"]
