"""What is peculiar to the triplet method: the margin and the mining reach the loss."""

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.losses.triplet_margin import triplet_margin, violating_share
from hundredfold.methods import catalogue
from hundredfold.methods.contrastive.triplet import Config
from hundredfold.random import generator
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(**settings):
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    return catalogue.build(
        "triplet", small, Chain((Rotation(degrees=30),)), {"hidden": 12, "projection": 6, **settings}, seed=0
    )


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
def test_the_loss_is_that_of_the_projections(mining):
    method = make(margin=0.4, mining=mining)
    views = method.views(batch(), generator(0, "v"))
    torch.testing.assert_close(method(views).loss, triplet_margin(*method.project(views), margin=0.4, mining=mining))


def test_the_share_of_violating_triplets_is_logged_and_the_loss_has_no_chance_level():
    method = make(margin=0.4)
    views = method.views(batch(), generator(0, "v"))
    assert torch.equal(method(views).logs["violating"], violating_share(*method.project(views), margin=0.4))
    assert method.levels(10) == (None, 0.0)


def test_settings():
    assert Config().problems() == []
    assert Config(margin=0).problems() == ["margin must be > 0 and at most 2.0, got 0"]
    assert Config(margin=2.5, mining="soft", hidden=0).problems() == [
        "hidden and projection must be >= 1, got 0 and 128",
        "margin must be > 0 and at most 2.0, got 2.5",
        "mining must be one of all, hard, semi-hard, got 'soft'",
    ]
