"""Similarity figures against loops, bounds that no vectors can break, and representations whose figures are known."""

import math

import pytest
import torch
from torch.nn import functional

from hundredfold.evaluate.similarity import (
    alignment,
    alignment_bound,
    effective_negatives,
    effective_rank,
    histogram,
    sharp_bound,
    similarity,
    spread,
    uniformity,
)


def simplex(n: int) -> torch.Tensor:
    """n vectors of length 1 in n dimensions, each pair at -1/(n - 1)."""
    return functional.normalize(torch.eye(n, dtype=torch.float64) - 1 / n, dim=1)


def mean_and_variance(values: list[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / len(values)


def test_every_figure_against_loops() -> None:
    rng = torch.Generator().manual_seed(0)
    za, zb = torch.randn(7, 4, generator=rng), torch.randn(7, 4, generator=rng)
    found = similarity(3 * za, zb, torch.randn(9, 5, generator=rng), temperature=0.3)
    a = [[x / math.hypot(*row) for x in row] for row in za.tolist()]
    b = [[x / math.hypot(*row) for x in row] for row in zb.tolist()]

    def dot(u: list[float], v: list[float]) -> float:
        return sum(p * q for p, q in zip(u, v, strict=True))

    positive = [dot(a[i], b[i]) for i in range(7)]
    negative = [[dot(a[i], b[j]) for j in range(7) if i != j] for i in range(7)]
    within = [dot(view[i], view[j]) for view in (a, b) for i in range(7) for j in range(7) if i != j]
    close = {"abs": 1e-6}
    assert (found.positive_mean, found.positive_variance) == pytest.approx(mean_and_variance(positive), **close)
    mean, variance = mean_and_variance([s for row in negative for s in row])
    assert (found.negative_mean, found.negative_variance) == pytest.approx((mean, variance), **close)
    assert (found.within_mean, found.within_variance) == pytest.approx(mean_and_variance(within), **close)
    assert found.excess == pytest.approx(-1 / 6 - mean, **close)
    assert found.bound == pytest.approx(1 + mean + 1 / 6, **close)
    assert found.sharp_bound == pytest.approx(1 + 2 * 6 / 5 * (mean + 1 / 6), **close)
    assert found.alignment == pytest.approx(sum(2 - 2 * s for s in positive) / 7, **close)
    pairs = [dot(difference, difference) for i in range(7) for j in range(i) for difference in [_minus(a[i], a[j])]]
    assert found.uniformity == pytest.approx(math.log(sum(math.exp(-2 * p) for p in pairs) / len(pairs)), **close)
    deviations = [math.sqrt(mean_and_variance([row[k] for row in view])[1]) for view in (a, b) for k in range(4)]
    assert found.spread == pytest.approx(sum(deviations) / 8 * 2, **close)
    shares = []
    for row in negative:
        weights = [math.exp(s / 0.3) for s in row]
        entropy = -sum(w / sum(weights) * math.log(w / sum(weights)) for w in weights)
        shares.append(math.exp(entropy) / 6)
    assert found.effective_negatives == pytest.approx(sum(shares) / 7, **close)
    assert (found.images, found.dimensions, found.projection_dimensions, found.temperature) == (7, 5, 4, 0.3)
    assert found.projection_rank == pytest.approx(effective_rank(torch.tensor(a)), abs=1e-4)
    assert sum(found.positives.counts) == 7 and sum(found.negatives.counts) == 42 and sum(found.withins.counts) == 84


def _minus(u: list[float], v: list[float]) -> list[float]:
    return [p - q for p, q in zip(u, v, strict=True)]


def test_the_fixture_of_the_theory() -> None:
    u = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-0.6, 0.8]])
    v = torch.tensor([[0.8, 0.6], [-0.6, 0.8], [-1.0, 0.0]])
    found = similarity(u, v, u)
    assert found.positive_mean == pytest.approx(0.7333333) and found.negative_mean == pytest.approx(0, abs=1e-7)
    assert found.negative_variance == pytest.approx(0.4533333)
    # Wang and Isola's alignment is 2 - 2 E[positive] (equation 4 of Lee et al.).
    assert found.alignment == pytest.approx(2 - 2 * found.positive_mean)


def cases(seed: int):
    """Vectors of two views that try to break the bounds: anything, opposite, offset, pulled apart, zero rows."""
    rng = torch.Generator().manual_seed(seed)
    n, d = int(torch.randint(2, 9, (), generator=rng)), int(torch.randint(1, 12, (), generator=rng))
    u = torch.randn(n, d, generator=rng, dtype=torch.float64)
    v = torch.randn(n, d, generator=rng, dtype=torch.float64)
    offset = torch.randn(1, d, generator=rng, dtype=torch.float64) * 10 ** float(torch.rand((), generator=rng))
    yield u, v
    yield u, -u
    yield u, u
    yield u + offset, v - offset
    yield u + offset, u - offset
    yield u - u.mean(0), v - v.mean(0)
    yield torch.cat([u[:1].expand(n - 1, d), -u[:1]]), v
    yield u * (torch.arange(n) % 2)[:, None], v  # half of the rows are zero
    beta = float(torch.rand((), generator=rng))
    w = torch.cat([(1 - beta**2) ** 0.5 * simplex(n), torch.full((n, 1), beta, dtype=torch.float64)], 1)
    yield w, w * torch.tensor([1.0] * n + [-1.0], dtype=torch.float64)  # reaches the sharp bound


def test_no_vectors_break_the_bounds() -> None:
    for za, zb in (pair for seed in range(300) for pair in cases(seed)):
        found = similarity(za, zb, za, histograms=False)
        assert found.positive_mean <= found.bound + 1e-9
        if found.images > 2:
            assert found.positive_mean <= found.sharp_bound + 1e-9
            assert (found.sharp_bound <= found.bound + 1e-9) == (found.bound <= 1 + 1e-9)
        else:
            assert found.sharp_bound is None
        assert found.bound == pytest.approx(1 - found.excess)
        assert -1e-9 <= found.spread <= 1 + 1e-9


def test_the_sharp_bound_is_reached_and_the_printed_one_is_not() -> None:
    w = torch.cat([0.8 * simplex(6), torch.full((6, 1), 0.6, dtype=torch.float64)], 1)
    found = similarity(w, w * torch.tensor([1.0] * 6 + [-1.0]), w)
    assert found.positive_mean == pytest.approx(1 - 2 * 0.36)
    assert found.positive_mean == pytest.approx(found.sharp_bound)
    assert found.bound > found.positive_mean + 0.2
    assert alignment_bound(-1 / 5, 6) == pytest.approx(1) and sharp_bound(-1 / 5, 6) == pytest.approx(1)


def test_collapse_and_simplex() -> None:
    same = torch.ones(5, 3)
    collapsed = similarity(same, same, same)
    assert collapsed.negative_mean == pytest.approx(1) and collapsed.uniformity == pytest.approx(0, abs=1e-5)
    assert collapsed.effective_rank == pytest.approx(1, abs=1e-3) and collapsed.spread == pytest.approx(0, abs=1e-6)
    assert collapsed.excess == pytest.approx(-1.25) and collapsed.within_mean == pytest.approx(1)
    spread_out = similarity(simplex(5), simplex(5), torch.eye(5))
    assert spread_out.negative_mean == pytest.approx(-1 / 4) and spread_out.negative_variance == pytest.approx(0)
    assert spread_out.excess == pytest.approx(0, abs=1e-9) and spread_out.bound == pytest.approx(1)
    assert spread_out.effective_rank == pytest.approx(5) and spread_out.projection_rank == pytest.approx(4)


def test_spread_is_one_for_evenly_spread_directions() -> None:
    rng = torch.Generator().manual_seed(0)
    z = functional.normalize(torch.randn(4000, 32, generator=rng), dim=1)
    assert float(spread(z)) == pytest.approx(1, abs=0.01)
    assert float(spread(functional.normalize(z + 10, dim=1))) < 0.05


def test_effective_negatives_from_all_to_one() -> None:
    rng = torch.Generator().manual_seed(0)
    negatives = torch.rand(6, 50, generator=rng)
    assert effective_negatives(negatives, 1e4) == pytest.approx(1)
    assert effective_negatives(negatives, 1e-6) == pytest.approx(1 / 50)
    assert effective_negatives(torch.zeros(6, 50), 1e-6) == pytest.approx(1)


def test_only_figures_are_kept_where_no_histograms_are_asked_for() -> None:
    z = torch.eye(4)
    found = similarity(z, z, z, histograms=False)
    assert found.positives is None and found.negatives is None and found.withins is None
    assert found.effective_negatives is None and found.temperature is None


@pytest.mark.parametrize("shapes", [((1, 3), (1, 3)), ((4, 3), (4, 2)), ((4, 3), (5, 3)), ((4,), (4,))])
def test_what_is_no_pair_of_views_is_refused_with_both_shapes(shapes) -> None:
    za, zb = (torch.ones(shape) for shape in shapes)
    with pytest.raises(ValueError) as problem:
        similarity(za, zb, torch.ones(4, 3))
    assert all(str(shape) in str(problem.value) for shape in shapes)


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
