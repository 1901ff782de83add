"""What is peculiar to BYOL: a target that follows after each step, a predictor without which everything collapses."""

import math

import pytest
import torch
from torch import nn

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.evaluate.similarity import similarity
from hundredfold.methods.contrastive.byol import BYOL, Config, squared_distance
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(**settings):
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = Config(**{"hidden": 12, "projection": 6, "predictor_hidden": 10, **settings})
        return BYOL(small, Chain((Rotation(degrees=90),)), config)


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def by_hand(prediction, target):
    """Equation 2 with floats."""
    total = 0.0
    for p, t in zip(prediction.tolist(), target.tolist(), strict=True):
        lengths = math.dist(p, [0] * len(p)), math.dist(t, [0] * len(t))
        total += sum((x / lengths[0] - y / lengths[1]) ** 2 for x, y in zip(p, t, strict=True))
    return total / len(prediction)


def test_distance_is_equation_2():
    p, t = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert squared_distance(p, t).item() == pytest.approx(by_hand(p, t), rel=1e-12)
    assert squared_distance(p, 3 * p).item() == pytest.approx(0, abs=1e-12)
    assert squared_distance(p, -p).item() == pytest.approx(4)
    assert torch.autograd.gradcheck(lambda p: squared_distance(p, t), p.requires_grad_())


def test_each_view_predicts_the_target_of_the_other():
    method = make()
    with torch.no_grad():  # so that target and network can be told apart
        for parameter in method.target.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    views = method.views(batch(), generator(0, "v"))
    both = torch.cat([views.a, views.b])
    z = method.head(method.encoder(both))
    p, t = method.predictor(z), method.target(both)
    step = method(views)
    assert step.loss.item() == pytest.approx((by_hand(p[:10], t[10:]) + by_hand(p[10:], t[:10])) / 2, rel=1e-4)
    assert torch.equal(step.pair[0], z[:10]) and torch.equal(step.pair[1], z[10:])


def test_the_target_moves_after_the_step_and_only_then():
    method = make(momentum=0.8)
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.5)
    followed = [*method.encoder.parameters(), *method.head.parameters()]
    before = [p.clone() for p in method.target.parameters()]
    method(method.views(batch(), generator(0, "v"))).loss.backward()
    assert all(p.grad is None for p in method.target.parameters())
    assert all(p.grad is not None for p in method.parameters() if p.requires_grad)
    optimizer.step()
    assert all(torch.equal(p, old) for p, old in zip(method.target.parameters(), before, strict=True))

    method.after_step(Progress(1, 4))
    tau = 1 - 0.2 * (math.cos(math.pi / 4) + 1) / 2
    for now, old, online in zip(method.target.parameters(), before, followed, strict=True):
        torch.testing.assert_close(now, tau * old + (1 - tau) * online)
    assert any(not torch.equal(now, old) for now, old in zip(method.target.parameters(), before, strict=True))

    rested = [p.clone() for p in method.target.parameters()]
    method.after_step(Progress(4, 4))  # tau has reached 1
    assert all(torch.equal(p, old) for p, old in zip(method.target.parameters(), rested, strict=True))


def test_to_evaluate_changes_nothing():
    method = make().eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method(method.views(batch(), generator(0, "v")))
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_the_target_is_part_of_the_state():
    method = make()
    names = set(method.state_dict())
    for name in method.encoder.state_dict():
        assert f"target.network.0.{name}" in names
    for name in method.head.state_dict():
        assert f"target.network.1.{name}" in names


def test_without_the_predictor_it_collapses():
    pixels = torch.randint(0, 256, (96, 1, 8, 8), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    images = ImageSet(source="toy", pixels=MemoryPixels(pixels), labels=torch.full((96,), -1))
    loader = Loader(images=images, index=torch.arange(96), batch_size=32, seed=2)
    engine = Engine(device=torch.device("cpu"), precision="float32")

    def spread(predictor=None):
        method = make(hidden=64, projection=32, predictor_hidden=64, momentum=0.95)
        method.predictor = predictor or method.predictor
        fit(method, loader, Plan(epochs=25, batch_size=32, lr=3e-3), engine)
        with torch.no_grad():
            za, zb = method.project(
                method.views(ImageBatch(pixels, images.labels, torch.arange(96)), generator(0, "x"))
            )
        return similarity(za, zb, za).spread

    whole = spread()
    assert whole > 0.6
    assert spread(nn.Identity()) < 0.5 * whole


def test_levels_and_settings():
    assert make().levels(10) == (None, 0.0)
    assert Config().problems() == []
    problems = Config(hidden=0, predictor_hidden=0, momentum=1.5).problems()
    assert [problem.split()[0] for problem in problems] == ["hidden", "predictor_hidden", "momentum"]
