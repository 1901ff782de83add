"""What is peculiar to VICReg: three weighted terms over all images, of projections that keep their length."""

import math

import pytest
import torch

from hundredfold import distributed
from hundredfold.encoders.build import encoder
from hundredfold.losses.vicreg import vicreg, vicreg_chance
from hundredfold.methods.contrastive.vicreg import Config, VICReg
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
        return VICReg(small, Chain((Rotation(degrees=30),)), Config(**{"hidden": 12, "projection": 6, **settings}))


def views(method, count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return method.views(ImageBatch(images, torch.full((count,), -1), torch.arange(count)), generator(0, "v"))


@pytest.mark.parametrize("weights", [{}, {"invariance": 1.0, "variance": 2.0, "covariance": 30.0}])
def test_the_loss_is_that_of_the_projections(weights):
    method = make(**weights)
    both = views(method)
    za, zb = method.project(both)
    step = method(both)
    torch.testing.assert_close(step.loss, vicreg(za, zb, **weights))
    assert all(torch.equal(kept, z) for kept, z in zip(step.pair, (za, zb), strict=True))
    weighted = sum(getattr(method.config, name) * term.item() for name, term in step.logs.items())
    assert step.loss.item() == pytest.approx(weighted, rel=1e-5)


def test_variances_are_over_the_images_of_all_processes(monkeypatch):
    method = make()
    both = views(method)
    za, zb = method.project(both)
    monkeypatch.setattr(distributed, "gather", lambda z: torch.cat([z, z.detach().roll(1, 1)]))
    joined = (torch.cat([z, z.roll(1, 1)]) for z in (za, zb))
    step = method(both)
    torch.testing.assert_close(step.loss, vicreg(*joined))
    assert step.pair[0].shape == (10, 6)  # those of this process


def test_levels_know_of_a_floor_only_where_images_can_span_the_features():
    assert make(variance=3.0).levels(7) == (vicreg_chance(3.0), 0.0)
    assert make(variance=3.0).levels(6) == (vicreg_chance(3.0), None)


def test_settings():
    assert Config().problems() == []
    bad = Config(invariance=-1, variance=0, covariance=math.nan, hidden=0, projection=1)
    assert [problem.split()[0] for problem in bad.problems()] == ["hidden", "invariance", "variance", "projection"]
