"""The Frechet distance against the matrix square root, and against closed forms."""

import math

import numpy as np
import pytest
import torch

from hundredfold.errors import DataError
from hundredfold.evaluate.frechet import frechet_distance


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_moments(mean: list[float], deviations: list[float]) -> torch.Tensor:
    """Rows with exactly this mean and these standard deviations (divided by n - 1), and no covariance."""
    d = len(mean)
    corners = torch.cat([torch.eye(d), -torch.eye(d)]).double()  # [2d, d], variance 2 / (2d - 1) in each direction
    return torch.tensor(mean) + corners * torch.tensor(deviations) / math.sqrt(2 / (2 * d - 1))


def test_it_is_the_formula_with_the_matrix_square_root_of_scipy() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    first, second = drawn(200, 6) @ drawn(6, 6, seed=1), drawn(150, 6, seed=2) @ drawn(6, 6, seed=3) + 1
    covariances = [np.cov(rows.numpy(), rowvar=False) for rows in (first, second)]
    between = np.square(first.numpy().mean(0) - second.numpy().mean(0)).sum()
    root = linalg.sqrtm(covariances[0] @ covariances[1])
    wanted = between + np.trace(covariances[0] + covariances[1] - 2 * root.real)
    assert frechet_distance(first, second) == pytest.approx(wanted, rel=1e-9)


def test_normal_distributions_without_covariance_have_a_closed_form() -> None:
    means, deviations = ([0.0, 1.0, -2.0], [3.0, 0.0, 1.5]), ([1.0, 2.0, 0.5], [0.5, 4.0, 0.0])
    wanted = sum((m - n) ** 2 + (s - t) ** 2 for m, n, s, t in zip(*means, *deviations, strict=True))
    found = frechet_distance(with_moments(means[0], deviations[0]), with_moments(means[1], deviations[1]))
    assert found == pytest.approx(wanted)


def test_equal_sets_are_at_no_distance_and_order_does_not_matter() -> None:
    first, second = drawn(50, 4), 2 * drawn(30, 4, seed=1)
    assert frechet_distance(first, first.flip(0)) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first))
    assert frechet_distance(first, second) > 0.5


def test_both_sets_may_be_shifted_and_one_shift_counts_squared() -> None:
    first, second, shift = drawn(50, 4), 2 * drawn(30, 4, seed=1), torch.tensor([1e3, 0.0, -5.0, 2.0])
    assert frechet_distance(first + shift, second + shift) == pytest.approx(frechet_distance(first, second))
    assert frechet_distance(first, first + shift) == pytest.approx(float(shift.square().sum()))


def test_fewer_rows_than_features_and_constant_features_are_no_trouble() -> None:
    first, second = drawn(5, 40).float(), drawn(7, 40, seed=1).float()  # singular covariances
    wide = frechet_distance(first, second)
    assert math.isfinite(wide) and wide > 0
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-4)
    padded = [torch.cat([rows, torch.ones(len(rows), 3)], dim=1) for rows in (first, second)]
    assert frechet_distance(*padded) == pytest.approx(wide)
    assert frechet_distance(torch.zeros(2, 3), torch.zeros(4, 3)) == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (torch.zeros(1, 3), torch.zeros(5, 3)),
        (torch.zeros(5, 3), torch.zeros(0, 3)),
        (torch.zeros(5, 3), torch.zeros(5, 4)),
        (torch.zeros(5), torch.zeros(5)),
        (torch.full((5, 3), math.nan), torch.zeros(5, 3)),
    ],
)
def test_what_has_no_covariance_is_refused(first: torch.Tensor, second: torch.Tensor) -> None:
    with pytest.raises(DataError, match="Frechet"):
        frechet_distance(first, second)
