"""Similarity figures against loops and on representations whose figures are known."""

import math

import pytest
import torch
from torch.nn import functional

from hundredfold.evaluate.similarity import alignment, effective_rank, histogram, similarity, uniformity


def test_every_figure_against_loops() -> None:
    rng = torch.Generator().manual_seed(0)
    za, zb = torch.randn(7, 4, generator=rng), torch.randn(7, 4, generator=rng)
    found = similarity(3 * za, zb, za)
    a, b = functional.normalize(za, dim=1), functional.normalize(zb, dim=1)
    positive = [float(a[i] @ b[i]) for i in range(7)]
    negative = [float(a[i] @ b[j]) for i in range(7) for j in range(7) if i != j]
    mean = sum(negative) / 42
    assert found.positive_mean == pytest.approx(sum(positive) / 7, abs=1e-6)
    assert found.negative_mean == pytest.approx(mean, abs=1e-6)
    assert found.negative_variance == pytest.approx(sum((s - mean) ** 2 for s in negative) / 42, abs=1e-6)
    assert found.alignment == pytest.approx(sum(2 - 2 * s for s in positive) / 7, abs=1e-5)
    pairs = [float((a[i] - a[j]).square().sum()) for i in range(7) for j in range(i)]
    assert found.uniformity == pytest.approx(math.log(sum(math.exp(-2 * p) for p in pairs) / len(pairs)), abs=1e-5)
    assert sum(found.positives.counts) == 7 and sum(found.negatives.counts) == 42


def test_collapse_and_simplex() -> None:
    same = torch.ones(5, 3)
    collapsed = similarity(same, same, same)
    assert collapsed.negative_mean == pytest.approx(1) and collapsed.uniformity == pytest.approx(0, abs=1e-5)
    assert collapsed.effective_rank == pytest.approx(1, abs=1e-3)
    simplex = torch.eye(5) - 0.2
    spread = similarity(simplex, simplex, torch.eye(5))
    assert spread.negative_mean == pytest.approx(-1 / 4, abs=1e-6)
    assert spread.negative_variance == pytest.approx(0, abs=1e-6)
    assert spread.effective_rank == pytest.approx(5)


def test_effective_rank_counts_directions_by_weight() -> None:
    values = [3.0, 1.0, 1.0]
    shares = [v / 5 for v in values]
    expected = math.exp(-sum(s * math.log(s) for s in shares))
    assert effective_rank(torch.diag(torch.tensor(values))) == pytest.approx(expected)


def test_alignment_and_uniformity_of_opposite_points() -> None:
    a = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert float(alignment(a, -a)) == pytest.approx(4)
    assert float(uniformity(a)) == pytest.approx(-8)


def test_histogram_covers_the_whole_range() -> None:
    found = histogram(torch.tensor([-1.0, 0.0, 1.0, 1.0000001]), bins=4)
    assert found.counts == (1, 0, 1, 2)
    assert found.edges == (-1.0, -0.5, 0.0, 0.5, 1.0)
