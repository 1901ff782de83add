"""What is peculiar to DCL: its loss, and a floor that may lie below zero."""

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.losses.dcl import dcl
from hundredfold.methods import catalogue
from hundredfold.random import generator
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(**settings):
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    return catalogue.build(
        "dcl", small, Chain((Rotation(degrees=30),)), {"hidden": 12, "projection": 6, **settings}, seed=0
    )


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def test_the_loss_is_that_of_the_projections():
    method = make(temperature=0.3)
    views = method.views(batch(), generator(0, "v"))
    torch.testing.assert_close(method(views).loss, dcl(*method.project(views), temperature=0.3))


def test_settings_and_levels():
    assert catalogue.problems("dcl", {}) == []
    assert catalogue.problems("dcl", {"temperature": -1}) == ["method_settings.temperature must be > 0, got -1.0"]
    assert make().levels(6) == pytest.approx((2.302585, -0.097415), abs=1e-6)
