"""What is peculiar to SimCLR: two views of each image through one network, and NT-Xent of their projections."""

import math

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.losses.nt_xent import nt_xent
from hundredfold.methods.contrastive.simclr import Config, SimCLR
from hundredfold.random import generator
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.flip import Flip
from hundredfold.views.rotation import Rotation


def make(chain=Chain((Rotation(degrees=30),)), **settings):  # noqa: B008
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SimCLR(small, chain, Config(**{"hidden": 12, "projection": 6, **settings}))


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def test_the_two_views_differ_and_row_i_of_both_is_image_i():
    views = make().views(batch(), generator(0, "v"))
    assert views.a.shape == views.b.shape == (10, 1, 8, 8) and views.a.dtype == torch.float32
    assert all(not torch.equal(a, b) for a, b in zip(views.a, views.b, strict=True))
    unchanged = make(Chain(())).views(batch(), generator(0, "v"))
    assert torch.equal(unchanged.a, unchanged.b) and torch.equal(unchanged.a, batch().images / 255)


def test_each_view_of_an_image_is_drawn_on_its_own():
    pair = make(Chain((Flip(horizontal=0.5),))).views(batch(200), generator(0, "v"))
    flipped_a = ((pair.a - batch(200).images / 255).abs() > 1e-4).flatten(1).any(1)
    flipped_b = ((pair.b - batch(200).images / 255).abs() > 1e-4).flatten(1).any(1)
    for first in (False, True):
        for second in (False, True):
            assert 20 < int(((flipped_a == first) & (flipped_b == second)).sum()) < 80  # about 50 of each of four


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_loss_is_nt_xent_of_the_projections(temperature):
    method = make(temperature=temperature)
    views = method.views(batch(), generator(0, "v"))
    both = method.head(method.encoder(torch.cat([views.a, views.b])))  # one pass: BatchNorm sees all 2n views
    assert both.shape == (20, 6)
    torch.testing.assert_close(method(views).loss, nt_xent(both[:10], both[10:], temperature=temperature))
    za, zb = method.project(views)
    assert torch.equal(za, both[:10]) and torch.equal(zb, both[10:])

    unit = (both / both.norm(dim=1, keepdim=True)).tolist()  # the paper's equation 1, with floats and loops
    similarity = [[sum(p * q for p, q in zip(u, v, strict=True)) / temperature for v in unit] for u in unit]
    total = 0.0
    for i in range(20):
        partner = (i + 10) % 20
        others = sum(math.exp(similarity[i][k]) for k in range(20) if k != i)
        total -= math.log(math.exp(similarity[i][partner]) / others)
    assert method(views).loss.item() == pytest.approx(total / 20, rel=1e-4)


def test_levels():
    chance, floor = make(temperature=0.5).levels(10)
    assert chance == pytest.approx(math.log(19))
    alike = torch.ones(10, 6)
    assert nt_xent(alike, alike, temperature=0.5).item() == pytest.approx(chance)
    assert 0 < floor < chance


def test_settings():
    assert Config().problems() == []
    assert [problem.split()[0] for problem in Config(temperature=0, hidden=0).problems()] == ["temperature", "hidden"]
