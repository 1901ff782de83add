"""What is peculiar to SigLIP: a temperature and a bias that learn, and go through checkpoints."""

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.losses.siglip import siglip
from hundredfold.methods import catalogue
from hundredfold.random import generator
from hundredfold.train.optimizer import optimizer
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(**settings):
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    return catalogue.build(
        "siglip", small, Chain((Rotation(degrees=30),)), {"hidden": 12, "projection": 6, **settings}, seed=0
    )


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def test_the_loss_is_that_of_the_projections():
    method = make(temperature=7.0, bias=-3.0)
    views = method.views(batch(), generator(0, "v"))
    step = method(views)
    torch.testing.assert_close(step.loss, siglip(*method.project(views), temperature=7.0, bias=-3.0))
    assert step.logs["temperature"].item() == pytest.approx(7.0) and step.logs["bias"].item() == -3.0


def test_temperature_and_bias_learn_without_weight_decay():
    method = make()
    learning = {method.loss.log_temperature, method.loss.bias}
    (free,) = [group for group in optimizer(method, Plan()).param_groups if group["weight_decay"] == 0]
    assert learning <= set(free["params"])
    method(method.views(batch(), generator(0, "v"))).loss.backward()
    assert all(parameter.grad.abs() > 0 for parameter in learning)
    assert {"loss.log_temperature", "loss.bias"} <= set(method.state_dict())


def test_they_stay_if_told_to():
    method = make(learnable=False)
    method(method.views(batch(), generator(0, "v"))).loss.backward()
    assert not method.loss.log_temperature.requires_grad and method.loss.bias.grad is None


def test_settings_and_levels():
    assert catalogue.problems("siglip", {}) == []
    assert catalogue.problems("siglip", {"temperature": 0}) == ["method_settings.temperature must be > 0, got 0.0"]
    chance, floor = make().levels(256)
    assert chance == pytest.approx(6.543221) and floor is None
