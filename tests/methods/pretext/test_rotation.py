"""What is peculiar to rotation: exact turns, a question that the views leave an answer to, and what cannot be asked."""

import math

import pytest
import torch

from hundredfold.data.digits import read_digits
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.errors import SettingsError
from hundredfold.methods.pretext.rotation import Config, Rotation, doubts, turned
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.flip import Flip
from hundredfold.views.rotation import Rotation as RandomRotation


def make(*views, size=(8, 8), **settings):
    small = encoder(
        "convnet", channels=1, size=size, mean=[0.5], std=[0.25], settings={"widths": [8], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Rotation(small, Chain(views), Config(**settings))


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def turned_by_hand(image, turns):
    """Counter-clockwise: what was the last column becomes the first row."""
    rows = image.tolist()
    for _ in range(turns):
        rows = [list(column) for column in zip(*rows, strict=True)][::-1]
    return torch.tensor(rows)


@pytest.mark.parametrize("all_four", [False, True])
def test_each_image_is_turned_as_its_answer_says_and_no_pixel_changes(all_four):
    images = batch().images
    views = make(all_four=all_four).views(batch(), generator(0, "v"))
    assert len(views.images) == len(views.answers) == (40 if all_four else 10)
    for row, (image, answer) in enumerate(zip(views.images, views.answers.tolist(), strict=True)):
        assert torch.equal(image[0], turned_by_hand(images[row % 10, 0].float() / 255, answer))
    if all_four:
        assert views.answers.tolist() == [turn for turn in range(4) for _ in range(10)]


def test_all_turns_are_asked_for_equally_often():
    answers = make().views(batch(4_000), generator(0, "v")).answers
    assert all(abs(int((answers == turn).sum()) - 1_000) < 120 for turn in range(4))  # 4 standard deviations


def test_the_loss_is_the_cross_entropy_of_the_answers():
    method = make()
    views = method.views(batch(), generator(0, "v"))
    logits = method.logits(views).tolist()
    right = views.answers.tolist()
    terms = [math.log(sum(math.exp(z) for z in row)) - row[answer] for row, answer in zip(logits, right, strict=True)]
    hits = [row.index(max(row)) == answer for row, answer in zip(logits, right, strict=True)]
    step = method(views)
    assert step.loss.item() == pytest.approx(sum(terms) / 10, rel=1e-5)
    assert step.logs["accuracy"].item() == pytest.approx(sum(hits) / 10)
    predicted, wanted = method.answer(views)
    assert torch.equal(wanted, views.answers)
    assert (predicted == wanted).tolist() == hits
    assert method.project(views) is None
    assert method.levels(10) == (math.log(4), 0.0)


def test_upright_digits_are_learnt_and_held_out_ones_answered():
    digits = read_digits().train.without_labels()
    loader = Loader(images=digits, index=torch.arange(300), batch_size=50, seed=0)
    method = make()
    engine = Engine(device=torch.device("cpu"), precision="float32")
    fit(method, loader, Plan(epochs=6, batch_size=50, lr=3e-3), engine)
    held_out = ImageBatch(digits.take(torch.arange(400, 800)), torch.full((400,), -1), torch.arange(400))
    predicted, right = method.answer(method.views(held_out, generator(0, "held out")))
    assert (predicted == right).float().mean() > 0.6  # 0.25 is chance


def test_views_that_make_the_turn_themselves_are_left_out_or_refused():
    mirrored = make(Flip(horizontal=0.0, vertical=1.0))
    views = mirrored.views(batch(), generator(0, "v"))
    assert torch.equal(views.images[views.answers == 0], batch().images[views.answers == 0].float() / 255)
    kept = make(Flip(horizontal=1.0)).chain.views
    assert kept == (Flip(horizontal=1.0),)
    make(RandomRotation(degrees=44))
    with pytest.raises(SettingsError, match=r"views\.rotation 45: it must be below 45"):
        make(RandomRotation(degrees=45))


def test_images_that_are_not_square_are_refused_with_what_is_possible():
    with pytest.raises(SettingsError, match=r"8x12 .*image_size=N.* flip, jigsaw"):
        make(size=(8, 12))
    assert doubts(torch.rand(20, 1, 8, 12, generator=torch.Generator().manual_seed(0))) == []


def test_settings():
    assert Config().problems() == []
    assert Config(hidden=0).problems() == ["hidden must be >= 1, got 0"]


def test_turned_has_four_versions_and_the_first_is_the_image():
    images = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    versions = turned(images)
    assert versions.shape == (4, 2, 3, 5, 5)
    assert torch.equal(versions[0], images)
    assert torch.equal(turned(versions[3])[1], images)  # a full turn


def test_digits_have_an_upright_and_blobs_have_none():
    digits = read_digits().train.take(torch.arange(300)).float() / 255
    assert doubts(digits) == []
    (sentence,) = doubts(blobs(300))
    assert "% of the images lie, turned" in sentence and "--method simclr" in sentence


def blobs(count):
    """Round spots at random places, like cells under a microscope."""
    rng = torch.Generator().manual_seed(0)
    place = torch.rand(count, 3, 2, generator=rng) * 20 - 2
    pixel = torch.arange(16.0)
    squares = (pixel[None, None, :, None] - place[..., 0, None, None]).square() + (
        pixel[None, None, None, :] - place[..., 1, None, None]
    ).square()  # [n, 3, 16, 16]
    return (-squares / 8).exp().amax(1, keepdim=True)
