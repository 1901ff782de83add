"""What is peculiar to flip: exact mirror images, a chain that mirrors nothing, and sets without handedness."""

import math

import pytest
import torch

from hundredfold.data.digits import read_digits
from hundredfold.encoders.build import encoder
from hundredfold.methods.pretext.flip import Config, Flip, doubts
from hundredfold.random import generator
from hundredfold.types import ImageBatch
from hundredfold.views import flip as views
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(*chain, **settings):
    small = encoder(
        "convnet", channels=1, size=(8, 12), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Flip(small, Chain(chain), Config(**settings))


def batch(count=10):
    images = torch.randint(0, 256, (count, 1, 8, 12), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


@pytest.mark.parametrize("both", [False, True])
def test_an_image_is_mirrored_where_the_answer_is_1_and_no_pixel_changes(both):
    found = make(both=both).views(batch(), generator(0, "v"))
    assert len(found.images) == (20 if both else 10)
    assert set(found.answers.tolist()) == {0, 1}
    for row, (image, answer) in enumerate(zip(found.images, found.answers.tolist(), strict=True)):
        rows = (batch().images[row % 10, 0].float() / 255).tolist()
        assert image[0].tolist() == ([line[::-1] for line in rows] if answer else rows)


def test_half_of_the_images_are_mirrored():
    answers = make().views(batch(4_000), generator(0, "v")).answers
    assert abs(answers.float().mean().item() - 0.5) < 4 * 0.5 / math.sqrt(4_000)


def test_a_chain_that_mirrors_is_left_without_its_flips():
    method = make(views.Flip(horizontal=0.5, vertical=0.5), Rotation(degrees=10))
    assert method.chain.views == (Rotation(degrees=10),)


def test_levels_and_answers():
    method = make()
    found = method.views(batch(), generator(0, "v"))
    predicted, right = method.answer(found)
    assert torch.equal(right, found.answers)
    assert torch.equal(predicted, method.logits(found).argmax(1))
    assert method.levels(7) == (math.log(2), 0.0)
    assert Config().problems() == []


def test_digits_have_a_left_and_a_right():
    assert doubts(read_digits().train.take(torch.arange(300)).float() / 255) == []


def test_what_is_as_often_on_the_left_as_on_the_right_has_none():
    mixed = torch.randperm(1_797, generator=torch.Generator().manual_seed(0))[:600]
    digits = read_digits().train.take(mixed).float() / 255
    either = torch.cat([digits[:300], digits[300:].flip(3)])
    (sentence,) = doubts(either)
    assert "% of the images lie, mirrored" in sentence and "--method rotation" in sentence


def test_symmetric_images_are_doubted():
    half = torch.rand(120, 1, 8, 4, generator=torch.Generator().manual_seed(0))
    (sentence,) = doubts(torch.cat([half, half.flip(3)], dim=3))
    assert sentence.startswith("100% of the images")
