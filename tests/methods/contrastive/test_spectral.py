"""What is peculiar to the spectral method: no temperature, and levels that no batch size moves."""

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.losses.spectral import spectral
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
        "spectral", small, Chain((Rotation(degrees=30),)), {"hidden": 12, "projection": 6, **settings}, seed=0
    )


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def test_the_loss_is_that_of_the_projections():
    method = make()
    views = method.views(batch(), generator(0, "v"))
    torch.testing.assert_close(method(views).loss, spectral(*method.project(views)))


def test_settings_and_levels():
    assert catalogue.problems("spectral", {}) == []
    (problem,) = catalogue.problems("spectral", {"temperature": 0.5})
    assert "temperature" in problem
    assert make().levels(6) == make().levels(600) == (0.0, -1.0)


def test_unlike_images_come_to_stand_at_right_angles():
    method = make(projection=16)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-2)
    for step in range(150):
        loss = method(method.views(batch(8), generator(0, "v", step % 5))).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    za, zb = (
        torch.nn.functional.normalize(z, dim=1) for z in method.project(method.views(batch(8), generator(0, "v")))
    )
    negative = (za @ zb.T)[~torch.eye(8, dtype=torch.bool)]
    assert loss.item() == pytest.approx(-1, abs=0.03)
    assert abs(negative.mean().item()) < 0.1  # the simplex would have -1/7
