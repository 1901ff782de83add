"""Splits: nobody serves twice, every class is there, and the same seed says the same."""

import pytest
import torch

from hundredfold.data.split import Split, split
from hundredfold.errors import DataError


def labels_of(counts: list[int], unlabelled: int = 0) -> torch.Tensor:
    known = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    order = torch.randperm(len(known) + unlabelled, generator=torch.Generator().manual_seed(9))
    return torch.cat([known, torch.full((unlabelled,), -1)])[order]


def made(labels: torch.Tensor, classes: int, **changes: object) -> Split:
    options = {"labels_per_draw": 12, "draws": 3, "seed": 0, "has_test": False}
    return split(labels, classes, **{**options, **changes})


def test_pool_validation_and_test_share_no_image_and_miss_none() -> None:
    found = made(labels_of([40, 30, 50]), 3)
    together = torch.cat([found.pool, found.validation, found.test])
    assert together.sort().values.tolist() == list(range(120))
    assert len(found.validation) == round((120 - len(found.test)) / 6)


def test_the_test_set_is_a_share_of_each_class() -> None:
    labels = labels_of([40, 30, 5, 1])
    found = made(labels, 4)
    assert labels[found.test].bincount(minlength=4).tolist() == [8, 6, 1, 0]  # the only image of a class is kept


def test_a_source_with_its_own_test_set_gives_none_away() -> None:
    assert len(made(labels_of([40, 40]), 2, has_test=True).test) == 0


def test_draws_are_balanced_at_every_count_and_taken_from_the_pool() -> None:
    labels = labels_of([100, 60, 40])
    found = made(labels, 3)
    for draw in found.draws:
        assert len(draw) == 12
        for count in (3, 6, 12):
            assert labels[draw[:count]].bincount(minlength=3).tolist() == [count // 3] * 3
        assert torch.isin(draw, found.pool).all()
        assert len(draw.unique()) == 12
    assert not torch.equal(found.draws[0].sort().values, found.draws[1].sort().values)


def test_the_seed_decides() -> None:
    labels = labels_of([30, 30])
    first, again, other = made(labels, 2), made(labels, 2), made(labels, 2, seed=1)
    assert torch.equal(first.draws[2], again.draws[2]) and torch.equal(first.test, again.test)
    assert not torch.equal(first.test, other.test)


def test_labels_are_too_dear_for_validation_when_they_are_few() -> None:
    labels = labels_of([10, 10], unlabelled=200)
    found = made(labels, 2)
    assert (labels[found.validation] == -1).all()


def test_a_class_whose_images_all_went_to_validation_still_gets_its_label() -> None:
    labels = labels_of([200, 2])
    for seed in range(20):
        found = made(labels, 2, seed=seed, labels_per_draw=4)
        for draw in found.draws:
            assert (labels[draw] == 1).sum() == 1


def test_a_class_that_only_the_test_set_has_costs_no_validation_image() -> None:
    labels = labels_of([60, 60])
    found = made(labels, 3, has_test=True, labels_per_draw=1000)
    assert found.available == len(found.pool) == len(found.draws[0]) == 100
    assert not torch.isin(found.draws[0], found.validation).any()


def test_how_many_labels_there_are_to_draw_from() -> None:
    labels = labels_of([30, 30], unlabelled=200)
    found = made(labels, 2, labels_per_draw=20)
    assert found.available == int((labels[found.pool] != -1).sum()) == 48  # less the 12 to test on


def test_without_labels_there_is_a_pool_and_nothing_else() -> None:
    found = split(torch.full((60,), -1), 0, labels_per_draw=0, draws=5, seed=0, has_test=False)
    assert (len(found.pool), len(found.validation), len(found.test), found.draws) == (50, 10, 0, ())


@pytest.mark.parametrize(
    ("counts", "unlabelled", "wanted", "says"),
    [
        ([], 20, 10, "no image carries a label"),
        ([20], 0, 10, "all 20 labelled images are of one class"),
        ([20, 20, 20], 0, 2, "fewer labels than classes: --labels 2 for 3 classes"),
    ],
)
def test_what_cannot_be_learnt_is_said(counts: list[int], unlabelled: int, wanted: int, says: str) -> None:
    labels = labels_of(counts, unlabelled) if counts else torch.full((unlabelled,), -1)
    with pytest.raises(DataError, match=says):
        made(labels, len(counts), labels_per_draw=wanted)
