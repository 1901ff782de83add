from dataclasses import fields, replace

import pytest
import torch

from hundredfold.views.blur import Blur
from hundredfold.views.colour_jitter import ColourJitter
from hundredfold.views.crop import Crop
from hundredfold.views.elastic import Elastic
from hundredfold.views.erasing import Erasing
from hundredfold.views.flip import Flip
from hundredfold.views.grey import Grey
from hundredfold.views.recipe import ViewSettings, build, default_views, problems
from hundredfold.views.rotation import Rotation
from hundredfold.views.scale import Scale
from hundredfold.views.shear import Shear
from hundredfold.views.solarise import Solarise
from hundredfold.views.translation import Translation

DIGITS = tuple("0123456789")


def kinds(settings, channels=3, size=(32, 32)):
    return [type(view) for view in build(settings, channels, size).views]


def test_settings_are_off_unless_they_are_set():
    assert kinds(ViewSettings()) == []


@pytest.mark.parametrize(
    ("changes", "view"),
    [
        ({"flip": 0.5}, Flip(horizontal=0.5, vertical=0.0)),
        ({"flip_vertical": 0.4}, Flip(horizontal=0.0, vertical=0.4)),
        ({"rotation": 15.0}, Rotation(degrees=15)),
        ({"shear": 10.0}, Shear(degrees=10)),
        ({"scale": 0.25}, Scale(factor=(0.8, 1.25))),
        ({"translation": 0.1}, Translation(fraction=0.1)),
        ({"crop_area_min": 0.3, "crop_ratio": 2.0}, Crop(area=(0.3, 1.0), ratio=(0.5, 2.0))),
        ({"elastic": 0.03}, Elastic(strength=0.03)),
        (
            {"jitter": 0.5, "jitter_probability": 0.7},
            ColourJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, probability=0.7),
        ),
        ({"grey_probability": 0.2}, Grey(probability=0.2)),
        ({"blur_probability": 0.5, "blur_sigma_max": 2.0}, Blur(sigma=(0.1, 2.0), probability=0.5)),
        ({"blur_probability": 0.5, "blur_sigma_max": 0.05}, Blur(sigma=(0.05, 0.05), probability=0.5)),
        ({"solarise_probability": 0.1}, Solarise(probability=0.1)),
        ({"erasing_probability": 0.25}, Erasing(probability=0.25)),
    ],
)
def test_each_setting_makes_its_view(changes, view):
    assert build(ViewSettings(**changes), 3, (32, 32)).views == (view,)


@pytest.mark.parametrize(
    "changes",
    [
        {"crop_area_min": 1.0},
        {"jitter": 0.5, "jitter_probability": 0.0},
        {"blur_probability": 0.5, "blur_sigma_max": 0.0},
    ],
)
def test_a_view_that_would_do_nothing_is_left_out(changes):
    assert kinds(ViewSettings(**changes)) == []


def test_padding_and_size_reach_the_chain():
    chain = build(ViewSettings(rotation=10, padding="border"), 1, (20, 30))
    assert chain.padding == "border"
    assert chain(torch.rand(2, 1, 20, 30), torch.Generator()).shape == (2, 1, 20, 30)


def test_settings_are_plain_numbers_and_words():
    for field in fields(ViewSettings):
        assert isinstance(field.default, float | str), field.name


def test_every_field_is_explained():
    for field in fields(ViewSettings):
        assert f"\n        {field.name}: " in (ViewSettings.__doc__ or ""), field.name


def test_small_grey_things_that_fill_the_image_are_not_treated_as_strokes():
    settings, why = default_views(1, (28, 28), tuple("0123456789"), background=0.55)
    assert settings.flip and settings.jitter and settings.erasing_probability and not settings.rotation
    assert "views: 55% of the pixels are background, so these are things and not strokes" in why
    assert any("set views.flip=0" in sentence for sentence in why)  # the names are digits: it may be wrong
    assert default_views(1, (28, 28), background=0.83)[0] == default_views(1, (28, 28))[0]


def test_what_lies_outside_an_image_on_white_paper_is_white():
    assert default_views(1, (28, 28), border=1.0)[0].padding == "border"
    assert default_views(1, (28, 28), border=0.0)[0].padding == "zeros"


def test_digits_of_28_pixels():
    settings, why = default_views(1, (28, 28))
    assert (settings.flip, settings.flip_vertical, settings.jitter, settings.grey_probability) == (0, 0, 0, 0)
    assert 0 < settings.rotation < 45 and settings.elastic and settings.shear and settings.blur_probability
    assert kinds(settings, 1, (28, 28)) == [Rotation, Shear, Scale, Translation, Crop, Elastic, Blur, Erasing]
    assert why == (
        "views: grey images of 28x28 get crops of at least 85% of the area, rotation up to 8 degrees, shear up to "
        "10 degrees, zoom up to 1.1 times, moves up to 5% of the side, elastic distortion of 6.0% of the side, "
        "blur up to 1 pixels, erasing (50%)",
        "views: no colour changes, the images have one channel",
        "views: no mirror images, small grey images may be characters (views.flip=0.5 turns mirror images on)",
    )


def test_colour_images_of_32_pixels_are_not_blurred():
    settings, why = default_views(3, (32, 32), ("cat", "dog"))
    assert kinds(settings) == [Flip, Crop, ColourJitter, Grey]
    assert (settings.flip, settings.jitter, settings.grey_probability) == (0.5, 0.5, 0.2)
    assert why == (
        "views: RGB images of 32x32 get crops of at least 20% of the area, mirror images (50%), colour jitter 0.5, "
        "grey (20%)",
    )


def test_colour_images_of_96_pixels_get_all_of_simclr():
    settings, why = default_views(3, (96, 128))
    assert kinds(settings) == [Flip, Crop, ColourJitter, Grey, Blur]
    assert (settings.crop_area_min, settings.jitter, settings.jitter_probability) == (0.08, 1.0, 0.8)
    assert settings.blur_sigma_max == 0.9
    assert default_views(3, (224, 224))[0].blur_sigma_max == 2.0
    assert default_views(3, (512, 512))[0].blur_sigma_max == 2.0
    assert len(why) == 1
    assert why[0].endswith("blur up to 0.9 pixels")


def test_five_channels_have_no_hue():
    settings, why = default_views(5, (32, 32))
    assert kinds(settings, 5) == [Flip, Crop, ColourJitter]
    jitter = build(settings, 5, (32, 32)).views[-1]
    assert (jitter.saturation, jitter.hue) == (0, 0)
    assert "views: no changes of hue and no grey, 5 channels are not red, green and blue" in why


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_eight_pixels_are_treated_gently(channels):
    settings, why = default_views(channels, (8, 8))
    assert settings.crop_area_min >= 0.6
    assert settings.blur_probability == 0
    assert why[-1] == "views: gentle crops and no blur, 8 pixels leave little to lose"


def test_large_grey_images_may_be_mirrored_unless_their_classes_are_characters():
    settings, _ = default_views(1, (200, 200), ("healthy", "ill"))
    assert settings.flip == 0.5
    assert settings.jitter == 0
    settings, why = default_views(1, (200, 200), DIGITS)
    assert settings.flip == 0
    assert "class names of one character" in why[-1]


def test_colour_images_of_letters_are_not_mirrored_and_numbered_classes_are_asked_about():
    settings, why = default_views(3, (32, 32), ("a", "b", "7"))
    assert settings.flip == 0
    assert "class names of one character" in why[-1]
    settings, why = default_views(3, (32, 32), DIGITS)
    assert settings.flip == 0.5
    assert why[-1].endswith("set views.flip=0")


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 48), (96, 96)])
def test_every_default_can_be_used(channels, size):
    settings, why = default_views(channels, size)
    assert problems(settings, channels) == []
    assert all(sentence.startswith("views: ") for sentence in why)
    images = torch.rand(6, channels, *size)
    views = build(settings, channels, size)(images, torch.Generator().manual_seed(0))
    assert views.shape == images.shape
    assert views.min() >= 0
    assert views.max() <= 1
    assert not torch.allclose(views, images, atol=0.05)


def test_all_problems_are_named_at_once():
    settings = ViewSettings(rotation=200, flip=-0.1, crop_ratio=0.5, padding="zero", scale=float("nan"))
    assert problems(settings) == [
        "views.flip must be in 0..1, got -0.1",
        "views.rotation must be in 0..180, got 200",
        "views.scale must be in 0..4, got nan",
        "views.crop_ratio must be in 1..4, got 0.5",
        "views.padding: unknown padding 'zero': did you mean 'zeros'? Possible: border, reflection, zeros",
    ]


@pytest.mark.parametrize("field", [field.name for field in fields(ViewSettings) if field.name != "padding"])
def test_every_number_has_limits(field):
    for value in (-1.0, float("inf"), float("nan")):
        assert [field in problem for problem in problems(replace(ViewSettings(), **{field: value}))] == [True]


def test_grey_needs_three_channels():
    settings = ViewSettings(grey_probability=0.2)
    assert problems(settings) == problems(settings, 3) == []
    assert problems(settings, 1) == [
        "views.grey_probability must be 0: only images of 3 channels turn grey, these have 1"
    ]
