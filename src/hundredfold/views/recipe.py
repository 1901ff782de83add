"""Which views suit which images: the settings, what they default to for the data at hand, and the chain they make.

The numbers are in one table (`_TINY_GREY` and the following), each with where it comes from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from hundredfold.errors import unknown_name
from hundredfold.views._base import View
from hundredfold.views.blur import Blur
from hundredfold.views.chain import Chain
from hundredfold.views.colour_jitter import ColourJitter
from hundredfold.views.crop import Crop
from hundredfold.views.elastic import Elastic
from hundredfold.views.erasing import Erasing
from hundredfold.views.flip import Flip
from hundredfold.views.grey import Grey
from hundredfold.views.rotation import Rotation
from hundredfold.views.scale import Scale
from hundredfold.views.shear import Shear
from hundredfold.views.solarise import Solarise
from hundredfold.views.translation import Translation

PADDINGS = ("zeros", "border", "reflection")
STROKES = 0.7  # share of background pixels above which grey images are strokes: 0.83 on MNIST, 0.55 on Fashion-MNIST
DARK = 0.1  # border values above this are not black
TINY = 16  # pixels: below, a blur of one pixel or a crop of half the area leaves nothing to recognise
SMALL = 64  # pixels: up to here, grey images are often characters; from here on, SimCLR's blur makes sense


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """The table `[views]`: how strong each view is. 0 turns a view off.

    Attributes:
        flip: probability of a left-right mirror image, 0..1.
        flip_vertical: probability of a top-bottom mirror image, 0..1.
        rotation: largest angle in degrees, 0..180.
        shear: largest slant in degrees, 0..40.
        scale: zoom by a factor of 1 / (1 + scale) to 1 + scale, 0..4.
        translation: farthest move, as a share of width and height, 0..1.
        crop_area_min: least share of the area that a crop keeps, 0..1.
        crop_ratio: largest distortion of a crop, width over height or height over width, 1..4.
        elastic: standard deviation of elastic displacements, as a share of width and height, 0..0.5.
        padding: what lies outside an image: zeros (black), border or reflection.
        jitter: strength of colour jitter, 0..1.25; 1 is SimCLR's on ImageNet, 0.5 its on CIFAR-10.
        jitter_probability: share of the images whose colours are changed, 0..1.
        grey_probability: share of the images that lose their colours, 0..1.
        solarise_probability: share of the images whose bright pixels are inverted, 0..1.
        blur_probability: share of the images that are blurred, 0..1.
        blur_sigma_max: widest blur in pixels, 0..1000; the narrowest is 0.1 of a pixel.
        erasing_probability: share of the images in which a box is painted over, 0..1.
    """

    flip: float = 0.0
    flip_vertical: float = 0.0
    rotation: float = 0.0
    shear: float = 0.0
    scale: float = 0.0
    translation: float = 0.0
    crop_area_min: float = 0.0
    crop_ratio: float = 4 / 3
    elastic: float = 0.0
    padding: str = "zeros"
    jitter: float = 0.0
    jitter_probability: float = 0.8
    grey_probability: float = 0.0
    solarise_probability: float = 0.0
    blur_probability: float = 0.0
    blur_sigma_max: float = 1.0
    erasing_probability: float = 0.0

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each, without the table's name."""
        return [sentence.removeprefix("views.") for sentence in problems(self)]


# Rotation up to 45 degrees, crop and resize, blur: the report on MNIST with 100 labels. Eight pixels bear less.
_TINY_GREY = ViewSettings(rotation=20, crop_area_min=0.7)
# On MNIST gentler moves that bend the strokes teach more than the report's: 95.1 against 90.5 % (100 labels, 1 epoch).
# A painted box takes the bar off a 7 and the foot off a 1, so that both kinds become neighbours: label propagation from
# 100 labels gets 98.3 instead of 97.7 % of the pool right, the probe 97.2 instead of 96.5 % of held-out images.
_SMALL_GREY = ViewSettings(
    rotation=8,
    shear=10,
    scale=0.1,
    translation=0.05,
    crop_area_min=0.85,
    elastic=0.06,
    blur_probability=0.5,
    blur_sigma_max=1.0,
    erasing_probability=0.5,
)
# On Fashion-MNIST, where the row above leaves the probe below a random encoder's (65.2 against 71.5 %).
_SMALL_GREY_FILLED = ViewSettings(
    flip=0.5, crop_area_min=0.7, jitter=1.0, blur_probability=0.5, blur_sigma_max=1.0, erasing_probability=0.5
)
# Chen et al. 2020 (SimCLR), appendix A for photographs and B.9 for CIFAR-10, where blur is left out.
_LARGE_GREY = ViewSettings(flip=0.5, crop_area_min=0.2, padding="reflection", blur_probability=0.5)
_TINY_RGB = ViewSettings(
    flip=0.5, crop_area_min=0.6, padding="reflection", jitter=0.5, jitter_probability=0.8, grey_probability=0.2
)
_SMALL_RGB = replace(_TINY_RGB, crop_area_min=0.2)
_LARGE_RGB = replace(_TINY_RGB, crop_area_min=0.08, jitter=1.0, blur_probability=0.5)
# Two channels, or bands of a satellite: brightness and contrast mean something there, hue and grey do not.
_TINY_BANDS = ViewSettings(flip=0.5, crop_area_min=0.6, padding="reflection", jitter=0.25)
_SMALL_BANDS = replace(_TINY_BANDS, crop_area_min=0.2)
_LARGE_BANDS = replace(_SMALL_BANDS, blur_probability=0.5)

_LARGEST = {
    "rotation": 180.0,
    "shear": 40.0,
    "scale": 4.0,
    "elastic": 0.5,
    "jitter": 1.25,  # hue turns by 0.2 of it, at most 0.25
    "crop_ratio": 4.0,
    "blur_sigma_max": 1000.0,
}
_SMALLEST = {"crop_ratio": 1.0}


def default_views(
    channels: int,
    size: tuple[int, int],
    classes: Sequence[str] = (),
    *,
    background: float | None = None,
    border: float = 0.0,
) -> tuple[ViewSettings, tuple[str, ...]]:
    """Settings that suit such images, and sentences saying what was chosen and why.

    Args:
        channels: of every image.
        size: (height, width) in pixels.
        classes: class names as far as they are known; names of one character each speak of characters.
        background: share of the pixels that look like the images' border, 0..1, or None if nobody looked. Strokes leave
            most of an image empty, things fill it.
        border: the usual value at the images' border, 0..1: what should lie outside.

    Returns:
        The settings and one sentence for each choice that a person may want to change.
    """
    side = min(size)
    filled = channels == 1 and TINY <= side <= SMALL and background is not None and background < STROKES
    if channels == 1:
        small = _SMALL_GREY_FILLED if filled else _SMALL_GREY
        settings = _TINY_GREY if side < TINY else small if side <= SMALL else _LARGE_GREY
    elif channels == 3:
        settings = _TINY_RGB if side < TINY else _SMALL_RGB if side < SMALL else _LARGE_RGB
    else:
        settings = _TINY_BANDS if side < TINY else _SMALL_BANDS if side < SMALL else _LARGE_BANDS
    if settings.blur_probability and side >= SMALL:
        settings = replace(settings, blur_sigma_max=_photograph_blur(side))
    if settings.padding == "zeros" and border > DARK:
        settings = replace(settings, padding="border")
    letters = _single_characters(classes) and (channels == 1 or any(name.isalpha() for name in classes)) and not filled
    if letters:
        settings = replace(settings, flip=0.0)
    return settings, (
        _what(settings, channels, size),
        *_why_filled(filled, background),
        *_why_not_colours(channels),
        *_why_not_flips(settings, letters, channels, classes),
        *_why_gentle(settings, side),
    )


def build(settings: ViewSettings, channels: int, size: tuple[int, int]) -> Chain:
    """The chain that these settings describe, for images of `channels` and `size` (height, width).

    Views that are off are left out. The settings are taken as they are: ask `problems` first.
    """
    return Chain((*_geometric(settings), *_pixel(settings, channels)), padding=settings.padding, output_size=size)


def problems(settings: ViewSettings, channels: int | None = None) -> list[str]:
    """One sentence for each setting that cannot be used; empty if all can.

    Args:
        settings: to check.
        channels: of the images, if known: turning grey needs three.
    """
    found = []
    for field in fields(settings):
        if field.name == "padding":
            continue
        value = getattr(settings, field.name)
        low, high = _SMALLEST.get(field.name, 0.0), _LARGEST.get(field.name, 1.0)
        if not low <= value <= high:  # also true of nan
            found.append(f"views.{field.name} must be in {low:g}..{high:g}, got {value:g}")
    if settings.padding not in PADDINGS:
        found.append(f"views.padding: {unknown_name('padding', settings.padding, PADDINGS)}")
    if channels not in (None, 3) and settings.grey_probability:
        found.append(f"views.grey_probability must be 0: only images of 3 channels turn grey, these have {channels}")
    return found


def _geometric(settings: ViewSettings) -> list[View]:
    views: list[View] = []
    if settings.flip or settings.flip_vertical:
        views.append(Flip(horizontal=settings.flip, vertical=settings.flip_vertical))
    if settings.rotation:
        views.append(Rotation(degrees=settings.rotation))
    if settings.shear:
        views.append(Shear(degrees=settings.shear))
    if settings.scale:
        views.append(Scale(factor=(1 / (1 + settings.scale), 1 + settings.scale)))
    if settings.translation:
        views.append(Translation(fraction=settings.translation))
    if 0 < settings.crop_area_min < 1:  # after the rotation, so that it cuts off the corners that came from outside
        ratio = settings.crop_ratio
        views.append(Crop(area=(settings.crop_area_min, 1.0), ratio=(1 / ratio, ratio)))
    if settings.elastic:
        views.append(Elastic(strength=settings.elastic))
    return views


def _pixel(settings: ViewSettings, channels: int) -> list[View]:
    views: list[View] = []
    if settings.jitter and settings.jitter_probability:
        strong, colours = settings.jitter, channels == 3
        views.append(
            ColourJitter(
                brightness=0.8 * strong,
                contrast=0.8 * strong,
                saturation=0.8 * strong if colours else 0.0,
                hue=0.2 * strong if colours else 0.0,
                probability=settings.jitter_probability,
            )
        )
    if settings.grey_probability:
        views.append(Grey(probability=settings.grey_probability))
    if settings.blur_probability and settings.blur_sigma_max:
        sigma = (min(0.1, settings.blur_sigma_max), settings.blur_sigma_max)
        views.append(Blur(sigma=sigma, probability=settings.blur_probability))
    if settings.solarise_probability:
        views.append(Solarise(probability=settings.solarise_probability))
    if settings.erasing_probability:
        views.append(Erasing(probability=settings.erasing_probability))
    return views


def _photograph_blur(side: int) -> float:
    """SimCLR's widest blur, 2 pixels of 224, for images of another size, rounded to a tenth."""
    return math.ceil(min(2.0, 2.0 * side / 224) * 10) / 10


def _single_characters(classes: Sequence[str]) -> bool:
    return len(classes) > 0 and all(len(name) == 1 for name in classes)


def _what(settings: ViewSettings, channels: int, size: tuple[int, int]) -> str:
    kind = {1: "grey", 3: "RGB"}.get(channels, f"{channels}-channel")
    parts = [
        (settings.crop_area_min, f"crops of at least {settings.crop_area_min:.0%} of the area"),
        (settings.rotation, f"rotation up to {settings.rotation:g} degrees"),
        (settings.shear, f"shear up to {settings.shear:g} degrees"),
        (settings.scale, f"zoom up to {1 + settings.scale:g} times"),
        (settings.translation, f"moves up to {settings.translation:.0%} of the side"),
        (settings.elastic, f"elastic distortion of {settings.elastic:.1%} of the side"),
        (settings.flip, f"mirror images ({settings.flip:.0%})"),
        (settings.jitter, f"{'colour' if channels == 3 else 'light'} jitter {settings.jitter:g}"),
        (settings.grey_probability, f"grey ({settings.grey_probability:.0%})"),
        (settings.blur_probability, f"blur up to {settings.blur_sigma_max:g} pixels"),
        (settings.erasing_probability, f"erasing ({settings.erasing_probability:.0%})"),
    ]
    chosen = ", ".join(text for on, text in parts if on)
    return f"views: {kind} images of {size[0]}x{size[1]} get {chosen}"


def _why_not_colours(channels: int) -> list[str]:
    if channels == 1:
        return ["views: no colour changes, the images have one channel"]
    if channels != 3:
        return [f"views: no changes of hue and no grey, {channels} channels are not red, green and blue"]
    return []


def _why_not_flips(settings: ViewSettings, letters: bool, channels: int, classes: Sequence[str]) -> list[str]:
    turn_on = "views.flip=0.5 turns mirror images on"
    if letters:
        return [f"views: no mirror images, class names of one character speak of characters ({turn_on})"]
    if not settings.flip:
        return [f"views: no mirror images, small grey images may be characters ({turn_on})"]
    if _single_characters(classes):
        return ["views: mirror images are on; if the class numbers stand for digits in the images, set views.flip=0"]
    return []


def _why_filled(filled: bool, background: float | None) -> list[str]:
    if not filled or background is None:
        return []
    return [f"views: {background:.0%} of the pixels are background, so these are things and not strokes"]


def _why_gentle(settings: ViewSettings, side: int) -> list[str]:
    if side >= TINY:
        return []
    return [f"views: gentle crops and no blur, {side} pixels leave little to lose"]
