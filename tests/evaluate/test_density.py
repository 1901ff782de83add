"""Information density against its sum written with loops, and what a batch promises."""

import importlib

import pytest
import torch
from torch.nn import functional

from hundredfold.evaluate.density import information_density, margin

module = importlib.import_module("hundredfold.evaluate.density")


def rows(n: int, d: int = 4, seed: int = 0) -> torch.Tensor:
    return functional.normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(seed)), dim=1)


def dot(a: torch.Tensor, b: torch.Tensor) -> float:
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def worth(chosen: list[int], features: torch.Tensor, doubt: torch.Tensor, covered: torch.Tensor) -> float:
    """The doubt of every image times the similarity of the most similar labelled or chosen one."""
    total = 0.0
    for row, unsure in zip(features, doubt.tolist(), strict=True):
        alike = [-1.0, *(dot(row, other) for other in covered)] if not len(covered) else [dot(row, c) for c in covered]
        total += unsure * max([*alike, *(dot(row, features[other]) for other in chosen)])
    return total


def test_margin() -> None:
    shares = torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.4, 0.4], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(margin(shares), torch.tensor([0.8, 1.0, 0.0]))


@pytest.mark.parametrize("labelled", [0, 3])
def test_each_next_one_adds_most(labelled: int) -> None:
    features, covered = rows(12), rows(labelled, seed=1)
    doubt = torch.rand(12, generator=torch.Generator().manual_seed(2))
    found = information_density(features, doubt, 5, covered=covered).tolist()
    for number in range(5):
        before = found[:number]
        left = [row for row in range(12) if row not in before]
        gains = {row: worth([*before, row], features, doubt, covered) for row in left}
        assert gains[found[number]] == pytest.approx(max(gains.values()), abs=1e-5)


def test_an_outlier_is_left_alone_however_unsure() -> None:
    crowd = functional.normalize(torch.tensor([1.0, 0, 0]) + 0.05 * rows(20, d=3), dim=1)
    features = torch.cat([crowd, torch.tensor([[0.0, 0.0, 1.0]])])
    doubt = torch.cat([torch.full((20,), 0.5), torch.ones(1)])
    first = information_density(features, doubt, 1, covered=torch.tensor([[0.0, 1.0, 0.0]]))
    assert int(first) < 20


def test_what_is_labelled_is_not_asked_again() -> None:
    """Two crowds of the same doubt, one of them with a label in its middle: the other one is asked."""
    a, b = (functional.normalize(torch.eye(3)[axis] + 0.05 * rows(10, d=3), dim=1) for axis in (0, 1))
    found = information_density(torch.cat([a, b]), torch.ones(20), 1, covered=torch.eye(3)[:1])
    assert int(found) >= 10


def test_a_batch_is_not_the_same_image_many_times() -> None:
    """Three images ten times each: ten rows would be one image by their own worth alone."""
    features = torch.eye(3).repeat_interleave(10, 0)
    doubt = torch.tensor([1.0, 0.9, 0.8]).repeat_interleave(10)
    found = information_density(features, doubt, 3, covered=torch.empty(0, 3))
    assert {int(row) // 10 for row in found} == {0, 1, 2}


def test_all_rows_can_be_had_and_none_twice() -> None:
    for doubt in (torch.zeros(7), torch.ones(7)):
        assert sorted(information_density(rows(7), doubt, 7, covered=rows(2)).tolist()) == list(range(7))
    with pytest.raises(ValueError, match=r"count must be in 0\.\.7"):
        information_density(rows(7), torch.ones(7), 8, covered=rows(2))


def test_in_a_large_pool_the_surest_are_no_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CANDIDATES", 10)
    doubt = torch.linspace(0, 1, 50)
    assert int(information_density(rows(50), doubt, 5, covered=rows(1)).min()) >= 40
    assert len(information_density(rows(50), doubt, 20, covered=rows(1)).unique()) == 20
