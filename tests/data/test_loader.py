from __future__ import annotations

import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.errors import SettingsError


def loader(count: int = 10, **settings: int) -> Loader:
    images = ImageSet(
        source="x",
        pixels=MemoryPixels(torch.arange(count, dtype=torch.uint8).view(count, 1, 1, 1)),
        labels=torch.arange(count) * 10,
    )
    defaults = {"batch_size": 4, "seed": 0}
    return Loader(images=images, index=torch.arange(count), **{**defaults, **settings})  # type: ignore[arg-type]


def test_an_epoch_never_takes_an_image_twice() -> None:
    batches = loader()
    assert batches.steps_per_epoch == 2
    for epoch in range(3):
        taken = torch.cat([batches.positions(2 * epoch + step) for step in range(2)])
        assert len(taken.unique()) == 8


def test_every_image_comes_in_some_epoch() -> None:
    batches = loader()
    assert len(torch.cat([batches.positions(step) for step in range(20)]).unique()) == 10


def test_steps_do_not_depend_on_what_came_before() -> None:
    whole = [batch.positions.tolist() for batch in loader().batches(0, 7)]
    assert [batch.positions.tolist() for batch in loader().batches(3, 7)] == whole[3:]
    assert loader().positions(5).tolist() == whole[5]
    assert [batch.positions.tolist() for batch in loader(seed=1).batches(0, 7)] != whole


def test_images_labels_and_index_belong_together() -> None:
    for batch in loader().batches(0, 5):
        assert batch.images.flatten().tolist() == batch.positions.tolist()
        assert batch.labels.tolist() == [10 * position for position in batch.positions.tolist()]


def test_processes_share_each_batch_out() -> None:
    for step in range(4):
        parts = [loader(rank=rank, world=2).positions(step) for rank in range(2)]
        assert torch.equal(torch.cat(parts), loader().positions(step))


def test_a_batch_larger_than_the_set_repeats_all_before_any_thrice() -> None:
    batches = loader(count=3, batch_size=7)
    assert batches.steps_per_epoch == 1
    for step in range(5):
        counts = torch.bincount(batches.positions(step), minlength=3)
        assert counts.sum() == 7 and counts.min() == 2 and counts.max() == 3


def test_only_the_given_positions_are_used() -> None:
    some = Loader(images=loader().images, index=torch.tensor([7, 2, 5]), batch_size=3, seed=0)
    assert sorted(some.positions(4).tolist()) == [2, 5, 7]


@pytest.mark.parametrize("settings", [{"count": 0}, {"batch_size": 0}, {"batch_size": 5, "world": 2}])
def test_what_cannot_be_shared_out_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(SettingsError):
        loader(**settings)
