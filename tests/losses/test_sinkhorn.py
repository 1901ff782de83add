"""Sinkhorn-Knopp against loops, against the optimum that it approaches, and its edge cases."""

import itertools
import math

import pytest
import torch

from hundredfold.losses.sinkhorn import sinkhorn


def by_loops(scores: list[list[float]], epsilon: float, iterations: int) -> list[list[float]]:
    """exp(s / epsilon), then columns to the sum n / k and rows to the sum 1, in turn."""
    n, k = len(scores), len(scores[0])
    q = [[math.exp(score / epsilon) for score in row] for row in scores]
    for _ in range(iterations):
        columns = [sum(row[j] for row in q) for j in range(k)]
        q = [[row[j] / columns[j] * n / k for j in range(k)] for row in q]
        q = [[value / sum(row) for value in row] for row in q]
    return q


def scores(n: int, k: int) -> torch.Tensor:
    return 2 * torch.rand(n, k, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1


@pytest.mark.parametrize(("n", "k"), [(2, 3), (6, 4), (5, 1), (1, 4)])
@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_equals_the_formula(n, k, iterations):
    expected = torch.tensor(by_loops(scores(n, k).tolist(), 0.1, iterations), dtype=torch.float64)
    torch.testing.assert_close(sinkhorn(scores(n, k), epsilon=0.1, iterations=iterations), expected)


def test_rows_are_distributions_and_columns_become_equal():
    few, many = (sinkhorn(scores(12, 4), epsilon=0.1, iterations=count) for count in (3, 2000))
    for codes in (few, many):
        assert bool((codes >= 0).all())
        torch.testing.assert_close(codes.sum(1), torch.ones(12, dtype=torch.float64))
    torch.testing.assert_close(many.sum(0), torch.full((4,), 3.0, dtype=torch.float64))
    plain = (scores(12, 4) / 0.1).softmax(1)
    assert (few.sum(0) - 3).abs().max() < (plain.sum(0) - 3).abs().max()  # three rounds are on the way


def test_a_small_epsilon_gives_the_best_equal_partition():
    s = scores(4, 2)
    partitions = [p for p in itertools.product(range(2), repeat=4) if sum(p) == 2]
    best = max(partitions, key=lambda p: sum(s[i, j].item() for i, j in enumerate(p)))
    assert sinkhorn(s, epsilon=0.001, iterations=2000).argmax(1).tolist() == list(best)


def test_a_favourite_prototype_is_shared_out():
    s = torch.zeros(6, 3)
    s[:, 0] = 0.9  # every image likes the first best
    torch.testing.assert_close(sinkhorn(s), torch.full((6, 3), 1 / 3))


def test_the_order_of_images_and_prototypes_and_an_offset_do_not_matter():
    s = scores(6, 4)
    codes = sinkhorn(s)
    rng = torch.Generator().manual_seed(1)
    rows, columns = torch.randperm(6, generator=rng), torch.randperm(4, generator=rng)
    torch.testing.assert_close(sinkhorn(s[rows][:, columns]), codes[rows][:, columns])
    torch.testing.assert_close(sinkhorn(s + 5), codes)


def test_no_gradient_goes_through():
    assert not sinkhorn(scores(3, 2).requires_grad_()).requires_grad


def test_large_scores_and_half_precision_do_not_overflow():
    codes = sinkhorn(1e4 * scores(6, 4), epsilon=0.01)
    assert bool(codes.isfinite().all())
    half = sinkhorn(scores(6, 4).half())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, sinkhorn(scores(6, 4).half().float()))


@pytest.mark.parametrize("shape", [(3,), (0, 3), (3, 0), (2, 3, 4)])
def test_shapes_that_cannot_serve_are_said(shape):
    with pytest.raises(ValueError, match=r"\[n, k\], got \("):
        sinkhorn(torch.zeros(shape))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"epsilon": 0.0}, "epsilon must be > 0 and finite, got 0.0"),
        ({"epsilon": math.inf}, "epsilon must be > 0 and finite, got inf"),
        ({"iterations": 0}, "iterations must be >= 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        sinkhorn(torch.zeros(2, 2), **settings)
