"""What is peculiar to SimSiam: a predictor and a stopped gradient, without either of which everything collapses."""

import math

import pytest
import torch
from torch import nn

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.evaluate.similarity import similarity
from hundredfold.methods.contrastive.simsiam import Config, SimSiam, distance
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch, Step
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(**settings):
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = Config(**{"hidden": 12, "projection": 6, "predictor_hidden": 4, **settings})
        return SimSiam(small, Chain((Rotation(degrees=90),)), config)


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def by_hand(prediction, target):
    """Equation 1 plus 1, with floats."""
    total = 0.0
    for p, z in zip(prediction.tolist(), target.tolist(), strict=True):
        lengths = math.dist(p, [0] * len(p)), math.dist(z, [0] * len(z))
        total += 1 - sum(x / lengths[0] * y / lengths[1] for x, y in zip(p, z, strict=True))
    return total / len(prediction)


def test_distance_is_equation_1():
    p, z = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert distance(p, z).item() == pytest.approx(by_hand(p, z), rel=1e-12)
    assert distance(p, 3 * p).item() == pytest.approx(0, abs=1e-12)
    assert distance(p, -p).item() == pytest.approx(2)
    assert torch.autograd.gradcheck(lambda p: distance(p, z), p.requires_grad_())


def test_each_view_predicts_the_projection_of_the_other():
    method = make()
    views = method.views(batch(), generator(0, "v"))
    z = method.head(method.encoder(torch.cat([views.a, views.b])))
    p = method.predictor(z)
    step = method(views)
    assert step.loss.item() == pytest.approx((by_hand(p[:10], z[10:]) + by_hand(p[10:], z[:10])) / 2, rel=1e-4)
    assert torch.equal(step.pair[0], z[:10]) and torch.equal(step.pair[1], z[10:])


def test_no_gradient_flows_into_what_is_predicted():
    method = make()
    za, zb = torch.randn(2, 10, 6, generator=torch.Generator().manual_seed(0))
    za.requires_grad_()
    method.compare(za, zb).loss.backward()
    constant = za.detach().clone()
    other = za.detach().clone().requires_grad_()
    pa, pb = method.predictor(torch.cat([other, zb])).chunk(2)
    ((distance(pa, zb) + distance(pb, constant)) / 2).backward()
    torch.testing.assert_close(za.grad, other.grad)
    assert za.grad.abs().max() > 0


PIXELS = torch.randint(0, 256, (96, 1, 8, 8), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)


def spread(method):
    images = ImageSet(source="toy", pixels=MemoryPixels(PIXELS), labels=torch.full((96,), -1))
    loader = Loader(images=images, index=torch.arange(96), batch_size=32, seed=2)
    fit(
        method, loader, Plan(epochs=25, batch_size=32, lr=3e-3), Engine(device=torch.device("cpu"), precision="float32")
    )
    with torch.no_grad():
        za, zb = method.project(method.views(ImageBatch(PIXELS, images.labels, torch.arange(96)), generator(0, "x")))
    return similarity(za, zb, za).spread


class WithGradient(SimSiam):
    def compare(self, za, zb):
        pa, pb = self.predictor(torch.cat([za, zb])).chunk(2)
        return Step((distance(pa, zb) + distance(pb, za)) / 2, {})


def test_predictor_and_stopped_gradient_keep_it_from_collapsing():
    def unnormalised():  # the projections' normalisation would hide a part of the collapse
        method = make(hidden=64, projection=32, predictor_hidden=16)
        method.head[-1] = nn.Identity()
        return method

    whole, without_predictor, with_gradient = unnormalised(), unnormalised(), unnormalised()
    without_predictor.predictor = nn.Identity()
    with_gradient.__class__ = WithGradient
    least = spread(whole)
    assert least > 0.6
    assert spread(without_predictor) < 0.5 * least
    assert spread(with_gradient) < 0.5 * least


def test_levels_and_settings():
    assert make().levels(10) == (None, 0.0)
    assert sum(isinstance(module, nn.Linear) for module in make(layers=3).head) == 3
    assert Config().problems() == []
    problems = Config(hidden=0, layers=1, predictor_hidden=0).problems()
    assert [problem.split()[0] for problem in problems] == ["hidden", "layers", "predictor_hidden"]
