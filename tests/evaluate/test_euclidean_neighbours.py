"""The nearest rows by Euclidean distance against sorting by loops."""

import math

import pytest
import torch

from hundredfold.evaluate.euclidean_neighbours import nearest_euclidean


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("block", [1, 7, 500])
@pytest.mark.parametrize("count", [1, 4, 23, 50])  # more than there are, too
def test_it_is_sorting(block: int, count: int) -> None:
    rows, among = drawn(17, 5, seed=1), drawn(23, 5)
    distances, index = nearest_euclidean(rows, count, among=among, block=block)
    assert distances.shape == index.shape == (17, min(count, 23))
    for number, row in enumerate(rows.tolist()):
        wanted = sorted((math.dist(row, other), place) for place, other in enumerate(among.tolist()))[:count]
        assert index[number].tolist() == [place for _, place in wanted]
        assert distances[number].tolist() == pytest.approx([distance for distance, _ in wanted], abs=1e-5)


def test_equal_rows_are_at_no_distance_however_far_from_the_origin() -> None:
    among = 1000 + drawn(40, 300)
    distances, index = nearest_euclidean(among, 1, among=among)
    assert distances.flatten().tolist() == [0.0] * 40
    assert index.flatten().tolist() == list(range(40))


def test_one_row_among_one() -> None:
    distances, index = nearest_euclidean(torch.tensor([[3.0, 4.0]]), 1, among=torch.zeros(1, 2))
    assert distances.tolist() == [[5.0]] and index.tolist() == [[0]]
