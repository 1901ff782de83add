"""Colour jitter and grey against `colorsys` and plain loops."""

import colorsys
import math

import pytest
import torch

from hundredfold.views.colour_jitter import ColourJitter
from hundredfold.views.grey import Grey, grey

NOTHING = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}


def jittered(images, view=None, **changes):
    drawn = {name: torch.full((len(images),), value) for name, value in (NOTHING | changes).items()}
    drawn["chosen"] = torch.ones(len(images), dtype=torch.bool)
    return (view or ColourJitter()).apply(images, drawn)


def luma(pixel):
    return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]


def pixels(image):
    """[3, h, w] as a list of (red, green, blue)."""
    return [tuple(pixel) for pixel in image.flatten(1).T.tolist()]


def clip(value):
    return min(1.0, max(0.0, value))


def assert_same(image, expected):
    for got, wanted in zip(pixels(image), expected, strict=True):
        assert got == pytest.approx(wanted, abs=2e-5)


def test_neutral_numbers_change_nothing():
    images = torch.rand(3, 3, 5, 4)
    assert torch.allclose(jittered(images), images, atol=1e-5)


@pytest.mark.parametrize("factor", [0.2, 1.7])
def test_brightness(factor):
    image = torch.rand(1, 3, 5, 4)
    assert_same(jittered(image, brightness=factor)[0], [[clip(factor * x) for x in p] for p in pixels(image[0])])


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.8])
def test_contrast(factor):
    image = torch.rand(1, 3, 5, 4)
    mean = sum(map(luma, pixels(image[0]))) / 20
    expected = [[clip(mean + factor * (x - mean)) for x in p] for p in pixels(image[0])]
    assert_same(jittered(image, contrast=factor)[0], expected)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.8])
def test_saturation(factor):
    image = torch.rand(1, 3, 5, 4)
    expected = [[clip(luma(p) + factor * (x - luma(p))) for x in p] for p in pixels(image[0])]
    assert_same(jittered(image, saturation=factor)[0], expected)


@pytest.mark.parametrize("turns", [-0.2, 0.05, 0.5])
def test_hue_turns_about_the_grey_axis_of_yiq(turns):
    image = 0.3 + 0.3 * torch.rand(1, 3, 5, 4)  # not so colourful that colorsys has to clip
    expected = []
    for pixel in pixels(image[0]):
        y, i, q = colorsys.rgb_to_yiq(*pixel)
        cos, sin = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
        expected.append(colorsys.yiq_to_rgb(y, cos * i + sin * q, cos * q - sin * i))
    assert_same(jittered(image, hue=turns)[0], expected)


@pytest.mark.parametrize("turns", [-0.1, 0.1, 0.2])
def test_hue_turns_by_about_as_much_as_in_hsv_and_in_the_same_direction(turns):
    image = 0.4 + 0.2 * torch.rand(1, 3, 6, 6)
    moved = []
    for before, after in zip(pixels(image[0]), pixels(jittered(image, hue=turns)[0]), strict=True):
        difference = colorsys.rgb_to_hsv(*after)[0] - colorsys.rgb_to_hsv(*before)[0]
        moved.append((difference + 0.5) % 1 - 0.5)
    assert sum(moved) / len(moved) == pytest.approx(turns, abs=0.03)


def test_the_four_act_in_order():
    image = 0.4 + 0.1 * torch.rand(1, 3, 4, 4)
    changes = {"brightness": 1.2, "contrast": 1.3, "saturation": 0.7, "hue": 0.1}
    one_by_one = image
    for name, value in changes.items():
        one_by_one = jittered(one_by_one, **{name: value})
    assert torch.allclose(jittered(image, **changes), one_by_one, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_channels_get_brightness_and_contrast(channels):
    view = ColourJitter(saturation=0, hue=0)
    image = torch.rand(1, channels, 3, 3)
    values = image.flatten().tolist()
    mean = 0.5 * sum(values) / len(values)
    expected = [clip(mean + 1.5 * (0.5 * x - mean)) for x in values]
    assert jittered(image, view, brightness=0.5, contrast=1.5).flatten().tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("view", [ColourJitter(hue=0), ColourJitter(saturation=0)])
def test_colours_of_other_channels_are_refused(view):
    with pytest.raises(ValueError, match=r"need images \[b, 3, h, w\], got \(1, 2, 3, 3\)"):
        jittered(torch.rand(1, 2, 3, 3), view)


def test_jitter_numbers_fill_their_limits():
    view = ColourJitter(brightness=1.2, contrast=0.5, saturation=0.25, hue=0.1, probability=0.6)
    drawn = view.draw(5_000, (8, 8), torch.Generator().manual_seed(0))
    limits = {"brightness": (0, 2.2), "contrast": (0.5, 1.5), "saturation": (0.75, 1.25), "hue": (-0.1, 0.1)}
    for name, (low, high) in limits.items():
        slack = (high - low) / 500
        assert low - 1e-6 <= drawn[name].min() < low + slack
        assert high - slack < drawn[name].max() <= high + 1e-6
    assert drawn["chosen"].float().mean().item() == pytest.approx(0.6, abs=0.03)


def test_strong_jitter_stays_in_range():
    view = ColourJitter(brightness=1, contrast=1, saturation=1, hue=0.5, probability=1)
    images = torch.rand(200, 3, 6, 6)
    got = view.apply(images, view.draw(200, (6, 6), torch.Generator().manual_seed(0)))
    assert got.min() >= 0
    assert got.max() <= 1


def test_grey_is_the_brightness_in_all_channels():
    image = torch.rand(1, 3, 4, 5)
    assert_same(grey(image)[0], [[luma(p)] * 3 for p in pixels(image[0])])


def test_some_turn_grey():
    images = torch.rand(4, 3, 4, 4)
    got = Grey().apply(images, {"chosen": torch.tensor([True, False, False, True])})
    assert torch.equal(got[1:3], images[1:3])
    assert torch.equal(got[[0, 3]], grey(images[[0, 3]]))
    drawn = Grey(probability=0.2).draw(5_000, (4, 4), torch.Generator().manual_seed(0))
    assert drawn["chosen"].float().mean().item() == pytest.approx(0.2, abs=0.03)


def test_grey_needs_three_channels():
    with pytest.raises(ValueError, match=r"got \(2, 1, 4, 4\)"):
        Grey().apply(torch.rand(2, 1, 4, 4), {"chosen": torch.tensor([True, True])})
