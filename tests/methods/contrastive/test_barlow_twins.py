"""What is peculiar to Barlow Twins: its loss over all images, and what its log says per feature."""

import math

import pytest
import torch

from hundredfold import distributed
from hundredfold.encoders.build import encoder
from hundredfold.losses.barlow_twins import barlow_twins, barlow_twins_floor
from hundredfold.methods.contrastive.barlow_twins import BarlowTwins, Config
from hundredfold.random import generator
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(**settings):
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BarlowTwins(small, Chain((Rotation(degrees=30),)), Config(**{"hidden": 12, "projection": 6, **settings}))


def views(method, count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return method.views(ImageBatch(images, torch.full((count,), -1), torch.arange(count)), generator(0, "v"))


@pytest.mark.parametrize("redundancy", [0.0, 0.3])
def test_the_loss_is_that_of_the_projections(redundancy):
    method = make(redundancy=redundancy)
    both = views(method)
    za, zb = method.project(both)
    step = method(both)
    torch.testing.assert_close(step.loss, barlow_twins(za, zb, redundancy=redundancy))
    assert all(torch.equal(kept, z) for kept, z in zip(step.pair, (za, zb), strict=True))
    per_feature = step.logs["invariance"] + redundancy * step.logs["redundancy"]
    assert step.loss.item() == pytest.approx(6 * per_feature.item(), rel=1e-5)


def test_correlations_are_over_the_images_of_all_processes(monkeypatch):
    method = make()
    both = views(method)
    za, zb = method.project(both)
    monkeypatch.setattr(distributed, "gather", lambda z: torch.cat([z, z.detach().roll(1, 1)]))
    joined = (torch.cat([z, z.roll(1, 1)]) for z in (za, zb))
    step = method(both)
    torch.testing.assert_close(step.loss, barlow_twins(*joined, redundancy=0.02))
    assert step.pair[0].shape == (10, 6)  # those of this process


def test_levels():
    chance, floor = make().levels(4)
    assert chance == 6.0 and floor == barlow_twins_floor(4, 6, 0.02) > 0
    assert make().levels(32) == (6.0, 0.0)


def test_settings():
    assert Config().problems() == []
    bad = Config(redundancy=math.nan, hidden=0, projection=1)
    assert [problem.split()[0] for problem in bad.problems()] == ["hidden", "redundancy", "projection"]
