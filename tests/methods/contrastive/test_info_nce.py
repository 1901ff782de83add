"""What is peculiar to InfoNCE: the other view is looked for in one direction or in both."""

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.losses.info_nce import info_nce
from hundredfold.losses.nt_xent import nt_xent
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
        "info_nce", small, Chain((Rotation(degrees=30),)), {"hidden": 12, "projection": 6, **settings}, seed=0
    )


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def test_the_loss_is_info_nce_of_the_projections():
    method = make(temperature=0.3)
    views = method.views(batch(), generator(0, "v"))
    za, zb = method.project(views)
    torch.testing.assert_close(method(views).loss, nt_xent(za, zb, temperature=0.3, negatives="cross"))


def test_one_direction_looks_from_the_first_view():
    method = make(symmetric=False)
    views = method.views(batch(), generator(0, "v"))
    za, zb = method.project(views)
    loss = method(views).loss
    torch.testing.assert_close(loss, info_nce(za, zb, symmetric=False))
    assert abs(float((loss - make()(views).loss).detach())) > 1e-5


def test_settings_and_levels():
    assert catalogue.problems("info_nce", {}) == []
    assert catalogue.problems("info_nce", {"temperature": 0}) == ["method_settings.temperature must be > 0, got 0.0"]
    chance, floor = make(temperature=0.2).levels(6)
    assert (chance, floor) == pytest.approx((1.791759, 0.012317), abs=1e-5)
