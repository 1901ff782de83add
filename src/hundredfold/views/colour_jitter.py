"""Colour jitter: brightness, contrast, saturation and hue, each by a random amount.

Chen et al. 2020 (SimCLR), appendix A: the second of the two views that matter on photographs. Without it, two crops
of one image are recognised by their histogram of colours, and nothing else is learnt.

Each of the four is an affine map of the colours. As with geometry, the maps of an image are multiplied first and the
image is changed once: a pixel becomes M pixel + offset, clipped to 0..1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.views._base import Drawn, PixelView, change_chosen, chosen, uniform
from hundredfold.views.grey import LUMA

# From RGB to YIQ: brightness, and two axes of colour. FCC 1953, with the digits of Python's `colorsys`.
_Y = (0.30, 0.59, 0.11)
_I = tuple(0.74 * red - 0.27 * blue - (0.74 - 0.27) * y for red, blue, y in zip((1, 0, 0), (0, 0, 1), _Y))
_Q = tuple(0.48 * red + 0.41 * blue - (0.48 + 0.41) * y for red, blue, y in zip((1, 0, 0), (0, 0, 1), _Y))


@dataclass(frozen=True, kw_only=True)
class ColourJitter(PixelView):
    """Changes the light and the colours of some images: brightness, contrast, saturation, hue, in this order.

    Two departures from the paper, for the sake of one pass over the images: the order is the same for all (the paper
    shuffles it), with values clipped at the end only, and hue turns about the grey axis of YIQ instead of HSV's.
    The defaults are the paper's for ImageNet (strength 1); it takes half of them for CIFAR-10.

    Attributes:
        brightness: the factor is uniform in 1 - brightness..1 + brightness (never below 0).
        contrast: the same, for the distance from the image's mean brightness.
        saturation: the same, for the distance from grey; 0 unless images have three channels.
        hue: largest turn of the colour circle, 0..0.5; 0 unless images have three channels.
        probability: that an image is changed.
    """

    brightness: float = 0.8
    contrast: float = 0.8
    saturation: float = 0.8
    hue: float = 0.2
    probability: float = 0.8

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Drawn:
        """`chosen` [b] booleans; `brightness`, `contrast`, `saturation` [b] factors; `hue` [b] in turns."""
        return {
            "chosen": chosen(batch, self.probability, rng),
            "brightness": uniform(batch, max(0.0, 1 - self.brightness), 1 + self.brightness, rng),
            "contrast": uniform(batch, max(0.0, 1 - self.contrast), 1 + self.contrast, rng),
            "saturation": uniform(batch, max(0.0, 1 - self.saturation), 1 + self.saturation, rng),
            "hue": uniform(batch, -self.hue, self.hue, rng),
        }

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """[b, c, h, w] -> the same.

        Raises:
            ValueError: saturation or hue is asked of images that do not have three channels.
        """
        if images.shape[1] != 3 and (self.saturation or self.hue):
            raise ValueError(f"saturation and hue need images [b, 3, h, w], got {tuple(images.shape)}")
        return change_chosen(images, drawn["chosen"], lambda some, positions: _jitter(some, drawn, positions))


def colour_matrix(saturation: Tensor, hue: Tensor) -> Tensor:
    """[k, 3, 3]: what changes the saturation of RGB pixels by factors [k], then their hue by turns [k].

    A positive turn goes from red to yellow, green and blue, as the hue of HSV does. Each row adds up to one: grey
    stays as it is.
    """
    grey = torch.tensor(LUMA).expand(3, 3)
    saturate = torch.lerp(grey, torch.eye(3), saturation.view(-1, 1, 1))
    to_yiq = torch.tensor([_Y, _I, _Q])
    angle = hue * (2 * math.pi)
    cos, sin = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    turn = torch.stack([one, zero, zero, zero, cos, sin, zero, -sin, cos], dim=1).view(-1, 3, 3)
    return torch.linalg.inv(to_yiq) @ turn @ to_yiq @ saturate


def _jitter(images: Tensor, drawn: Drawn, positions: Tensor) -> Tensor:
    number = {name: drawn[name][positions] for name in drawn}  # each [k], on the CPU
    k, channels, height, width = images.shape
    colour = torch.eye(channels).expand(k, -1, -1)
    if channels == 3:
        colour = colour_matrix(number["saturation"], number["hue"])
    gain = number["brightness"] * number["contrast"]
    matrix = (colour * gain.view(-1, 1, 1)).to(images.device, non_blocking=True)  # [k, c, c]
    # Contrast keeps the mean brightness: x -> mean + contrast (x - mean), where brightness has acted on the mean.
    rest = (number["brightness"] - gain).view(-1, 1, 1).to(images.device, non_blocking=True)
    offset = rest * _mean_brightness(images)  # [k, 1, 1]
    changed = torch.baddbmm(offset, matrix, images.flatten(2)).clamp_(0, 1)  # [k, c, h w]
    return changed.view(k, channels, height, width)


def _mean_brightness(images: Tensor) -> Tensor:
    """[k, 1, 1]: the brightness of the mean colour, which is the mean of the brightness."""
    mean = images.mean(dim=(2, 3))  # [k, c]
    weights = mean.new_tensor(LUMA) if images.shape[1] == 3 else mean.new_full(mean.shape[1:], 1 / mean.shape[1])
    return (mean @ weights).view(-1, 1, 1)
