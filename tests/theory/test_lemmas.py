"""Theorem 5.2 and the lemmas behind it, on points at random and on those that try hardest; what is misprinted there.

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv 2506.09781).
"""

import math

import pytest
import torch
from embeddings import (
    Pair,
    descend,
    in_dimensions,
    negatives,
    positives,
    scattered,
    seeded,
    simplex,
    torn,
    turned,
)
from torch import Tensor
from torch.nn import functional

from hundredfold.evaluate import similarity as evaluate
from hundredfold.evaluate.similarity import alignment_bound, uniformity
from hundredfold.losses import variance_reduction


def bound(u: Tensor, v: Tensor) -> Tensor:
    """Equation 7: what the mean positive similarity cannot exceed."""
    return alignment_bound(negatives(u, v).mean(), len(u))


def sharp_bound(u: Tensor, v: Tensor) -> Tensor:
    """The same from lemma C.6 without detour."""
    return evaluate.sharp_bound(negatives(u, v).mean(), len(u))


def cases() -> list[Pair]:
    """Pairs at random, near each other, opposite, and parted along one axis: n 3 to 8."""
    found = []
    for seed in range(60):
        rng = seeded(seed)
        n = 3 + seed % 6
        u, v = scattered(n, 2 + seed % 7, rng)
        near = functional.normalize(u + 0.1 * v, dim=1)
        parted = torn(turned(simplex(n), rng), (seed % 10) / 10)
        shaken = tuple(functional.normalize(z + 0.05 * torch.randn(z.shape, generator=rng), dim=1) for z in parted)
        found += [(u, v), (u, near), (u, -near), (u, u), parted, shaken]
    return found


def test_the_bounds_hold() -> None:
    for u, v in cases():
        positive = float(positives(u, v).mean())
        assert positive <= float(bound(u, v)) + 1e-12
        assert positive <= float(sharp_bound(u, v)) + 1e-12


def test_below_the_optimum_of_the_negatives_the_sharp_bound_is_lower_and_above_it_says_nothing() -> None:
    for u, v in cases():
        excess = float(-1 / (len(u) - 1) - negatives(u, v).mean())
        if excess > 1e-9:
            assert float(sharp_bound(u, v)) < float(bound(u, v)) < 1
        elif excess < -1e-9:
            assert 1 < float(bound(u, v)) < float(sharp_bound(u, v))


@pytest.mark.parametrize("n", [3, 5, 8])
def test_whoever_tries_to_exceed_them_ends_on_them(n: int) -> None:
    start = scattered(n, n, seeded(n))

    def room(limit):
        def loss(u: Tensor, v: Tensor) -> Tensor:
            u, v = functional.normalize(u, dim=1), functional.normalize(v, dim=1)
            return limit(u, v) - positives(u, v).mean()

        return loss

    u, v = descend(room(bound), *start)
    assert float(room(bound)(u, v)) == pytest.approx(0, abs=1e-9)
    assert float((u - v).norm()) < 1e-3 and float((u + v).sum(0).norm()) < 1e-3  # when equality holds
    u, v = descend(room(sharp_bound), *start)
    assert float(room(sharp_bound)(u, v)) == pytest.approx(0, abs=1e-9)
    assert float((u - v).var(0).sum()) < 1e-6 and float((u + v).sum(0).norm()) < 1e-3


@pytest.mark.parametrize(("height", "slack"), [(0.2, 0.048), (0.5, 0.3), (0.8, 0.768)])
def test_the_printed_condition_for_equality_is_not_one(height: float, slack: float) -> None:
    """tr Var[u - v] = 0 and E[u + v] = 0, yet equation 7 has room; the sharp bound has none: it is its condition."""
    u, v = torn(simplex(6), height)
    assert float((u - v).var(0).sum()) == pytest.approx(0, abs=1e-20)
    assert float((u + v).mean(0).norm()) == pytest.approx(0, abs=1e-12)
    assert float(bound(u, v) - positives(u, v).mean()) == pytest.approx(slack, abs=1e-9)
    assert float(sharp_bound(u, v) - positives(u, v).mean()) == pytest.approx(0, abs=1e-12)


def test_the_identity_behind_it_has_a_factor_of_two_that_the_paper_lost() -> None:
    for u, v in cases():
        left = ((u - v).var(0, unbiased=False).sum() + (u + v).mean(0).square().sum()) / 2
        right = 1 - positives(u, v).mean() + 2 * u.mean(0) @ v.mean(0)
        assert float(left) == pytest.approx(float(right), abs=1e-12)


def test_lemma_c6_cross_view_negatives_given_the_positives() -> None:
    for u, v in cases():
        n = len(u)
        least = ((n - 2) * positives(u, v).mean() - n) / (2 * (n - 1))
        assert float(negatives(u, v).mean()) >= float(least) - 1e-12


def test_lemma_c7_both_kinds_of_negatives_given_the_positives() -> None:
    for u, v in cases():
        n = len(u)
        found = (negatives(u, u) + negatives(v, v) + 2 * negatives(u, v)).mean()
        room = found + 2 / (n * (n - 1)) * positives(u, v).sum() + 2 / (n - 1)
        # what is above the bound is exactly the length of the sum: equality if and only if it is zero
        assert float(room) == pytest.approx(float((u + v).sum(0).square().sum() / (n * (n - 1))), abs=1e-12)


def test_lemma_c8_within_view_negatives() -> None:
    for u, v in cases():
        n = len(u)
        room = (negatives(u, u) + negatives(v, v)).mean() + 2 / (n - 1)
        lengths = u.sum(0).square().sum() + v.sum(0).square().sum()
        assert float(room) == pytest.approx(float(lengths / (n * (n - 1))), abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 5), (6, 4)])
def test_lemmas_c13_and_c14_simplices_sum_to_zero_and_so_do_two_together(n: int, m: int) -> None:
    rng = seeded(n)
    parts = [turned(in_dimensions(simplex(k), 7), rng) for k in (n, m)]
    assert max(float(part.sum(0).norm()) for part in parts) < 1e-12
    union = torch.cat(parts)
    assert float(negatives(union, union).mean()) == pytest.approx(-1 / (n + m - 1))


def test_vrns_is_the_variance_and_the_square_of_the_distance_of_the_mean() -> None:
    for n_of_data in (8, 1000):
        for u, v in cases():
            s = negatives(u, v)
            parts = s.var(unbiased=False) + (s.mean() + 1 / (n_of_data - 1)) ** 2
            assert float(variance_reduction(u, v, images=n_of_data)) == pytest.approx(float(parts), abs=1e-12)


@pytest.mark.parametrize("d", [256, 1024])
def test_uniformity_is_the_mean_and_the_variance_of_similarities_nearly(d: int) -> None:
    """Equation 6 for exp(-2 |x - y|^2), as it is printed here: 4 (mean - 1) + 8 variance for a normal distribution."""
    z, _ = scattered(200, d, seeded(d))
    s = negatives(z, z)
    assert float(uniformity(z)) == pytest.approx(float(4 * (s.mean() - 1) + 8 * s.var(unbiased=False)), abs=1e-3)
    assert not math.isclose(float(uniformity(z)), float(4 * (s.mean() - 1)), abs_tol=1e-3)
