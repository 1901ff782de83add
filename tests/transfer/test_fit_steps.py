"""As many steps as were asked for, over the images in even shares, whatever the size of the set."""

import pytest
import torch

from hundredfold.methods.labelled.finetune import Finetune
from hundredfold.transfer.fit_steps import fit_steps, tiled
from hundredfold.views.chain import Chain

INDEX = torch.tensor([3, 7, 8, 20, 31])


@pytest.mark.parametrize("count", [1, 4, 5, 6, 10, 23])
def test_each_position_comes_as_often_as_any_other_or_once_more(count):
    found = tiled(INDEX, count, seed=1)
    counts = [int((found == position).sum()) for position in INDEX]
    assert len(found) == sum(counts) == count and max(counts) - min(counts) <= 1
    assert torch.equal(found, tiled(INDEX, count, seed=1))


def test_which_come_once_more_is_left_to_chance():
    drawn = {tuple(sorted(tiled(INDEX, 2, seed=seed).tolist())) for seed in range(40)}
    assert len(drawn) == 10, "every pair of five"


@pytest.mark.parametrize("size", [1, 3, 4, 7, 8, 90])
@pytest.mark.parametrize("steps", [1, 5])
def test_the_number_of_steps(small, target, engine, size, steps):
    method = Finetune(small(), 3, Chain(()))
    found = fit_steps(
        method,
        target,
        torch.arange(size),
        steps=steps,
        batch=4,
        lr=1e-3,
        weight_decay=0.0,
        engine=engine,
        seed=0,
    )
    assert found.steps == steps and found.batch_size == 4
