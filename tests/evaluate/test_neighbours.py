"""The nearest rows against sorting by loops, in blocks that do not divide, and with rows that are equal."""

import math

import pytest
import torch
from torch.nn import functional

from hundredfold.evaluate import neighbours
from hundredfold.evaluate.neighbours import nearest


def unit(rows: int, d: int = 5, seed: int = 0) -> torch.Tensor:
    return functional.normalize(torch.randn(rows, d, generator=torch.Generator().manual_seed(seed)), dim=1)


def sorted_by_loops(rows: torch.Tensor, among: torch.Tensor, count: int, *, skip_self: bool) -> list[list[int]]:
    found = []
    for number, row in enumerate(rows.tolist()):
        cosines = {
            other: sum(a * b for a, b in zip(row, values, strict=True))
            for other, values in enumerate(among.tolist())
            if not (skip_self and other == number)
        }
        found.append(sorted(cosines, key=lambda other: -cosines[other])[:count])
    return found


@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize("count", [1, 4, 23])
def test_it_is_sorting(monkeypatch: pytest.MonkeyPatch, block: int, count: int) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    rows, among = unit(17, seed=1), unit(23)
    similarity, index = nearest(rows, count, among=among)
    assert index.tolist() == sorted_by_loops(rows, among, count, skip_self=False)
    for i in range(17):
        for place in range(count):
            dot = sum(float(a * b) for a, b in zip(rows[i], among[int(index[i, place])], strict=True))
            assert math.isclose(float(similarity[i, place]), dot, abs_tol=1e-6)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_no_row_is_its_own_neighbour(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    rows = unit(23)
    _, index = nearest(rows, 6, among=rows, without_self=True)
    assert index.tolist() == sorted_by_loops(rows, rows, 6, skip_self=True)


@pytest.mark.parametrize("block", [4, 1000])
def test_equal_rows_are_each_others_neighbours_but_not_their_own(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    rows = unit(1).expand(9, -1)
    similarity, index = nearest(rows, 8, among=rows, without_self=True)
    for row, others in enumerate(index.tolist()):
        assert sorted(others) == [other for other in range(9) if other != row]
    torch.testing.assert_close(similarity, torch.ones(9, 8))


def test_more_asked_for_than_there_are() -> None:
    similarity, index = nearest(unit(3, seed=1), 50, among=unit(4))
    assert similarity.shape == index.shape == (3, 4)
    assert all(sorted(row) == [0, 1, 2, 3] for row in index.tolist())
