"""What is peculiar to SwAV: prototypes of length 1, at rest in the beginning, filled equally by all images."""

import math

import torch
from torch.nn import functional

from hundredfold import distributed
from hundredfold.encoders.build import encoder
from hundredfold.losses.swapped_prediction import swapped_prediction
from hundredfold.methods.contrastive.swav import Config, SwAV
from hundredfold.random import generator
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(**settings):
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = {"hidden": 12, "projection": 6, "prototypes": 5, **settings}
        return SwAV(small, Chain((Rotation(degrees=30),)), Config(**settings))


def views(method, count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return method.views(ImageBatch(images, torch.full((count,), -1), torch.arange(count)), generator(0, "v"))


def cosines(method, z):
    return functional.normalize(z) @ functional.normalize(method.prototypes.weight).T


def test_the_loss_is_swapped_prediction_of_the_cosines_with_the_prototypes():
    method = make(temperature=0.3, epsilon=0.2, iterations=2)
    both = views(method)
    za, zb = method.project(both)
    step = method(both)
    expected = swapped_prediction(cosines(method, za), cosines(method, zb), temperature=0.3, epsilon=0.2, iterations=2)
    torch.testing.assert_close(step.loss, expected)
    assert all(torch.equal(kept, z) for kept, z in zip(step.pair, (za, zb), strict=True))
    assert 1 <= step.logs["prototypes_used"] <= 5


def test_codes_are_over_the_images_of_all_processes(monkeypatch):
    method = make()
    both = views(method)
    za, zb = method.project(both)
    monkeypatch.setattr(distributed, "gather", lambda z: torch.cat([z, -z.detach()]))
    joined = (cosines(method, torch.cat([z, -z])) for z in (za, zb))
    torch.testing.assert_close(method(both).loss, swapped_prediction(*joined))


def test_prototypes_rest_for_their_share_of_the_steps_and_then_learn():
    method = make(frozen=0.5)
    optimizer = torch.optim.AdamW(method.parameters(), lr=0.01)
    start = method.prototypes.weight.detach().clone()
    moved = []
    for step in range(1, 9):
        optimizer.zero_grad()
        method(views(method)).loss.backward()
        optimizer.step()
        method.after_step(Progress(step, 8))
        moved.append((method.prototypes.weight - start).abs().max().item() > 1e-5)
        torch.testing.assert_close(method.prototypes.weight.norm(dim=1), torch.ones(5))
    assert moved == [False] * 4 + [True] * 4


def test_the_log_tells_when_few_prototypes_are_used():
    method = make()
    all_alike = torch.ones(10, 6)
    assert method.compare(all_alike, all_alike).logs["prototypes_used"] < 4.5
    for_each = method.prototypes.weight.detach()
    assert method.compare(for_each, for_each).logs["prototypes_used"] > 4.5


def test_levels():
    assert make().levels(10) == (math.log(5), None)


def test_settings():
    assert Config().problems() == []
    bad = Config(temperature=0, epsilon=-1, hidden=0, prototypes=1, iterations=0, frozen=1.5)
    names = [problem.split()[0] for problem in bad.problems()]
    assert names == ["temperature", "epsilon", "hidden", "iterations", "prototypes", "frozen"]
