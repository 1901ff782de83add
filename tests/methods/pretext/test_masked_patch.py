"""What is peculiar to masked patches: how many are hidden, and a loss over those alone."""

import pytest
import torch

from hundredfold.data.digits import read_digits
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.errors import SettingsError
from hundredfold.methods.pretext.masked_patch import Config, MaskedPatch, doubts
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain


def make(size=(8, 8), channels=1, **settings):
    means = {"mean": [0.3] * channels, "std": [0.3] * channels}
    widths = {"widths": [8, 16], "features": 32}
    small = encoder("convnet", channels=channels, size=size, settings=widths, seed=0, **means)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MaskedPatch(small, Chain(()), Config(**settings))


def batch(count=6, channels=1, size=(8, 8)):
    images = torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(1))
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


@pytest.mark.parametrize("mask, hidden", [(0.6, 10), (0.5, 8), (0.01, 1), (0.99, 15)])
def test_so_many_whole_patches_are_hidden(mask, hidden):
    method = make(mask=mask)
    assert method.patch == 2
    missing = method.hide(50, (8, 8), generator(0, "v"))  # [50, 1, 8, 8]
    of_patches = missing.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).float().mean(4)  # [50, 1, 4, 4]
    assert set(of_patches.flatten().tolist()) <= {0.0, 1.0}
    assert set(of_patches.flatten(1).sum(1).tolist()) == {hidden}


def test_automatic_patches_are_smaller_than_those_of_the_vit():
    assert make(size=(28, 28)).patch == 4 and make(size=(24, 24), patch=8).patch == 8


def test_every_patch_is_hidden_equally_often():
    missing = make(mask=0.5, patch=4).hide(4000, (8, 8), generator(0, "v")).float().mean(0)
    assert missing.min() > 0.46 and missing.max() < 0.54  # 5 standard deviations of 4000 tosses


def test_the_loss_by_hand():
    method = make(channels=2).eval()
    views = method.views(batch(channels=2), generator(0, "v"))
    seen = views.images.clone()
    seen[views.missing.expand_as(seen)] = 0.3
    answers = method.decoder(method.encoder(seen))
    squares = [
        (answers[b, c, y, x].item() - views.images[b, c, y, x].item()) ** 2
        for b in range(6)
        for c in range(2)
        for y in range(8)
        for x in range(8)
        if views.missing[b, 0, y, x]
    ]
    assert len(squares) == 6 * 2 * 10 * 4
    assert method(views).loss.item() == pytest.approx(sum(squares) / len(squares), rel=1e-4)


def test_hidden_patches_are_neither_seen_nor_kept():
    method = make().eval()
    views = method.views(batch(), generator(0, "v"))
    other = views._replace(images=torch.where(views.missing, torch.rand(1), views.images))
    assert torch.equal(method.complete(views).completed[views.missing], method.complete(other).completed[views.missing])
    assert torch.equal(method.complete(views).completed[~views.missing], views.images[~views.missing])


def test_learns_to_fill_digits():
    """More of the pixels' variance is explained than the mean image explains: what is around was looked at."""
    digits = read_digits().train
    method = make(mask=0.5)
    loader = Loader(images=digits, index=torch.arange(1024), batch_size=64, seed=0)
    engine = Engine(device=torch.device("cpu"), precision="float32")
    fit(method, loader, Plan(epochs=25, batch_size=64, lr=3e-3), engine)
    held_out = digits.take(torch.arange(1100, 1500))
    views = method.views(ImageBatch(held_out, torch.zeros(400), torch.arange(400)), generator(0, "v"))
    assert method(views).logs["explained"] > 0.15


def test_a_patch_that_does_not_divide_is_refused():
    with pytest.raises(SettingsError, match="patches of 3x3 do not divide images of 8x8; these do: 2, 4"):
        make(patch=3)
    with pytest.raises(SettingsError, match="no patch divides images of 9x10"):
        make(size=(9, 10))


@pytest.mark.parametrize("mask", [0, 1, -0.5, 1.5, float("nan")])
def test_a_share_outside_0_to_1_is_named(mask):
    (problem,) = Config(mask=mask).problems()
    assert problem.startswith("mask is the share of the patches that are hidden, above 0 and below 1")


def test_other_problems_are_named():
    assert Config().problems() == []
    assert [problem.split()[0] for problem in Config(patch=1, mask=2).problems()] == ["patch", "mask"]


def test_doubts():
    noise = torch.rand(200, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert len(doubts(noise)) == 1
    strokes = torch.zeros(200, 1, 24, 24)
    strokes[:, :, 8:16, 8:16] = torch.rand(200, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    assert any("flat colour" in doubt for doubt in doubts(strokes))
    digits = read_digits().train.take(torch.arange(400)).float() / 255
    assert doubts(digits) == []
