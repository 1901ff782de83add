"""The nearest rows against sorting by loops, in blocks that do not divide, and with rows that are equal."""

import math
import sys
import types

import numpy as np
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


@pytest.mark.parametrize("without_self", [False, True])
def test_the_index_finds_nearly_what_sorting_finds(without_self: bool) -> None:
    pytest.importorskip("faiss")
    rows = unit(600, d=8)
    exact = nearest(rows, 5, among=rows, without_self=without_self)
    similarity, index = nearest(rows, 5, among=rows, without_self=without_self, exact_up_to=599)
    assert index.dtype == torch.int64 and similarity.dtype == torch.float32
    found = sum(len({*a} & {*b}) for a, b in zip(index.tolist(), exact[1].tolist(), strict=True))
    assert found > 0.95 * 5 * 600
    own = (index == torch.arange(600)[:, None]).any(1)
    assert not own.any() if without_self else own.all()
    torch.testing.assert_close(similarity, (rows[index] * rows[:, None]).sum(2))
    assert (similarity.diff(dim=1) <= 0).all()


def test_the_index_is_not_asked_for_what_is_quickly_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_through_index", lambda *_: pytest.fail("the index was built"))
    rows = unit(20)
    assert torch.equal(nearest(rows, 3, among=rows, exact_up_to=20)[1], nearest(rows, 3, among=rows)[1])
    assert torch.equal(nearest(rows[:5], 3, among=rows, exact_up_to=5)[1], nearest(rows[:5], 3, among=rows)[1])


class Forgetful:
    """An index that finds itself for row 0, only others for row 1, and too few for row 2."""

    def __init__(self, *_: object) -> None:
        self.hnsw = types.SimpleNamespace()

    def add(self, _: object) -> None:
        pass

    def search(self, _: object, count: int) -> tuple[np.ndarray, np.ndarray]:
        lowest = np.finfo(np.float32).min
        similarity = np.array([[1.0, 0.5, 0.4], [0.9, 0.6, 0.3], [1.0, 0.2, lowest]], dtype=np.float32)
        return similarity[:, :count], np.array([[0, 2, 1], [0, 2, 3], [2, 0, -1]])[:, :count]


def test_what_the_index_misses_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    faiss = types.SimpleNamespace(IndexHNSWFlat=Forgetful, METRIC_INNER_PRODUCT=0)
    monkeypatch.setitem(sys.modules, "faiss", faiss)
    similarity, index = neighbours._through_index(unit(3), 2, unit(4), True)
    assert index.tolist() == [[2, 1], [0, 2], [0, 0]]
    assert similarity[:2].flatten().tolist() == pytest.approx([0.5, 0.4, 0.9, 0.6])
    assert (similarity[2] / 0.07).softmax(0).tolist() == [1, 0], "a neighbour that was not found has no vote"
    assert float(similarity[2, 1].clamp_min(0)) == 0, "and no edge"
